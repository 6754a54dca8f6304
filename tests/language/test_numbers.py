"""Numbers and days in English and in German."""

import datetime
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posology.language.catalogue import ENGLISH, GERMAN, LANGUAGES, in_language
from posology.language.numbers import DAY, day, number, parse_number, read_number, year_month


def test_german_writes_a_comma_before_decimals_and_points_between_thousands() -> None:
    assert number(f"{4411.5:,.1f}") == "4,411.5"
    with in_language(GERMAN):
        assert number(f"{4411.5:,.1f}") == "4.411,5"
        assert day(datetime.date(2026, 3, 1)) == "01.03.2026"
        assert year_month(12 * 2026 + 2) == "03/2026"
    assert day(datetime.date(2026, 3, 1)) == "01-Mar-2026"
    assert year_month(12 * 2026 + 2) == "2026-03"


def test_a_number_with_marks_between_thousands_is_read_as_it_was_written() -> None:
    assert parse_number("\u22121,417.6") == -1417.6
    with in_language(GERMAN):
        assert parse_number("\u22121.417,6") == -1417.6


@pytest.mark.parametrize(
    ("value", "shown"),
    [(250123.0, "250100"), (1e6, "1000000"), (-12345.0, "-12340"), (1e-7, "1e-07"), (0.5, "0.5")],
)
def test_a_large_number_is_written_out(value: float, shown: str) -> None:
    """Platelets of 2.501e+05 are no reading that a clinician knows."""
    assert number(f"{value:.4g}") == shown


@given(st.floats(-1e6, 1e6), st.sampled_from(LANGUAGES))
def test_a_number_that_was_written_is_read_as_it_was(x: float, language: str) -> None:
    with in_language(language):
        assert parse_number(number(f"{x:.3f}").replace("-", "\u2212")) == float(f"{x:.3f}")


@pytest.mark.parametrize("language", [ENGLISH, GERMAN])
def test_a_day_is_found_in_a_text(language: str) -> None:
    with in_language(language):
        assert re.fullmatch(DAY, day(datetime.date(2026, 12, 31)))


def test_a_word_is_no_number() -> None:
    with in_language(GERMAN), pytest.raises(ValueError, match="could not convert"):
        parse_number("weniger als 1")


@pytest.mark.parametrize(
    ("language", "text", "value"),
    [
        (ENGLISH, "2.5", 2.5),
        (ENGLISH, "2,5", 2.5),
        (ENGLISH, "1.500", 1.5),
        (GERMAN, "2,5", 2.5),
        (GERMAN, "2.5", 2.5),
        (GERMAN, "1,500", 1.5),
        (GERMAN, "1.500,5", 1500.5),
        (GERMAN, " -0.500 ", -0.5),
        (ENGLISH, "17", 17.0),
    ],
)
def test_a_number_that_a_person_enters_is_read(language: str, text: str, value: float) -> None:
    with in_language(language):
        assert read_number(text) == value


@pytest.mark.parametrize(
    ("language", "text"),
    [(ENGLISH, "1,500"), (GERMAN, "1.500"), (ENGLISH, ""), (GERMAN, "1,2,3"), (ENGLISH, "nan")],
)
def test_what_is_no_number_or_may_be_two_is_refused(language: str, text: str) -> None:
    with in_language(language), pytest.raises(ValueError, match=r"number|float"):
        read_number(text)
