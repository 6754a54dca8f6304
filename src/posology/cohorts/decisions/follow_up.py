"""One account of follow-up: how long each decision is observed, and what resolved it first."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int8, Int64

from posology.cohorts.events.stream import EventStream, has_any_code, matching_codes
from posology.cohorts.events.windows import (
    DecisionTimes,
    EventTimes,
    count_before,
    event_times,
    first_row,
    first_time,
    make_event_times,
    window_rows,
)
from posology.domain.cohort import CENSORED, WINDOW_END
from posology.domain.study import PERIOD_END, PERIOD_START, Study

_START, _END = "//START", "//END"
"""Endings of a pair of codes that open and close observation."""
_BRIDGE = 1.0
"""A period that starts so many days after the one before continues it: OMOP's have whole dates."""


@dataclass(frozen=True, slots=True, eq=False)
class FollowUp:
    """The events of a chunk, and how long each of its subjects is followed."""

    events: EventStream
    subject: Int64[np.ndarray, " event"]
    """Row of each event's subject."""
    end: Float64[np.ndarray, " subject"]
    """Last day of follow-up of each subject, in any of its observation periods."""
    ended: Bool[np.ndarray, " subject"]
    """True if an event ended follow-up for good (death); False if it was censored."""
    deaths: EventTimes
    """Events that end follow-up for good."""
    starts: EventTimes
    """Starts of observation periods."""
    stops: EventTimes
    """Ends of observation: of a period, or an event of `observed_by`."""
    has_periods: bool
    """Whether a decision must lie in an observation period."""

    def event_times(self, codes: tuple[str, ...], numeric: bool = False) -> EventTimes:
        """Events with any of the codes; numeric: only those with a number."""
        return event_times(self.events, self.subject, codes, numeric)

    def end_of(self, at: DecisionTimes) -> Float64[np.ndarray, " decision"]:
        """Last day of follow-up of each decision, in its own observation period."""
        stop = first_time(self.stops, window_rows(self.stops, at, 0.0, np.inf, closed=True))
        return np.minimum(self.end[at.subject], stop)

    def is_observed(self, at: DecisionTimes) -> Bool[np.ndarray, " decision"]:
        """Whether each decision lies in an observation period; True if the records have none."""
        if not self.has_periods:
            return np.ones(len(at), dtype=bool)
        started = count_before(self.starts, at) - first_row(self.starts, at)
        stopped = count_before(self.stops, at, inclusive=False) - first_row(self.stops, at)
        return started > stopped


def follow_up(
    events: EventStream, subject: Int64[np.ndarray, " event"], subjects: int, study: Study
) -> FollowUp:
    """Follow-up of every subject: to the first of `ended_by`, `observed_by` and `until`.

    Without `until` and an event of `observed_by`, or in a period that has no end, it ends at the
    subject's last event.
    """
    spec, slack = study.follow_up, study.clock.slack
    until = np.inf if spec.until is None else spec.until + slack
    end = np.full(subjects, -np.inf)
    dated = ~np.isnan(events.time) & ~has_any_code(events, (PERIOD_START, PERIOD_END))
    end[subject[dated]] = events.time[dated]  # in order of time: the last one is written last
    if slack:
        end = np.floor(end) + slack  # the day's outcomes are seen
    if spec.until is not None:
        end[:] = until
    observed_by = () if spec.ends else spec.observed_by
    opens = tuple(f"{c.removesuffix(_END)}{_START}" for c in observed_by if c.endswith(_END))
    starts = _dated(event_times(events, subject, opens))
    stops = _dated(event_times(events, subject, observed_by))
    has_periods = bool(matching_codes(events.codes, opens).any())
    if has_periods:
        starts, stops = _bridge(*_join(starts, stops))
    opened = np.full(subjects, -np.inf)
    opened[starts.subject] = starts.time  # in order of time: the last one is written last
    last = stops.time >= opened[stops.subject]  # none ends a period that is still open
    end[stops.subject[last]] = np.minimum(stops.time[last], until)
    deaths = _dated(event_times(events, subject, spec.ended_by))
    death = np.full(subjects, np.inf)
    death[deaths.subject[::-1]] = deaths.time[::-1]  # the first one is written last
    return FollowUp(
        events,
        subject,
        np.minimum(end, death),
        death <= end,
        deaths,
        starts,
        stops,
        has_periods,
    )


def _join(starts: EventTimes, stops: EventTimes) -> tuple[EventTimes, EventTimes]:
    """Overlapping observation periods as one: its first start and its last end."""
    subject = np.concatenate([starts.subject, stops.subject])
    time = np.concatenate([starts.time, stops.time])
    step = np.repeat([1, -1], [len(starts.time), len(stops.time)])
    order = np.lexsort((-step, time, subject))
    is_open = np.cumsum(step[order])
    first = np.flatnonzero(np.diff(subject[order], prepend=-1))
    before = np.concatenate([[0], is_open])[first]
    is_open -= np.repeat(before, np.diff(np.append(first, len(order))))
    keep = np.empty(len(order), dtype=bool)
    keep[order] = np.where(step[order] > 0, is_open == 1, is_open <= 0)
    return _keep(starts, keep[: len(starts.time)]), _keep(stops, keep[len(starts.time) :])


def end_follow_up(followed: FollowUp, end: Float64[np.ndarray, " subject"]) -> FollowUp:
    """The same, of nobody beyond these days."""
    is_cut = end < followed.end
    return replace(followed, end=np.minimum(followed.end, end), ended=followed.ended & ~is_cut)


def _bridge(starts: EventTimes, stops: EventTimes) -> tuple[EventTimes, EventTimes]:
    """Observation periods without the gaps that are too short to be gaps."""
    after = DecisionTimes(stops.subject, stops.time)
    bridged = count_before(starts, after, _BRIDGE) > count_before(starts, after, inclusive=False)
    before = DecisionTimes(starts.subject, starts.time)
    continues = count_before(stops, before) > count_before(stops, before, -_BRIDGE, False)
    return _keep(starts, ~continues), _keep(stops, ~bridged)


def _dated(times: EventTimes) -> EventTimes:
    return _keep(times, np.isfinite(times.time))


def _keep(times: EventTimes, keep: Bool[np.ndarray, " matched_event"]) -> EventTimes:
    return make_event_times(
        times.subject[keep], times.time[keep], times.value[keep], times.code[keep]
    )


@dataclass(frozen=True, slots=True, eq=False)
class Resolved:
    """When each decision's outcome was settled, and by what; or when follow-up ended before."""

    days: Float32[np.ndarray, " decision"]
    by: Int8[np.ndarray, " decision"]


Cause = tuple[int, Float64[np.ndarray, " decision"]]
"""What resolves a decision, and when: days since 1970-01-01; infinity if it does not occur."""


def resolve(
    at: DecisionTimes,
    causes: Sequence[Cause],
    window_end: Float64[np.ndarray, " decision"],
    end: Float64[np.ndarray, " decision"],
) -> Resolved:
    """T*, the first of the causes and the window's end, where follow-up reaches it.

    Of causes at the same moment the first in `causes` counts. What happens after the end of
    follow-up is not counted, so that an event makes nothing known whose absence would not be.
    """
    time, by = window_end.copy(), np.full(len(at), WINDOW_END, np.int8)
    for cause, when in reversed(causes):
        is_first = when <= time
        time[is_first], by[is_first] = when[is_first], cause
    is_lost = end < time
    time[is_lost], by[is_lost] = end[is_lost], CENSORED
    return Resolved(np.maximum(time - at.time, 0.0).astype(np.float32), by)
