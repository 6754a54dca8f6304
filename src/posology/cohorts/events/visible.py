"""What is known at a decision: all before it, and at its own moment all but the treatment."""

import numpy as np
from jaxtyping import Bool, Float64, Int64

from posology.cohorts.events.stream import EventStream, has_any_code
from posology.cohorts.events.windows import (
    DecisionTimes,
    EventTimes,
    count_before,
    event_times_at,
    first_row,
    has_event,
    last_value,
)
from posology.domain.study import Bounds, Study, ValueRange


def treatment_codes(study: Study) -> tuple[str, ...]:
    """Every code that means that an option was given."""
    return tuple(code for t in study.formulary.treatments for code in t.codes)


def has_visible_code(
    events: EventStream,
    subject: Int64[np.ndarray, " event"],
    at: DecisionTimes,
    codes: tuple[str, ...],
    treatments: tuple[str, ...],
) -> Bool[np.ndarray, " decision"]:
    """Whether any of the codes is visible to each decision."""
    known = np.zeros(len(at), dtype=bool)
    for found, inclusive in _split(events, subject, codes, treatments, numbers=False):
        known |= has_event((first_row(found, at), count_before(found, at, inclusive=inclusive)))
    return known


def latest_visible_value(
    events: EventStream,
    subject: Int64[np.ndarray, " event"],
    at: DecisionTimes,
    codes: tuple[str, ...],
    treatments: tuple[str, ...],
) -> Float64[np.ndarray, " decision"]:
    """The last visible number of any of the codes, NaN where there is none."""
    value, time = np.full(len(at), np.nan), np.full(len(at), -np.inf)
    for found, inclusive in _split(events, subject, codes, treatments, numbers=True):
        span = (first_row(found, at), count_before(found, at, inclusive=inclusive))
        when = np.where(has_event(span), found.time[np.maximum(span[1] - 1, 0)], -np.inf)
        newer = has_event(span) & (np.isnan(value) | (when > time))
        value = np.where(newer, last_value(found, span), value)
        time = np.where(newer, when, time)
    return value


def is_in_range(
    events: EventStream,
    subject: Int64[np.ndarray, " event"],
    at: DecisionTimes,
    asked: ValueRange,
    treatments: tuple[str, ...],
) -> Bool[np.ndarray, " decision"]:
    """Whether the last visible number is known and within its bounds."""
    return is_within(
        latest_visible_value(events, subject, at, asked.codes, treatments), asked.bounds
    )


def is_within(value: Float64[np.ndarray, " _"], bounds: Bounds) -> Bool[np.ndarray, " _"]:
    """Whether each number lies in the bounds; NaN never does."""
    low = -np.inf if bounds.at_least is None else bounds.at_least
    high = np.inf if bounds.at_most is None else bounds.at_most
    return (value >= low) & (value <= high)


def distance_inside(value: Float64[np.ndarray, " _"], bounds: Bounds) -> Float64[np.ndarray, " _"]:
    """How far inside the bounds each number lies, negative outside: the distance to the nearer."""
    low = -np.inf if bounds.at_least is None else bounds.at_least
    high = np.inf if bounds.at_most is None else bounds.at_most
    return np.minimum(value - low, high - value)


def _split(
    events: EventStream,
    subject: Int64[np.ndarray, " event"],
    codes: tuple[str, ...],
    treatments: tuple[str, ...],
    numbers: bool,
) -> list[tuple[EventTimes, bool]]:
    """EventTimes that count at the decision's own moment, and treatments, which do not."""
    asked = has_any_code(events, codes)
    if numbers:
        asked &= ~np.isnan(events.value)
    given = has_any_code(events, treatments)
    parts = []
    for keep, inclusive in ((asked & ~given, True), (asked & given, False)):
        rows = np.flatnonzero(keep)
        if len(rows):
            parts.append((event_times_at(events, subject, rows), inclusive))
    return parts
