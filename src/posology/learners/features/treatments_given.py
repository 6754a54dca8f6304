"""Which of a study's treatments each step of a History records."""

import numpy as np
from jaxtyping import Int32, Int64

from posology.domain.cohort import Cohort
from posology.domain.history import History, StepIndex, subject_rows


def treatment_of_code(cohort: Cohort) -> Int32[np.ndarray, " code"]:
    """Treatment that each row of the vocabulary records; -1 for none."""
    option = np.full(len(cohort.profile.codes), -1, np.int32)
    for row, treatment in enumerate(cohort.study.formulary.treatments):
        option[list(cohort.profile.rows(treatment.codes))] = row
    return option


def treatment_of_step(
    option: Int32[np.ndarray, " code"], history: History
) -> Int64[np.ndarray, " step"]:
    """Treatment recorded in each step, the last in the formulary of several; -1 for none."""
    given = np.full(len(history.time), -1, np.int64)
    of_event = option[history.code]
    event = np.flatnonzero(of_event >= 0)
    step = np.searchsorted(history.event_offsets, event, side="right") - 1
    np.maximum.at(given, step, of_event[event])
    return given


def earlier_treatments(
    option: Int32[np.ndarray, " code"], history: History, decisions: StepIndex, count: int
) -> Int64[np.ndarray, "decision lag"]:
    """The last `count` treatments visible to each decision, the latest first; -1 where none."""
    given = treatment_of_step(option, history)
    steps = np.flatnonzero(given >= 0)
    first = history.step_offsets[subject_rows(history, decisions)]
    visible = np.searchsorted(steps, decisions, side="right")
    place = visible[:, None] - 1 - np.arange(count)
    earlier = np.append(steps, -1)[np.maximum(place, -1)]  # place -1 is the appended -1
    own = (place >= 0) & (earlier >= first[:, None])
    return np.where(own, given[np.maximum(earlier, 0)] if len(given) else -1, -1)
