"""Some whole subjects' decisions and histories, before the vocabulary of the whole is known."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from posology.cohorts.decisions.decision_table import Assigned, DecisionTable, Flow, decide
from posology.cohorts.encode import Tally, history_of, last_visible, tally
from posology.cohorts.events.kidney import derived_codes
from posology.cohorts.events.stream import Stream, having, select, wanted
from posology.cohorts.events.time_bins import binned
from posology.cohorts.events.visible import treatment_codes
from posology.cohorts.events.windows import DecisionTimes
from posology.domain.cohort import TRAIN
from posology.domain.history import History
from posology.domain.study import Study

BIRTH = "MEDS_BIRTH"
"""Kept however far back: age is asked of it."""


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """The history is in the rows of `feature_codes`, and holds subjects with a decision only."""

    decided: DecisionTable
    flow: Flow
    history: History
    subject: Int64[np.ndarray, " decision"]
    last_step: Int64[np.ndarray, " decision"]
    tally: Tally
    """Of events visible to a decision of a training subject, and of no others."""


def feature_codes(codes: tuple[str, ...], study: Study) -> tuple[str, ...]:
    """The codes that may be features: those of the study's families, and what it derives."""
    families = wanted(codes, study.profile.families)
    kept = {code for code, mine in zip(codes, families, strict=True) if mine}
    return tuple(sorted({*kept, *derived_codes(study)}))


def part_of(
    events: Stream, study: Study, split: Assigned | None = None, site: Assigned | None = None
) -> Part:
    """Decide for whole subjects and encode what is known of those that have a decision."""
    decided, flow = decide(events, study, split, site)
    subjects, subject = np.unique(decided.subject_id, return_inverse=True)
    codes, treatments = feature_codes(events.codes, study), treatment_codes(study)
    at = DecisionTimes(subject.astype(np.int64), decided.time)
    read = _looked_back(binned(events, study.profile.resolution), subjects, at, study)
    history = history_of(read, subjects, codes, treatments)
    last = last_visible(history, at, wanted(codes, treatments))
    return Part(
        decided=decided,
        flow=flow,
        history=history,
        subject=at.subject,
        last_step=last,
        tally=tally(history, _learned(history, at.subject, last, decided), len(codes)),
    )


def _looked_back(events: Stream, subjects: np.ndarray, at: DecisionTimes, study: Study) -> Stream:
    """Without events longer before the subject's first decision than the study looks back."""
    back = study.decision.look_back_days
    if back is None or not len(subjects):
        return events
    first = np.full(len(subjects), np.inf)
    np.minimum.at(first, at.subject, at.time)
    row = np.minimum(np.searchsorted(subjects, events.subject_id), len(subjects) - 1)
    kept = np.isnan(events.time) | (events.time >= first[row] - back) | having(events, (BIRTH,))
    return select(events, np.flatnonzero(kept))


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
