import pytest

from posology.advice.amounts import (
    count,
    difference_as_written,
    difference_range,
    dose_ends,
    dose_words,
    error_words,
    mean_words,
    more_or_fewer,
    whole_shares,
)
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
    assert more_or_fewer(-2.34, "days") == "2.3 lower"
    assert difference_range(Estimate(-2.0, -3.1, -1.0), "days") == "1.0 to 3.1 lower"
    assert difference_range(Estimate(0.5, -0.0196, 1.0), "%") == "none to 1.0 higher"
    assert difference_range(Estimate(0.1, -0.0196, 0.3), "%") == "0.02 lower to 0.30 higher"
    of_days = Estimate(95.0, -0.59, 210.4)
    assert difference_range(of_days, "days") == "1 lower to 210 higher"
    assert more_or_fewer(95.0, "days", of_days) == "95 higher"
    assert difference_range(Estimate(95.0, 0.3, 210.4), "days") == "0.30 to 210 higher"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (477.31, "477"),
        (1417.6, "1,418"),
        (-1417.6, "-1,418"),
        (99.96, "100"),
        (6.213, "6.2"),
        (0.854, "0.85"),
        (0.0196, "0.02"),
        (-0.0196, "-0.02"),
        (-0.004, "0"),
    ],
)
def test_a_mean_has_as_many_digits_as_can_be_read(value: float, words: str) -> None:
    assert mean_words(value) == words


AS_WRITTEN = [
    ((62.4, 54.6), Estimate(7.8, 2.0, 12.0), 7.0),  # 62 and 55
    ((55.4, 54.6), Estimate(0.8, 0.2, 1.4), 0.4),  # 55 and 55
    ((54.6, 55.4), Estimate(-0.8, -1.4, -0.2), -0.4),
    ((0.3, 8.0), Estimate(-7.7, -9.0, -6.0), -7.7),  # fewer than 1 and 8
    ((62.0, 40.0), Estimate(7.8, 2.0, 12.0), 7.8),  # not a difference of these two
]


@pytest.mark.parametrize(("pair", "difference", "shown"), AS_WRITTEN)
def test_a_difference_is_that_of_the_numbers_as_they_are_written(pair, difference, shown) -> None:
    assert difference_as_written(pair, difference, count) == pytest.approx(shown)


def test_whole_shares_sum_to_the_total() -> None:
    assert whole_shares([1.0, 1.0, 1.0]) == [34, 33, 33]
    assert whole_shares([41.6, 49.7, 12.1]) == [40, 48, 12]
    assert whole_shares([0.335, 0.335, 0.33]) == [34, 33, 33]
    assert whole_shares([0.0, 0.0]) == [0, 0]


@pytest.mark.parametrize(
    ("dose", "words"),
    [(35.04, "35.0"), (1.0, "1.0"), (1.25, "1.25"), (0.125, "0.125"), (0.0, "0.0"), (-3.0, "-3.0")],
)
def test_a_small_dose_keeps_its_digits(dose: float, words: str) -> None:
    assert dose_words(dose) == words


def test_the_ends_of_a_range_of_doses_are_told_apart() -> None:
    assert dose_ends(23.4, 41.2) == ("23", "41")
    assert dose_ends(2.5, 7.25) == ("2.5", "7.2")
    assert dose_ends(0.0625, 0.25) == ("0.06", "0.25")
    assert dose_ends(0.0, 0.0) == ("0", "0")
    assert (error_words(13.04), error_words(0.0483)) == ("13.0", "0.048")
