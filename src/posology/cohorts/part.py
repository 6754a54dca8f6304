"""Some whole subjects' decisions and histories, before the vocabulary of the whole is known."""

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
from posology.domain.study import Study

BIRTH = "MEDS_BIRTH"
"""Kept however far back: age is asked of it."""


@dataclass(frozen=True, slots=True, eq=False)
class CohortPart:
    """The history is in the rows of `feature_codes`, and holds subjects with a decision only."""

    decided: DecisionTable
    flow: PatientFlow
    history: History
    subject: Int64[np.ndarray, " decision"]
    last_step: Int64[np.ndarray, " decision"]
    statistics: CodeStatistics
    """Of events visible to a decision of a training subject, and of no others."""


def feature_codes(codes: tuple[str, ...], study: Study) -> tuple[str, ...]:
    """The codes that may be features: those of the study's families, and what it derives."""
    families = matching_codes(codes, study.profile.families)
    kept = {code for code, mine in zip(codes, families, strict=True) if mine}
    return tuple(sorted({*kept, *kidney_codes(study)}))


def build_part(
    events: EventStream,
    study: Study,
    split: SubjectMap | None = None,
    site: SubjectMap | None = None,
) -> CohortPart:
    """Decide for whole subjects and encode what is known of those that have a decision."""
    decided, flow = extract_decisions(events, study, split, site)
    subjects, subject = np.unique(decided.subject_id, return_inverse=True)
    codes, treatments = feature_codes(events.codes, study), treatment_codes(study)
    at = DecisionTimes(subject.astype(np.int64), decided.time)
    read = _looked_back(average_bins(events, study.profile.resolution), subjects, at, study)
    history = build_history(read, subjects, codes, treatments)
    last = last_visible_step(history, at, matching_codes(codes, treatments))
    return CohortPart(
        decided=decided,
        flow=flow,
        history=history,
        subject=at.subject,
        last_step=last,
        statistics=code_statistics(
            history, _learned(history, at.subject, last, decided), len(codes)
        ),
    )


def _looked_back(
    events: EventStream, subjects: np.ndarray, at: DecisionTimes, study: Study
) -> EventStream:
    """Without events longer before the subject's first decision than the study looks back."""
    back = study.decision.look_back_days
    if back is None or not len(subjects):
        return events
    first = np.full(len(subjects), np.inf)
    np.minimum.at(first, at.subject, at.time)
    row = np.minimum(np.searchsorted(subjects, events.subject_id), len(subjects) - 1)
    kept = (
        np.isnan(events.time) | (events.time >= first[row] - back) | has_any_code(events, (BIRTH,))
    )
    return select_events(events, np.flatnonzero(kept))


def _learned(
    history: History, subject: np.ndarray, last_step: np.ndarray, decided: DecisionTable
) -> np.ndarray:
    """Events up to the last decision of each subject that learns."""
    until = history.step_offsets[:-1].copy()
    learns = decided.split == TRAIN
    np.maximum.at(until, subject[learns], last_step[learns] + 1)
    first = history.event_offsets[history.step_offsets[:-1]]
    counts = history.event_offsets[until] - first
    out = np.zeros(len(history.code) + 1, dtype=np.int64)
    np.add.at(out, first, 1)
    np.add.at(out, first + counts, -1)
    return np.cumsum(out)[:-1] > 0
