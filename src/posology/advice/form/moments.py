"""Dates in a patient's file: a year, a month, a day, or a day with a time."""

import datetime
import re
from typing import Any

from posology.errors import RecordError
from posology.language.catalogue import deferred, tr
from posology.language.numbers import day

_PARTIAL = re.compile(r"(\d{4})(?:-(\d{2}))?")
_YEARS = range(1850, 2301)
EARLIEST = datetime.datetime(1950, 1, 1)  # noqa: DTZ001 - MEDS times have no zone
"""First day of a decision: before it, neither the records nor the guidelines of today's treatments
mean anything. Our choice."""
_DATES = ("date", "since", "time")
"""Keys of dates, in a fact's value and in an event."""
_NO_DATE = deferred("{text} is not a date; write a date such as 2026-03-01, 2026-03 or 2026.")
_NO_DAY = deferred("{text} is not a day written year-month-day; write one such as 2026-03-01.")


def parse_moment(text: object, place: str) -> datetime.datetime:
    """The moment, without a time zone; a year is its 1 July, a month its 15th, a day its start."""
    if isinstance(text, int) and not isinstance(text, bool) and text in _YEARS:
        text = str(text)
    if not isinstance(text, str):
        raise RecordError(f"{place}: {tr(_NO_DATE).format(text=repr(text))}")
    partial = _PARTIAL.fullmatch(text.strip())
    try:
        if partial:
            year, month = int(partial[1]), int(partial[2] or 7)
            return datetime.datetime(year, month, 15 if partial[2] else 1)  # noqa: DTZ001
        return _read_day(text)
    except (ValueError, OverflowError) as error:
        raise RecordError(f"{place}: {tr(_NO_DATE).format(text=repr(text))}") from error


def _read_day(text: object) -> datetime.datetime:
    if not isinstance(text, str):
        raise ValueError("not a text")
    moment = datetime.datetime.fromisoformat(text.strip())
    return moment if moment.tzinfo is None else moment.astimezone(datetime.UTC).replace(tzinfo=None)


def settle_dates(value: Any, decision: datetime.datetime, is_date_alone: bool = False) -> Any:
    """A fact's value or an event, without a date that is after the decision only by its middle.

    A year or month that is not over at the decision is then halfway from its start to there.

    is_date_alone: a text is a date, not a value.
    """
    if isinstance(value, list):
        return [settle_dates(one, decision, is_date_alone) for one in value]
    if isinstance(value, dict):
        dates = {key: _settle(value[key], decision) for key in _DATES if key in value}
        return value | dates
    return _settle(value, decision) if is_date_alone and isinstance(value, str) else value


def _settle(text: Any, decision: datetime.datetime) -> Any:
    if isinstance(text, int) and text == decision.year:
        text = str(text)
    partial = _PARTIAL.fullmatch(text.strip()) if isinstance(text, str) else None
    if partial is None:
        return text
    now = decision.year, decision.month
    if (int(partial[1]), int(partial[2] or now[1])) != now:
        return text
    start = datetime.datetime(decision.year, decision.month if partial[2] else 1, 1)  # noqa: DTZ001
    if parse_moment(text, "") <= decision:
        return text
    return (start + (decision - start) / 2).date().isoformat()


def parse_decision(text: object, place: str, today: datetime.datetime) -> datetime.datetime:
    """The moment of a decision: a day, with or without a time, that is not after today.

    today: in universal time; it may be tomorrow where the clinician is.
    """
    try:
        moment = _read_day(text)
    except (ValueError, OverflowError) as error:
        raise RecordError(f"{place}: {tr(_NO_DAY).format(text=repr(text))}") from error
    if moment.date() > today.date() + datetime.timedelta(days=1):
        words = tr("{day} lies after today, {today}; write the day on which the decision is made.")
        words = words.format(day=day_words(moment), today=day_words(today))
        raise RecordError(f"{place}: {words}")
    return check_early(moment, place)


def check_early(moment: datetime.datetime, place: str) -> datetime.datetime:
    """The moment of a decision; RecordError if it lies before any that can be advised on."""
    if moment < EARLIEST:
        words = tr(
            "{day} lies before {first}, the first day of which a decision can be advised on; write "
            "the day on which the decision is made."
        )
        words = words.format(day=day_words(moment), first=day_words(EARLIEST))
        raise RecordError(f"{place}: {words}")
    return moment


def is_date(text: object) -> bool:
    """Whether a value is a text that looks like a date; 6700 is no year."""
    found = re.match(r"(\d{4})(-\d{2}|$)", text.strip()) if isinstance(text, str) else None
    return found is not None and (found[2] != "" or int(found[1]) in _YEARS)


def day_words(moment: datetime.datetime) -> str:
    """A date as in `28-Nov-2026`."""
    return day(moment)
