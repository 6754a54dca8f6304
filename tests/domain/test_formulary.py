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


def test_a_dose_of_a_record_at_a_bound_is_the_bound() -> None:
    for bound in (0.1, 0.3, 2.5, 5.1, 7.35, 7.8):
        dose = np.array([np.float32(bound)], dtype=float)
        for is_open in (False, True):
            low = DoseRange(bound, 100.0, "mg", open_low=is_open)
            high = DoseRange(0.0, bound, "mg", open_high=is_open)
            for allowed in (low, high):
                assert is_in_range(dose, allowed)[0] != is_open
                assert is_in_range(clip_to_range(dose, allowed), allowed).all()


def test_clipped_doses_of_large_open_ranges_are_in_the_range() -> None:
    allowed = DoseRange(5000.0, 25000.0, "[iU]", open_low=True, open_high=True)
    dose = np.array([-np.inf, 5000.0, 25000.0, np.inf])
    assert is_in_range(clip_to_range(dose, allowed), allowed).all()
    endless = DoseRange(0.0, np.inf, "mg", open_high=True)
    assert is_in_range(np.array([1.0, np.inf]), endless).tolist() == [True, False]
