"""Patients at their decisions: what was known, what was done, and what came of it."""

from dataclasses import dataclass, fields, replace

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int8, Int32, Int64

from posology.domain.history import History, subset_subjects
from posology.domain.profile import Profile
from posology.domain.study import Study

TRAIN, VALIDATION, TEST = 0, 1, 2
SPLITS = ("train", "validation", "test")


@dataclass(frozen=True, slots=True, eq=False)
class Cohort:
    """A History and one row a *decision*, ordered by subject and time.

    What is not known is marked, never guessed: -1 in integer columns, NaN in the others.
    """

    study: Study
    profile: Profile
    history: History
    subject: Int64[np.ndarray, " decision"]
    """Row of the decision's subject in `history.subject_id`."""
    last_step: Int64[np.ndarray, " decision"]
    """The last step of the History visible to the decision."""
    treatment: Int32[np.ndarray, " decision"]
    """Option given, -1 where none of the study's options was."""
    dose: Float32[np.ndarray, " decision"]
    """Dose given, in the study's unit."""
    outcome: Float32[np.ndarray, " decision"]
    """The outcome's value, in its own unit."""
    effective: Float32[np.ndarray, " decision"]
    """1 where the treatment given was effective, 0 where not."""
    reward: Float32[np.ndarray, " decision"]
    """What the treatment given earned until the next decision."""
    outcome_observed: Bool[np.ndarray, " decision"]
    """Whether the outcome's window was followed to its end."""
    best_treatment: Int32[np.ndarray, " decision"]
    """The most effective option where it is known, else -1."""
    potential_rewards: Float32[np.ndarray, "decision treatment"]
    """What every option would have earned, where that is known."""
    logged_probability: Float32[np.ndarray, " decision"]
    """Probability with which the treatment given was chosen, where it was recorded."""
    split: Int8[np.ndarray, " decision"]
    """0 train, 1 validation, 2 test; the same for all decisions of a subject."""
    site: Int32[np.ndarray, " decision"]
    """Where the patient was treated, for holding sites out; never a feature."""
    time: Float64[np.ndarray, " decision"] | None = None
    """Time zero, in days since 1970-01-01."""
    trajectory_ended: Bool[np.ndarray, " decision"] | None = None
    """Whether the patient's course ended for good after the decision, rather than the records."""
    censoring_weight: Float32[np.ndarray, " decision"] | None = None
    """Inverse probability of complete follow-up, 0 where it was not; None: each counts alike."""
    target_distance: Float32[np.ndarray, " decision"] | None = None
    """By how much the outcome's number cleared what effective means, in the outcome's unit;
    negative where it missed, NaN where there is no number or the option was stopped before."""
    diagnosis: Float32[np.ndarray, "decision condition"] | None = None
    """1 where the study's diagnosis came in its window, 0 where not, NaN where nobody looked."""
    progression: Float32[np.ndarray, "decision progression"] | None = None
    """The number that the study's progression asks, NaN where there is none."""
    event_time: Float32[np.ndarray, "decision time_to_event"] | None = None
    """Days to the event of the study's time to event, or to the end of follow-up or window."""
    event_observed: Bool[np.ndarray, "decision time_to_event"] | None = None
    """Whether it was the event that ended the wait."""

    def __len__(self) -> int:
        return len(self.last_step)


def subset_decisions(cohort: Cohort, keep: Bool[np.ndarray, " decision"]) -> Cohort:
    """The decisions kept, with the histories of their subjects only."""
    rows = np.flatnonzero(keep)
    subjects, subject = np.unique(cohort.subject[rows], return_inverse=True)
    old_first = cohort.history.step_offsets[cohort.subject[rows]]
    history = subset_subjects(cohort.history, subjects)
    last_step = cohort.last_step[rows] - old_first + history.step_offsets[subject]
    return replace(
        cohort,
        history=history,
        subject=subject.astype(np.int64),
        last_step=last_step.astype(np.int64),
        **{
            name: None if (column := getattr(cohort, name)) is None else column[rows]
            for name in DECISION_COLUMNS
        },
    )


def select_split(cohort: Cohort, split: int) -> Cohort:
    """The decisions of one split (TRAIN, VALIDATION or TEST)."""
    return subset_decisions(cohort, cohort.split == split)


DECISION_COLUMNS = tuple(
    field.name
    for field in fields(Cohort)
    if field.name not in ("study", "profile", "history", "subject", "last_step")
)
"""Columns with one row a decision, other than `subject` and `last_step`."""
