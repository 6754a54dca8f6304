"""Numbers and days as the language of an answer writes them: 4,411.5 or 4.411,5."""

import datetime

from posology.language.catalogue import GERMAN, current_language

_SWAPPED = str.maketrans(",.", ".,")
"""German writes a comma before decimals, and a point between thousands."""
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
    return float(plain.replace("\u2212", "-"))


def day(date: datetime.date) -> str:
    """`28-Nov-2026`, or `28.11.2026`."""
    if current_language() == GERMAN:
        return f"{date.day:02d}.{date.month:02d}.{date.year:04d}"
    return f"{date.day:02d}-{_MONTHS[date.month - 1]}-{date.year:04d}"
