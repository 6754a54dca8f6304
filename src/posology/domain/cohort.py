"""Patients at their decisions: history, treatment, outcome and reward of each."""

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int8, Int32, Int64

from posology.domain.history import History, join_histories, subset_subjects
from posology.domain.profile import Profile
from posology.domain.study import Study
from posology.errors import UserError

TRAIN, VALIDATION, TEST = 0, 1, 2
SPLITS = ("train", "validation", "test")
CENSORED, OUTCOME, UNLESS, COMPETING, WINDOW_END = 0, 1, 2, 3, 4
"""What resolved a decision: nothing in follow-up, the outcome, a code of `unless`, a competing
event, or the end of the window without any of them."""
ROUNDING_DAYS = 1.0
"""By so much `days_followed`, a rounded number, may be short."""


@dataclass(frozen=True, slots=True, eq=False)
class Cohort:
    """A History, and columns with one row per decision, ordered by subject and time.

    Unknown is -1 in integer columns and NaN in the others.
    """

    study: Study
    profile: Profile
    history: History
    subject: Int64[np.ndarray, " decision"]
    """Row of the decision's subject in `history.subject_id`."""
    last_step: Int64[np.ndarray, " decision"]
    """Last step of the History that is visible to the decision."""
    treatment: Int32[np.ndarray, " decision"]
    """Option given; -1 if none of the study's options was."""
    dose: Float32[np.ndarray, " decision"]
    """Dose given, in the study's unit."""
    outcome: Float32[np.ndarray, " decision"]
    """The outcome's value, in its own unit."""
    effective: Float32[np.ndarray, " decision"]
    """1 if the treatment given was effective, 0 if not."""
    reward: Float32[np.ndarray, " decision"]
    """Reward of the treatment given, until the next decision."""
    outcome_observed: Bool[np.ndarray, " decision"]
    """Whether the outcome is known: what resolved it lies in follow-up, and its number if it has
    one was measured."""
    best_treatment: Int32[np.ndarray, " decision"]
    """The most effective option; -1 if unknown."""
    potential_rewards: Float32[np.ndarray, "decision treatment"]
    """Reward that every option would have, where known."""
    logged_probability: Float32[np.ndarray, " decision"]
    """Probability with which the treatment given was chosen, if recorded."""
    split: Int8[np.ndarray, " decision"]
    """0 training, 1 validation, 2 test; the same for all decisions of a subject."""
    site: Int32[np.ndarray, " decision"]
    """Where the patient was treated; for external validation by site, never a feature."""
    time: Float64[np.ndarray, " decision"] | None = None
    """Time zero, in days since 1970-01-01."""
    trajectory_ended: Bool[np.ndarray, " decision"] | None = None
    """True after the last decision if an event (death) ended follow-up for good."""
    days_followed: Float32[np.ndarray, " decision"] | None = None
    """Days from time zero to the end of follow-up, by death or censoring."""
    censoring_weight: Float32[np.ndarray, " decision"] | None = None
    """Inverse probability of observing the outcome, Delta / G(T-); 0 if it is unobserved, and where
    the window's end was out of reach, so that only what came early could become known. None if
    every outcome is observed."""
    resolved_days: Float32[np.ndarray, " decision"] | None = None
    """Days from time zero to the first of outcome, `unless`, competing event and the window's end;
    to the end of follow-up if that comes first."""
    resolved_by: Int8[np.ndarray, " decision"] | None = None
    """Which of them it was: CENSORED, OUTCOME, UNLESS, COMPETING or WINDOW_END."""
    cost: Float32[np.ndarray, " decision"] | None = None
    """Costs of harms until the next decision; NaN if follow-up ended before."""
    cost_days: Float32[np.ndarray, " decision"] | None = None
    """Days to the end of the costs' window or to death; to the end of follow-up if censored."""
    cost_resolved_by: Int8[np.ndarray, " decision"] | None = None
    """CENSORED, COMPETING or WINDOW_END."""
    harm: Float32[np.ndarray, "decision budget"] | None = None
    """Events of each of the study's harm budgets until the next decision; NaN if follow-up ended
    before. None where the study has no budgets."""
    harm_days: Float32[np.ndarray, "decision budget"] | None = None
    """Days over which they were counted."""
    reward_weight: Float32[np.ndarray, " decision"] | None = None
    """Inverse probability of observing the reward, where its costs' window is another than the
    outcome's; None: `censoring_weight` holds for the reward too."""
    target_distance: Float32[np.ndarray, " decision"] | None = None
    """Distance of the outcome's number from the bound of its goal, in the outcome's unit: positive
    inside, negative outside; NaN without a number or if the option was stopped before."""
    diagnosis: Float32[np.ndarray, "decision condition"] | None = None
    """1 if the diagnosis was made in its window, 0 if not or if death came first (cumulative
    incidence), NaN if unknown."""
    diagnosis_days: Float32[np.ndarray, "decision condition"] | None = None
    """As `resolved_days`, of each diagnosis."""
    diagnosis_resolved_by: Int8[np.ndarray, "decision condition"] | None = None
    """As `resolved_by`, of each diagnosis."""
    diagnosis_weight: Float32[np.ndarray, "decision condition"] | None = None
    """As `censoring_weight`, of each diagnosis; None if all are known. 0 also where the end of the
    window was out of reach, so that only the event could become known."""
    progression: Float32[np.ndarray, "decision progression"] | None = None
    """First number in the window of each progression target; NaN if there is none."""
    event_time: Float32[np.ndarray, "decision time_to_event"] | None = None
    """Days to the event, or to the end of follow-up or of the window."""
    event_observed: Bool[np.ndarray, "decision time_to_event"] | None = None
    """Whether the event was observed; otherwise the time is censored."""
    allowed: Bool[np.ndarray, "decision treatment"] | None = None
    """False where a safety rule forbids the option, by every event of the records; None if the
    study has no rules, or they are judged by the History (domain/safety.py)."""
    dose_limits: Float32[np.ndarray, "decision treatment 2"] | None = None
    """Smallest and largest dose that safety rules leave; None if none limits a dose."""
    warnings: tuple[str, ...] = ()
    """What a reader must know about how the cohort was made, in sentences."""

    def __len__(self) -> int:
        return len(self.last_step)


