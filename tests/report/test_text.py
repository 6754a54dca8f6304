import math

from posology.evaluation.intervals import Difference, Interval
from posology.report.text import Scale, begin_sentence, format_number, format_p, format_share


def test_a_sentence_begins_with_a_large_letter() -> None:
    assert begin_sentence("posology's rule: too few.") == "Posology's rule: too few."
    assert begin_sentence("") == ""


def test_probabilities_are_written_as_percentages() -> None:
    scale = Scale("points", 100.0)
    assert scale.format_value(0.2134) == "21.3 %"
    assert scale.format_difference(Difference(0.0312, -0.0041, 0.0701, 0.0004)) == (
        "+3.1 (-0.4 to 7.0)"
    )


def test_decimals_follow_the_width_of_the_interval() -> None:
    days = Scale("days", 1.0)
    assert days.format_difference(Interval(12.3, -40.0, 61.0)) == "+12 (-40 to 61)"
    assert days.format_difference(Interval(-0.2, -40.0, 61.0)) == "0 (-40 to 61)"
    assert days.format_estimate(Interval(12.345, 11.98, 12.71)) == "12.35 (11.98 to 12.71)"
    wide = Interval(0.25311, 0.189, 0.317)
    assert Scale("points", 100.0).format_estimate(wide) == "25.3 % (18.9 to 31.7)"


def test_thousands_have_a_mark() -> None:
    """As the total in `days without the event, of 1,826` has."""
    days = Scale("days without the event, of 1,826", 1.0)
    assert days.format_value(1417.6) == "1,418"
    assert days.format_estimate(Interval(1417.6, 1337.0, 1504.2)) == "1,418 (1,337 to 1,504)"
    assert days.format_difference(Difference(-1417.6, -1504.2, -1337.0, 0.1)) == (
        "-1,418 (-1,504 to -1,337)"
    )


def test_an_unknown_difference_is_written_in_words() -> None:
    assert Scale("points", 100.0).format_difference(Difference(*[math.nan] * 4)) == (
        "too few patients"
    )


def test_rescaling_keeps_the_p_value() -> None:
    assert Scale("points", 100.0).rescale(Difference(0.5, 0.25, 0.75, 0.01)) == Difference(
        50.0, 25.0, 75.0, 0.01
    )


def test_numbers_have_three_significant_digits() -> None:
    assert format_number(0.01234) == "0.0123"
    assert format_number(math.inf) == "no limit"
    assert format_number(math.nan) == "not known"


def test_small_p_values_and_shares_are_rounded() -> None:
    assert (format_p(0.0004), format_p(0.034)) == ("p < 0.001", "p = 0.034")
    assert (format_share(0.031), format_share(0.31)) == ("3.1 %", "31 %")
    assert (format_share(1.0), format_share(894 / 896)) == ("100 %", "99.8 %")
    assert format_share(0.99999) == "99.9 %"
