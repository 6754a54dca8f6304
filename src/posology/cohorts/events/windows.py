"""Events in time windows around all decisions at once, by binary search: no loop over patients."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Complex128, Float64, Int32, Int64

from posology.cohorts.events.stream import EventStream, has_any_code

Rows = tuple[Int64[np.ndarray, " decision"], Int64[np.ndarray, " decision"]]
"""Each decision's window as rows of EventTimes: the first, and the one after the last."""


@dataclass(frozen=True, slots=True, eq=False)
class EventTimes:
    """Some events, in order of subject and time; static ones first."""

    subject: Int64[np.ndarray, " matched_event"]
    """Row of the subject."""
    time: Float64[np.ndarray, " matched_event"]
    """Days since 1970-01-01; minus infinity if static."""
    value: Float64[np.ndarray, " matched_event"]
    code: Int32[np.ndarray, " matched_event"]
    key: Complex128[np.ndarray, " matched_event"]
    """Subject and time as one number: NumPy orders by the real part, then by the imaginary one."""


@dataclass(frozen=True, slots=True, eq=False)
class DecisionTimes:
    """Subject (row) and time of each decision, in order of both."""

    subject: Int64[np.ndarray, " decision"]
    time: Float64[np.ndarray, " decision"]

    def __len__(self) -> int:
        return len(self.time)


def event_times(
    events: EventStream,
    subject: Int64[np.ndarray, " event"],
    codes: tuple[str, ...],
    numeric: bool = False,
) -> EventTimes:
    """The events with any of the codes. subject: row of each event's subject.

    numeric: only events with a number.
    """
    keep = has_any_code(events, codes)
    if numeric:
        keep &= ~np.isnan(events.value)
    return event_times_at(events, subject, np.flatnonzero(keep))


def event_times_at(
    events: EventStream,
    subject: Int64[np.ndarray, " event"],
    rows: Int64[np.ndarray, " matched_event"],
) -> EventTimes:
    """The events of some rows of the stream."""
    time = np.nan_to_num(events.time[rows], nan=-np.inf)
    return make_event_times(
        subject[rows], time, events.value[rows].astype(np.float64), events.code[rows]
    )


def make_event_times(
    subject: Int64[np.ndarray, " matched_event"],
    time: Float64[np.ndarray, " matched_event"],
    value: Float64[np.ndarray, " matched_event"],
    code: Int32[np.ndarray, " matched_event"],
) -> EventTimes:
    """EventTimes of columns that are in order of subject and time."""
    return EventTimes(subject, time, value, code, _sort_key(subject, time))


def count_before(
    times: EventTimes, at: DecisionTimes, offset: float = 0.0, inclusive: bool = True
) -> Int64[np.ndarray, " decision"]:
    """Number of events up to each decision's time plus offset, earlier subjects' events included.

    inclusive: an event at exactly that time counts.
    """
    key = _sort_key(at.subject, at.time + offset)
    return np.searchsorted(times.key, key, side="right" if inclusive else "left")


def first_row(times: EventTimes, at: DecisionTimes) -> Int64[np.ndarray, " decision"]:
    """Row of the first event of each decision's subject."""
    return np.searchsorted(times.subject, at.subject, side="left")


def window_rows(
    times: EventTimes, at: DecisionTimes, after: float, until: float, closed: bool = False
) -> Rows:
    """Events in (time + after, time + until] of each decision; closed: both ends included."""
    return count_before(times, at, after, inclusive=not closed), count_before(times, at, until)


def truncate_window(
    rows: Rows,
    times: EventTimes,
    at: DecisionTimes,
    end: Float64[np.ndarray, " decision"],
    inclusive: bool,
) -> Rows:
    """The windows, ended at each decision's own `end` at the latest; inclusive: `end` included."""
    last = count_before(times, DecisionTimes(at.subject, end), inclusive=inclusive)
    return rows[0], np.minimum(rows[1], last)


def has_event(rows: Rows) -> Bool[np.ndarray, " decision"]:
    """Whether each window holds an event."""
    return rows[1] > rows[0]


def first_value(times: EventTimes, rows: Rows) -> Float64[np.ndarray, " decision"]:
    """Value of the first event in each window; NaN if the window is empty."""
    return _at(times.value, rows[0], has_event(rows), np.nan)


def last_value(times: EventTimes, rows: Rows) -> Float64[np.ndarray, " decision"]:
    """Value of the last event in each window; NaN if the window is empty."""
    return _at(times.value, rows[1] - 1, has_event(rows), np.nan)


def first_time(times: EventTimes, rows: Rows) -> Float64[np.ndarray, " decision"]:
    """Time of the first event in each window; infinity if the window is empty."""
    return _at(times.time, rows[0], has_event(rows), np.inf)


def last_time(times: EventTimes, rows: Rows) -> Float64[np.ndarray, " decision"]:
    """Time of the last event in each window; minus infinity if the window is empty."""
    return _at(times.time, rows[1] - 1, has_event(rows), -np.inf)


def _sort_key(subject: np.ndarray, time: np.ndarray) -> np.ndarray:
    key = np.empty(len(subject), np.complex128)
    key.real, key.imag = subject, time
    return key


def _at(column: np.ndarray, row: np.ndarray, valid: np.ndarray, default: float) -> np.ndarray:
    values = np.full(len(row), default)
    values[valid] = column[row[valid]]
    return values