def subset_decisions(cohort: Cohort, keep: Bool[np.ndarray, " decision"]) -> Cohort:
    """The decisions to keep, with the histories of their subjects."""
    rows = np.flatnonzero(keep)
    subjects, subject = np.unique(cohort.subject[rows], return_inverse=True)
    old_first = cohort.history.step_offsets[cohort.subject[rows]]
    history = subset_subjects(cohort.history, subjects)
    last_step = cohort.last_step[rows] - old_first + history.step_offsets[subject]
    columns: dict[str, Any] = {
        name: None if (column := getattr(cohort, name)) is None else column[rows]
        for name in DECISION_COLUMNS
    }
    return replace(
        cohort,
        history=history,
        subject=subject.astype(np.int64),
        last_step=last_step.astype(np.int64),
        **columns,
    )


def join_cohorts(first: Cohort, second: Cohort) -> Cohort:
    """The decisions of two parts of one cohort that share no patient, those of `first` first."""
    step, subject = len(first.history.time), len(first.history.subject_id)
    columns: dict[str, Any] = {
        name: None
        if (column := getattr(first, name)) is None
        else np.concatenate([column, getattr(second, name)])
        for name in DECISION_COLUMNS
    }
    return replace(
        first,
        history=join_histories(first.history, second.history),
        subject=np.concatenate([first.subject, second.subject + subject]),
        last_step=np.concatenate([first.last_step, second.last_step + step]),
        **columns,
    )


def select_split(cohort: Cohort, split: int | str) -> Cohort:
    """The decisions of one split: its name in SPLITS or its number; UserError for any other."""
    if split not in (*SPLITS, *range(len(SPLITS))):
        raise UserError(f"split {split!r}: no such split; name one of {', '.join(SPLITS)}.")
    number = SPLITS.index(split) if isinstance(split, str) else split
    return subset_decisions(cohort, cohort.split == number)


def held_out_sites(cohort: Cohort) -> Int64[np.ndarray, " decision"] | None:
    """Site of each decision if the study holds out whole sites; intervals are then over sites."""
    return cohort.site.astype(np.int64) if cohort.study.split.by == "site" else None


DECISION_COLUMNS = tuple(
    field.name
    for field in fields(Cohort)
    if field.name not in ("study", "profile", "history", "subject", "last_step", "warnings")
)
"""Columns with one row a decision, other than `subject` and `last_step`."""


def windows_closed(cohort: Cohort, days: float | None = None) -> Bool[np.ndarray, " decision"]:
    """Decisions whose outcome's window was over when the records ended.

    Of later ones only those are known that had the outcome early, and why the others are not known
    is the calendar, which also moves outcomes: they say nothing of a model's value yet.

    Args:
        days: when a window is over; None: at its end in the study.
    """
    if cohort.time is None or cohort.days_followed is None or not len(cohort):
        return np.ones(len(cohort), dtype=bool)
    end = float(np.max(cohort.time + cohort.days_followed)) + ROUNDING_DAYS
    return cohort.time + (cohort.study.outcome.within_days if days is None else days) <= end
