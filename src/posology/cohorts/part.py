"""Decisions and histories of some whole subjects, before the cohort's vocabulary is known."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from posology.cohorts.decisions.decision_table import (
    DecisionTable,
    PatientFlow,
    SubjectMap,
    extract_decisions,
)
from posology.cohorts.encode import (
    CodeStatistics,
    build_history,
    code_statistics,
    last_visible_step,
)
from posology.cohorts.events.kidney import kidney_codes
from posology.cohorts.events.stream import EventStream, has_any_code, matching_codes, select_events
from posology.cohorts.events.time_bins import average_bins
from posology.cohorts.events.visible import treatment_codes
from posology.cohorts.events.windows import DecisionTimes
from posology.domain.cohort import TRAIN
from posology.domain.history import History
from posology.domain.study import PERIOD_END, PERIOD_START, Study

BIRTH = "MEDS_BIRTH"
"""Never dropped by `look_back_days`: age is computed from it."""


@dataclass(frozen=True, slots=True, eq=False)
class CohortPart:
    """A part of a cohort. The history's vocabulary is `feature_codes`; subjects without a decision
    are not in it."""

    decided: DecisionTable
    flow: PatientFlow
    history: History
    subject: Int64[np.ndarray, " decision"]
    last_step: Int64[np.ndarray, " decision"]
    statistics: CodeStatistics
    """Statistics of the events that are visible to a decision of a training subject."""


def feature_codes(codes: tuple[str, ...], study: Study) -> tuple[str, ...]:
    """The codes that may be features: those of the study's families, and kidney function.

    Observation periods are none: they tell how long a patient will be seen.
    """
    families = matching_codes(codes, study.profile.families)
    periods = matching_codes(codes, (PERIOD_START, PERIOD_END))
    features = {code for code, f, p in zip(codes, families, periods, strict=True) if f and not p}
    return tuple(sorted({*features, *kidney_codes(study)}))


def build_part(
    events: EventStream,
    study: Study,
    split: SubjectMap | None = None,
    site: SubjectMap | None = None,
) -> CohortPart:
    """Extract the decisions of whole subjects and encode the histories of those with a decision."""
    decided, flow = extract_decisions(events, study, split, site)
    subjects, subject = np.unique(decided.subject_id, return_inverse=True)
    codes, treatments = feature_codes(events.codes, study), treatment_codes(study)
    at = DecisionTimes(subject.astype(np.int64), decided.time)
    recent = _within_look_back(average_bins(events, study.profile.resolution), subjects, at, study)
    history = build_history(recent, subjects, codes, treatments)
    last = last_visible_step(history, at, matching_codes(codes, treatments))
    return CohortPart(
        decided=decided,
        flow=flow,
        history=history,
        subject=at.subject,
        last_step=last,
        statistics=code_statistics(
            history, _is_train_event(history, at.subject, last, decided), len(codes)
        ),
    )


def _within_look_back(
    events: EventStream, subjects: np.ndarray, at: DecisionTimes, study: Study
) -> EventStream:
    """Drop events longer before the subject's first decision than `look_back_days`."""
    days = study.decision.look_back_days
    if days is None or not len(subjects):
        return events
    first = np.full(len(subjects), np.inf)
    np.minimum.at(first, at.subject, at.time)
    row = np.minimum(np.searchsorted(subjects, events.subject_id), len(subjects) - 1)
    keep = (
        np.isnan(events.time) | (events.time >= first[row] - days) | has_any_code(events, (BIRTH,))
    )
    return select_events(events, np.flatnonzero(keep))


def _is_train_event(
    history: History, subject: np.ndarray, last_step: np.ndarray, decided: DecisionTable
) -> np.ndarray:
    """Whether each event is visible to the last decision of a training subject."""
    until = history.step_offsets[:-1].copy()
    is_train = decided.split == TRAIN
    np.maximum.at(until, subject[is_train], last_step[is_train] + 1)
    first = history.event_offsets[history.step_offsets[:-1]]
    counts = history.event_offsets[until] - first
    depth = np.zeros(len(history.code) + 1, dtype=np.int64)
    np.add.at(depth, first, 1)
    np.add.at(depth, first + counts, -1)
    return np.cumsum(depth)[:-1] > 0
