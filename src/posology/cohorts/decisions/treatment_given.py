"""Which option was given at each decision, and how much of it a day."""

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

_PER = {"day": 1.0, "week": 7.0}


@dataclass(frozen=True, slots=True, eq=False)
class TreatmentGiven:
    """One row a decision."""

    option: Int32[np.ndarray, " decision"]
    """-1 where none of the study's options was given in the window."""
    dose: Float32[np.ndarray, " decision"]
    """A day; NaN where no number came with it."""
    switched: Bool[np.ndarray, " decision"]
    """Whether several options were given in the window, and no combination explains them."""


def extract_treatments(
    events: EventStream, subject: Int64[np.ndarray, " event"], at: DecisionTimes, study: Study
) -> TreatmentGiven:
    """The option given within the grace window, which ends before the next decision."""
    options, asked = study.formulary.treatments, study.assignment
    starts = np.full((len(at), len(options)), np.inf)
    doses = np.full((len(at), len(options)), np.nan)
    for column, option in enumerate(options):
        if not option.codes:
            continue
        found = event_times(events, subject, option.codes)
        starts[:, column] = first_time(found, _until_next(found, at, asked.grace_days))
        doses[:, column] = _dose(
            event_times(events, subject, option.codes, numbers=True), at, study
        )
    names = list(study.formulary.names)
    there = np.isfinite(starts)
    order = np.where(there, starts, -np.inf) if asked.switch == "last" else -starts
    option = np.where(there.any(axis=1), order.argmax(axis=1), -1).astype(np.int32)
    switched = there.sum(axis=1) > 1
    dose = doses[np.arange(len(at)), np.maximum(option, 0)]
    for column in sorted(range(len(options)), key=lambda c: len(options[c].together)):
        parts = [names.index(name) for name in options[column].together]
        if parts:
            all_of = there[:, parts].all(axis=1)
            option[all_of], dose[all_of] = column, np.nan
            switched &= ~(all_of & (there.sum(axis=1) == len(parts)))
        if options[column].otherwise:
            option[option < 0] = column
    return TreatmentGiven(option, np.where(option < 0, np.nan, dose).astype(np.float32), switched)


def subset_treatments(given: TreatmentGiven, keep: Bool[np.ndarray, " decision"]) -> TreatmentGiven:
    """The rows of the decisions kept."""
    return TreatmentGiven(given.option[keep], given.dose[keep], given.switched[keep])


def _dose(found: EventTimes, at: DecisionTimes, study: Study) -> Float64[np.ndarray, " decision"]:
    asked = study.assignment
    if asked.dose_per in _PER:
        return first_value(found, _until_next(found, at, asked.grace_days)) / _PER[asked.dose_per]
    span = _until_next(found, at, asked.dose_days)
    total = np.concatenate([[0.0], np.cumsum(found.value)])
    return np.where(has_event(span), (total[span[1]] - total[span[0]]) / asked.dose_days, np.nan)


def _until_next(found: EventTimes, at: DecisionTimes, days: float) -> tuple[np.ndarray, np.ndarray]:
    span = window_rows(found, at, 0.0, days, closed=True)
    return truncate_window(span, found, at, next_decision_time(at), inclusive=False)


def next_decision_time(at: DecisionTimes) -> np.ndarray:
    """When the subject decides next, infinity after the last decision."""
    later = np.full(len(at), np.inf)
    same = at.subject[1:] == at.subject[:-1]
    later[:-1][same] = at.time[1:][same]
    return later
