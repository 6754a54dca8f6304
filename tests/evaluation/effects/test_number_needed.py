import pytest

from posology.evaluation.effects.number_needed import (
    describe_number_needed,
    number_needed_to_treat,
)
from posology.evaluation.intervals import Difference


@pytest.mark.parametrize(
    ("gain", "text"),
    [
        ((0.10, 0.05, 0.20), "NNTB 10 (NNTB 5.0 to NNTB 20)"),
        ((0.04, -1 / 30, 0.10), "NNTB 25 (NNTB 10 to ∞ to NNTH 30)"),
        ((-0.02, -0.1, 0.01), "NNTH 50 (NNTB 100 to ∞ to NNTH 10)"),
        ((-0.10, -0.20, -0.05), "NNTH 10 (NNTH 20 to NNTH 5.0)"),
        ((0.0, -0.1, 0.1), "∞ (NNTB 10 to ∞ to NNTH 10)"),
        ((0.0, 0.0, 0.0), "∞ (∞ to ∞)"),
    ],
)
def test_intervals_may_be_disjoint(gain: tuple[float, float, float], text: str) -> None:
    """The second is as in Altman 1998, NNTB 10 to infinity to NNTH 30."""
    assert describe_number_needed(number_needed_to_treat(Difference(*gain, 0.5))) == text


def test_limits_are_inverse() -> None:
    number = number_needed_to_treat(Difference(0.02, -0.01, 0.05, 0.2))
    assert (number.value, number.low, number.high) == pytest.approx((50, 20, -100))
    assert number.is_disjoint
