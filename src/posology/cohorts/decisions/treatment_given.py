"""Which option each decision gave, and its daily dose."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int32, Int64

from posology.cohorts.events.stream import EventStream
from posology.cohorts.events.windows import (
    DecisionTimes,
    EventTimes,
    event_times,
    first_time,
    first_value,
    has_event,
    truncate_window,
    window_rows,
)
from posology.domain.study import Study

_DAYS_PER_DOSE = {"day": 1.0, "week": 7.0}


@dataclass(frozen=True, slots=True, eq=False)
class TreatmentGiven:
    """One row per decision."""

    option: Int32[np.ndarray, " decision"]
    """-1 if none of the study's options was given in the window."""
    dose: Float32[np.ndarray, " decision"]
    """Per day; NaN if the records hold no number."""
    start: Float64[np.ndarray, " decision"]
    """When it started; infinity for none."""
    switched: Bool[np.ndarray, " decision"]
    """Whether several options were given in the window that are no combination option."""


def extract_treatments(
    events: EventStream, subject: Int64[np.ndarray, " event"], at: DecisionTimes, study: Study
) -> TreatmentGiven:
    """The option given in the grace window, which ends before the next decision."""
    options, assignment = study.formulary.treatments, study.assignment
    starts = np.full((len(at), len(options)), np.inf)
    doses = np.full((len(at), len(options)), np.nan)
    for column, option in enumerate(options):
        if not option.codes:
            continue
        uses = event_times(events, subject, option.codes)
        starts[:, column] = first_time(uses, _until_next(uses, at, assignment.grace_days))
        amounts = event_times(events, subject, option.codes, numeric=True)
        doses[:, column] = _daily_dose(amounts, at, study)
    names = list(study.formulary.names)
    started = np.isfinite(starts)
    order = np.where(started, starts, -np.inf) if assignment.switch == "last" else -starts
    option = np.where(started.any(axis=1), order.argmax(axis=1), -1).astype(np.int32)
    switched = started.sum(axis=1) > 1
    dose = doses[np.arange(len(at)), np.maximum(option, 0)]
    start = np.where(option < 0, np.inf, starts[np.arange(len(at)), np.maximum(option, 0)])
    for column in sorted(range(len(options)), key=lambda c: len(options[c].together)):
        parts = [names.index(name) for name in options[column].together]
        if parts:
            has_all = started[:, parts].all(axis=1)
            option[has_all], dose[has_all] = column, np.nan
            switched &= ~(has_all & (started.sum(axis=1) == len(parts)))
        if options[column].otherwise:
            option[option < 0] = column
    dose = np.where(option < 0, np.nan, dose).astype(np.float32)
    return TreatmentGiven(option, dose, start, switched)


def subset_treatments(given: TreatmentGiven, keep: Bool[np.ndarray, " decision"]) -> TreatmentGiven:
    """The rows of some decisions."""
    return TreatmentGiven(
        given.option[keep], given.dose[keep], given.start[keep], given.switched[keep]
    )


def next_decision_time(at: DecisionTimes) -> Float64[np.ndarray, " decision"]:
    """Time of the subject's next decision; infinity after the last one."""
    following = np.full(len(at), np.inf)
    same = at.subject[1:] == at.subject[:-1]
    following[:-1][same] = at.time[1:][same]
    return following


def _daily_dose(
    amounts: EventTimes, at: DecisionTimes, study: Study
) -> Float64[np.ndarray, " decision"]:
    assignment = study.assignment
    if assignment.dose_per in _DAYS_PER_DOSE:
        rows = _until_next(amounts, at, assignment.grace_days)
        return first_value(amounts, rows) / _DAYS_PER_DOSE[assignment.dose_per]
    # Half open: a dose of the same hour a week later belongs to the next week.
    rows = window_rows(amounts, at, 0.0, assignment.dose_days, closed=True)
    end = np.minimum(next_decision_time(at), at.time + assignment.dose_days)
    rows = truncate_window(rows, amounts, at, end, inclusive=False)
    total = np.concatenate([[0.0], np.cumsum(amounts.value)])
    daily = (total[rows[1]] - total[rows[0]]) / assignment.dose_days
    return np.where(has_event(rows), daily, np.nan)


def _until_next(times: EventTimes, at: DecisionTimes, days: float) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the events from time zero to `days` later, before the next decision."""
    rows = window_rows(times, at, 0.0, days, closed=True)
    return truncate_window(rows, times, at, next_decision_time(at), inclusive=False)
