"""What is known at a decision: all before it, and at its own moment all but the treatment."""

import numpy as np
from jaxtyping import Bool, Float64, Int64

from posology.cohorts.events.stream import Stream, having
from posology.cohorts.events.windows import (
    DecisionTimes,
    EventTimes,
    any_in,
    before,
    last_value,
    marks_at,
    opening,
)
from posology.domain.study import Bounds, Study, ValueRange


def treatment_codes(study: Study) -> tuple[str, ...]:
    """Every code that means that an option was given."""
    return tuple(code for t in study.formulary.treatments for code in t.codes)


def seen(
    events: Stream,
    subject: Int64[np.ndarray, " event"],
    at: DecisionTimes,
    codes: tuple[str, ...],
    treatments: tuple[str, ...],
) -> Bool[np.ndarray, " decision"]:
    """Whether any of the codes is visible to each decision."""
    known = np.zeros(len(at), dtype=bool)
    for found, inclusive in _split(events, subject, codes, treatments, numbers=False):
        known |= any_in((opening(found, at), before(found, at, inclusive=inclusive)))
    return known


def latest(
    events: Stream,
    subject: Int64[np.ndarray, " event"],
    at: DecisionTimes,
    codes: tuple[str, ...],
    treatments: tuple[str, ...],
) -> Float64[np.ndarray, " decision"]:
    """The last visible number of any of the codes, NaN where there is none."""
    value, time = np.full(len(at), np.nan), np.full(len(at), -np.inf)
    for found, inclusive in _split(events, subject, codes, treatments, numbers=True):
        span = (opening(found, at), before(found, at, inclusive=inclusive))
        when = np.where(any_in(span), found.time[np.maximum(span[1] - 1, 0)], -np.inf)
        newer = any_in(span) & (np.isnan(value) | (when > time))
        value = np.where(newer, last_value(found, span), value)
        time = np.where(newer, when, time)
    return value


def in_range(
    events: Stream,
    subject: Int64[np.ndarray, " event"],
    at: DecisionTimes,
    asked: ValueRange,
    treatments: tuple[str, ...],
) -> Bool[np.ndarray, " decision"]:
    """Whether the last visible number is known and within its bounds."""
    return within(latest(events, subject, at, asked.codes, treatments), asked.bounds)


def within(value: Float64[np.ndarray, " _"], bounds: Bounds) -> Bool[np.ndarray, " _"]:
    """Whether each number lies in the bounds; NaN never does."""
    low = -np.inf if bounds.at_least is None else bounds.at_least
    high = np.inf if bounds.at_most is None else bounds.at_most
    return (value >= low) & (value <= high)


def clearance(value: Float64[np.ndarray, " _"], bounds: Bounds) -> Float64[np.ndarray, " _"]:
    """How far inside the bounds each number lies, negative outside: the distance to the nearer."""
    low = -np.inf if bounds.at_least is None else bounds.at_least
    high = np.inf if bounds.at_most is None else bounds.at_most
    return np.minimum(value - low, high - value)


def _split(
    events: Stream,
    subject: Int64[np.ndarray, " event"],
    codes: tuple[str, ...],
    treatments: tuple[str, ...],
    numbers: bool,
) -> list[tuple[EventTimes, bool]]:
    """EventTimes that count at the decision's own moment, and treatments, which do not."""
    asked = having(events, codes)
    if numbers:
        asked &= ~np.isnan(events.value)
    given = having(events, treatments)
    parts = []
    for keep, inclusive in ((asked & ~given, True), (asked & given, False)):
        rows = np.flatnonzero(keep)
        if len(rows):
            parts.append((marks_at(events, subject, rows), inclusive))
    return parts
