import pytest

from posology.domain.recommendation.option import Estimate
from posology.report.patient import words


@pytest.mark.parametrize(
    ("x", "expected"),
    [
        (-0.2, "0"),
        (0.0, "0"),
        (0.3, "under 1"),
        (58.2, "58"),
        (99.6, "more than 99"),
        (100.0, "more than 99"),
    ],
)
def test_no_count_of_100_reads_100_and_no_small_one_reads_0(x: float, expected: str) -> None:
    assert words.count_words(x) == expected


@pytest.mark.parametrize(
    ("low", "high", "unit", "expected"),
    [
        (11.2, 30.8, "", "11 to 31 more"),
        (-5.0, 17.0, "", "5 fewer to 17 more"),
        (-30.0, -16.0, "", "16 to 30 fewer"),
        (0.0, 4.0, "", "no change to 4 more"),
        (0.6, 0.7, "", "1 more"),
        (-4.1, -2.0, "mmol/mol", "2.0 to 4.1 lower"),
        (-4.1, 2.0, "mmol/mol", "4.1 lower to 2.0 higher"),
        (-0.59, 210.4, "days", "1 lower to 210 higher"),
        (-0.3, 210.4, "days", "no change to 210 higher"),
        (0.3, 210.4, "days", "0.30 to 210 higher"),
        (0.59, 210.4, "days", "1 to 210 higher"),
        (0.59, 40.0, "days", "0.6 to 40.0 higher"),
        (0.59, float("inf"), "days", "0.59 to no limit higher"),
    ],
)
def test_an_interval_of_a_difference_says_its_direction_once(
    low: float, high: float, unit: str, expected: str
) -> None:
    estimate = Estimate((low + high) / 2, low, high)
    assert words.change_interval_words(estimate, unit) == expected


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0.59, 210.4, "1 to 210"), (0.85, 1.02, "0.85 to 1.02"), (99.0, 100.5, "99.0 to 100.5")],
)
def test_both_ends_of_an_interval_of_a_mean_have_as_many_decimals(
    low: float, high: float, expected: str
) -> None:
    assert words.interval_words(Estimate(low, low, high), "days") == expected


def test_an_estimate_has_the_decimals_of_its_interval() -> None:
    assert words.change_words(95.0, "days", Estimate(95.0, 0.59, 210.4)) == "95 higher"
    assert words.change_words(95.0, "days") == "95.0 higher"


def test_a_mean_below_zero_has_a_minus_sign() -> None:
    assert words.value_words(-3.25, "points") == "\u22123.2"
    assert words.value_words(-0.0196, "points") == "\u22120.02"
    assert words.value_words(-0.0004, "points") == "0"
    assert words.signed_words(-2.4, "") == "\u22122"
    assert words.signed_words(0.04, "") == "0"
    assert words.signed_words(0.3, "") == "+0.3"
    assert words.signed_words(-3.66, "mg/wk") == "\u22123.7"


def test_the_ends_of_an_interval_are_no_more_exact_than_it_is_wide() -> None:
    assert words.dose_reach((7.375, 32.9)) == "7 to 33"
    assert words.dose_reach((1.26, 2.04)) == "1.3 to 2.0"
    assert words.dose_reach((0.0625, 0.125)) == "0.0625 to 0.125"
    assert words.dose_span((2.1, 175.0)) == "2.1 to 175"


def test_a_sentence_that_begins_with_its_fact_does_not_name_it_twice() -> None:
    text = "Drug a: yes lowers the dose."
    assert words.after_name("drug a: yes", text) == ("Drug a: yes", "lowers the dose.")
    assert words.after_name("age 72", "Without it, less.") == ("Age 72.", "Without it, less.")


def test_days_are_written_with_the_month_in_letters() -> None:
    assert words.date_words("2026-11-27T08:40:00") == "27-Nov-2026 08:40"
    assert words.date_words("2026-03-01") == "01-Mar-2026"
    assert words.date_words("2026.3") == "2026.3"
    assert words.with_dates("rule 4.2 of 2026-03-01") == "rule 4.2 of 01-Mar-2026"


def test_names_with_their_own_spelling_keep_it() -> None:
    assert words.capitalise("usual care") == "Usual care"
    assert words.capitalise("eGFR over 45") == "eGFR over 45"
    assert words.sentence("no match") == "No match."
