"""Questions about windows of time, asked for all decisions at once: no loop over patients."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Complex128, Float64, Int32, Int64

from posology.cohorts.events.stream import EventStream, has_any_code


@dataclass(frozen=True, slots=True, eq=False)
class EventTimes:
    """Events of interest in order of subject and time; a static one stands before all time."""

    subject: Int64[np.ndarray, " mark"]
    """Row of the subject among those asked about."""
    time: Float64[np.ndarray, " mark"]
    """Days since 1970-01-01; minus infinity where static."""
    value: Float64[np.ndarray, " mark"]
    code: Int32[np.ndarray, " mark"]
    key: Complex128[np.ndarray, " mark"]
    """Subject and time as one number: NumPy orders by the real part, then by the imaginary one."""


@dataclass(frozen=True, slots=True, eq=False)
class DecisionTimes:
    """A subject and a time, one row each decision, in order of both."""

    subject: Int64[np.ndarray, " decision"]
    time: Float64[np.ndarray, " decision"]

    def __len__(self) -> int:
        return len(self.time)


def event_times(
    events: EventStream,
    subject: Int64[np.ndarray, " event"],
    codes: tuple[str, ...],
    numbers: bool = False,
) -> EventTimes:
    """The events of some codes; numbers: only those that carry one. subject: row of each event."""
    keep = has_any_code(events, codes)
    if numbers:
        keep &= ~np.isnan(events.value)
    return event_times_at(events, subject, np.flatnonzero(keep))


def event_times_at(
    events: EventStream, subject: Int64[np.ndarray, " event"], rows: Int64[np.ndarray, " mark"]
) -> EventTimes:
    """Some rows of a stream as marks."""
    time = np.nan_to_num(events.time[rows], nan=-np.inf)
    return make_event_times(
        subject[rows], time, events.value[rows].astype(np.float64), events.code[rows]
    )


def make_event_times(
    subject: Int64[np.ndarray, " mark"],
    time: Float64[np.ndarray, " mark"],
    value: Float64[np.ndarray, " mark"],
    code: Int32[np.ndarray, " mark"],
) -> EventTimes:
    """EventTimes of given columns, in order of subject and time."""
    return EventTimes(subject, time, value, code, _key(subject, time))


def count_before(
    found: EventTimes, at: DecisionTimes, offset: float = 0.0, inclusive: bool = True
) -> Int64[np.ndarray, " decision"]:
    """How many marks stand before each moment plus offset, those of earlier subjects included.

    inclusive: a mark at that very moment counts.
    """
    moment = _key(at.subject, at.time + offset)
    return np.searchsorted(found.key, moment, side="right" if inclusive else "left")


def _key(subject: np.ndarray, time: np.ndarray) -> np.ndarray:
    key = np.empty(len(subject), np.complex128)
    key.real, key.imag = subject, time
    return key


def first_row(found: EventTimes, at: DecisionTimes) -> Int64[np.ndarray, " decision"]:
    """Where each decision's subject begins among the marks."""
    return np.searchsorted(found.subject, at.subject, side="left")


def window_rows(
    found: EventTimes, at: DecisionTimes, after: float, until: float, closed: bool = False
) -> tuple[Int64[np.ndarray, " decision"], Int64[np.ndarray, " decision"]]:
    """First and past-the-last mark in (time + after, time + until]; closed: both ends belong."""
    return count_before(found, at, after, inclusive=not closed), count_before(found, at, until)


def truncate_window(
    span: tuple[np.ndarray, np.ndarray],
    found: EventTimes,
    at: DecisionTimes,
    moment: Float64[np.ndarray, " decision"],
    inclusive: bool,
) -> tuple[Int64[np.ndarray, " decision"], Int64[np.ndarray, " decision"]]:
    """Windows that end at a moment of their own at the latest; inclusive: with that moment."""
    last = count_before(found, DecisionTimes(at.subject, moment), inclusive=inclusive)
    return span[0], np.minimum(span[1], last)


def has_event(span: tuple[np.ndarray, np.ndarray]) -> Bool[np.ndarray, " decision"]:
    """Whether a window holds a mark."""
    return span[1] > span[0]


def first_value(
    found: EventTimes, span: tuple[np.ndarray, np.ndarray]
) -> Float64[np.ndarray, " _"]:
    """The first mark's number in each window, NaN where there is none."""
    return _at(found.value, span[0], has_event(span), np.nan)


def last_value(found: EventTimes, span: tuple[np.ndarray, np.ndarray]) -> Float64[np.ndarray, " _"]:
    """The last mark's number in each window, NaN where there is none."""
    return _at(found.value, span[1] - 1, has_event(span), np.nan)


def first_time(found: EventTimes, span: tuple[np.ndarray, np.ndarray]) -> Float64[np.ndarray, " _"]:
    """The first mark's time in each window, infinity where there is none."""
    return _at(found.time, span[0], has_event(span), np.inf)


def _at(column: np.ndarray, row: np.ndarray, there: np.ndarray, otherwise: float) -> np.ndarray:
    out = np.full(len(row), otherwise)
    out[there] = column[row[there]]
    return out
