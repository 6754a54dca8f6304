import numpy as np
import pytest

from posology.domain.formulas.kidney import ckd_epi_2021, cockcroft_gault


def of(*numbers: float) -> list[np.ndarray]:
    return [np.array([x]) for x in numbers]


@pytest.mark.parametrize(
    ("creatinine", "age", "female", "said"),
    # Rows worked out by hand from the published equation, each branch of the two sexes once.
    [
        (1.0, 50.0, False, 91.7),
        (1.0, 50.0, True, 68.6),
        (0.5, 50.0, True, 114.2),
        (0.7, 30.0, False, 127.1),
        (4.0, 70.0, False, 15.3),
    ],
)
def test_ckd_epi_2021(creatinine: float, age: float, female: bool, said: float) -> None:
    found = ckd_epi_2021(*of(creatinine, age), np.array([female]))
    assert found[0] == pytest.approx(said, abs=0.1)


def test_cockcroft_and_gault_by_hand() -> None:
    found = cockcroft_gault(*of(1.2, 60.0, 72.0), np.array([False]))
    assert found[0] == pytest.approx((140 - 60) * 72 / (72 * 1.2))
    woman = cockcroft_gault(*of(1.2, 60.0, 72.0), np.array([True]))
    assert woman[0] == pytest.approx(0.85 * found[0])


def test_children_have_no_result() -> None:
    assert np.isnan(ckd_epi_2021(*of(0.5, 10.0), np.array([False])))[0]
    assert np.isnan(cockcroft_gault(*of(0.5, 10.0, 30.0), np.array([False])))[0]
