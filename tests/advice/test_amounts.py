import pytest

from posology.advice.amounts import count, difference_range, more_or_fewer
from posology.domain.recommendation.option import Estimate


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.0, "0"),
        (0.2, "fewer than 1"),
        (57.6, "58"),
        (99.8, "more than 99"),
        (100.0, "more than 99"),
    ],
)
def test_counts_have_no_decimals_and_are_never_falsely_certain(value: float, words: str) -> None:
    assert count(value) == words


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (11.2, 30.8, "11 to 31 more"),
        (-2.0, 12.0, "2 fewer to 12 more"),
        (-12.0, -2.0, "2 to 12 fewer"),
        (-0.2, 5.0, "none to 5 more"),
    ],
)
def test_a_range_says_more_or_fewer(low: float, high: float, words: str) -> None:
    assert difference_range(Estimate((low + high) / 2, low, high), "") == words


def test_a_mean_has_a_decimal() -> None:
    assert more_or_fewer(-2.34, "days") == "2.3 fewer"
