"""Numbers and days as the language of an answer writes them: 4,411.5 or 4.411,5."""

import datetime
import re

from posology.language.catalogue import ENGLISH, GERMAN, current_language

_SWAPPED = str.maketrans(",.", ".,")
"""German writes a comma before decimals, and a point between thousands."""
_ENTERED = {
    ENGLISH: re.compile(r"([-+]?\d*)(?:[.,](\d+))?"),
    GERMAN: re.compile(r"([-+]?(?:\d{1,3}(?:\.\d{3})+(?=,)|\d*))(?:[.,](\d+))?"),
}
_THOUSANDS = {
    ENGLISH: re.compile(r"[-+]?[1-9]\d{0,2}(?:,\d{3})+"),
    GERMAN: re.compile(r"[-+]?[1-9]\d{0,2}(?:\.\d{3})+"),
}
"""What is a thousand for some readers of a language, and a number near one for others."""
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
DAY = r"\d{2}-[A-Z][a-z]{2}-\d{4}|\d{2}\.\d{2}\.\d{4}"
"""Regular expression of a day in any of the languages."""


def number(written: str) -> str:
    """A number that Python has written, in the language of the answer: `number(f"{x:,.1f}")`.

    A large one is written out: 250000 for `2.5e+05`.
    """
    written = f"{float(written):.0f}" if "e+" in written else written
    return written.translate(_SWAPPED) if current_language() == GERMAN else written


def parse_number(text: str) -> float:
    """The number of a text of `number`, with either minus sign; ValueError if it is none."""
    plain = text.translate(_SWAPPED) if current_language() == GERMAN else text
    return float(plain.replace("\u2212", "-").replace(",", ""))


def read_number(text: str) -> float:
    """The number that a person entered, with a point or a comma before its decimals.

    ValueError if it is none, or may be two: `1,500` in English, `1.500` in German.
    """
    language = current_language()
    found = _ENTERED[language].fullmatch(text.strip().replace("\u2212", "-"))
    if found is None or is_ambiguous(text):
        raise ValueError(f"{text!r} is not one number")
    whole, decimals = found[1].replace(".", ""), found[2] or ""
    return float(f"{whole}.{decimals}")


def is_ambiguous(text: str) -> bool:
    """Whether a sign before three digits may mean thousands or decimals."""
    return _THOUSANDS[current_language()].fullmatch(text.strip()) is not None


def year_month(months: int) -> str:
    """A month, counted from January of year 0: `2026-11`, or `11/2026`."""
    year, place = months // 12, months % 12 + 1
    return f"{place:02d}/{year}" if current_language() == GERMAN else f"{year}-{place:02d}"


def day(date: datetime.date) -> str:
    """`28-Nov-2026`, or `28.11.2026`."""
    if current_language() == GERMAN:
        return f"{date.day:02d}.{date.month:02d}.{date.year:04d}"
    return f"{date.day:02d}-{_MONTHS[date.month - 1]}-{date.year:04d}"
