"""What is visible to a decision: all before it, and at its own time all but the treatment."""

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
    last_time,
    last_value,
)
from posology.domain.safety_rules.facts import VisibleFacts
from posology.domain.study import Study

Seen = Bool[np.ndarray, " decision"]
Number = Float64[np.ndarray, " decision"]
"""Of one decision each; named once, since functions are made anew for every patient."""


def treatment_codes(study: Study) -> tuple[str, ...]:
    """Every code that says that an option was given."""
    return tuple(code for t in study.formulary.treatments for code in t.codes)


def event_facts(
    events: EventStream, subject: Int64[np.ndarray, " event"], at: DecisionTimes, study: Study
) -> VisibleFacts:
    """The facts that sorted events show to each decision. subject: row of each event's subject."""
    treatments = treatment_codes(study)

    def has_code(codes: tuple[str, ...]) -> Seen:
        is_visible = np.zeros(len(at), dtype=bool)
        for matches, inclusive in _by_visibility(events, subject, codes, treatments):
            rows = first_row(matches, at), count_before(matches, at, inclusive=inclusive)
            is_visible |= has_event(rows)
        return is_visible

    def latest_value(codes: tuple[str, ...]) -> Number:
        value, time = np.full(len(at), np.nan), np.full(len(at), -np.inf)
        for matches, inclusive in _by_visibility(events, subject, codes, treatments, numeric=True):
            rows = first_row(matches, at), count_before(matches, at, inclusive=inclusive)
            latest = last_time(matches, rows)
            is_newer = has_event(rows) & (np.isnan(value) | (latest > time))
            value = np.where(is_newer, last_value(matches, rows), value)
            time = np.where(is_newer, latest, time)
        return value

    def days_since(codes: tuple[str, ...], numeric: bool) -> Number:
        latest = np.full(len(at), -np.inf)
        for matches, inclusive in _by_visibility(events, subject, codes, treatments, numeric):
            rows = first_row(matches, at), count_before(matches, at, inclusive=inclusive)
            latest = np.maximum(latest, last_time(matches, rows))
        return at.time - np.where(np.isfinite(latest), latest, np.nan)

    return VisibleFacts(at.time, has_code, latest_value, days_since)


def _by_visibility(
    events: EventStream,
    subject: Int64[np.ndarray, " event"],
    codes: tuple[str, ...],
    treatments: tuple[str, ...],
    numeric: bool = False,
) -> list[tuple[EventTimes, bool]]:
    """Matching events, each group with whether one at the decision's own time is visible.

    Treatments are not: at a decision's own time they are what it decided. numeric: only events
    with a number.
    """
    matches = has_any_code(events, codes)
    if numeric:
        matches &= ~np.isnan(events.value)
    is_treatment = has_any_code(events, treatments)
    groups = []
    for keep, inclusive in ((matches & ~is_treatment, True), (matches & is_treatment, False)):
        rows = np.flatnonzero(keep)
        if len(rows):
            groups.append((event_times_at(events, subject, rows), inclusive))
    return groups
