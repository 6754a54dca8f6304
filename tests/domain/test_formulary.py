import numpy as np

from posology.domain.formulary import DoseRange, clip_to_range, is_in_range

CLOSED = DoseRange(1.0, 2.0, "mg")
OPEN = DoseRange(1.0, 2.0, "mg", open_low=True, open_high=True)


def test_an_open_bound_is_outside_the_range() -> None:
    dose = np.array([0.9, 1.0, 1.5, 2.0, 2.1, np.nan])
    assert is_in_range(dose, CLOSED).tolist() == [False, True, True, True, False, False]
    assert is_in_range(dose, OPEN).tolist() == [False, False, True, False, False, False]


def test_clipped_doses_are_in_the_range() -> None:
    dose = np.array([-3.0, 1.0, 1.5, 2.0, 9.0])
    for allowed in (CLOSED, OPEN):
        assert is_in_range(clip_to_range(dose, allowed), allowed).all()
