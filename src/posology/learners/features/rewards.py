"""Rewards, returns and follow-up of a cohort's decisions."""

from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

from posology.domain.cohort import DECISION_COLUMNS, Cohort
from posology.domain.policy import AllowedMask
from posology.domain.safety import allowed_in_cohort

_SINGLE = ("first", "sequential")
"""Which decisions are no trajectory: one of each patient, or trials of their own."""


def known_rewards(cohort: Cohort) -> np.ndarray:
    """Return each treatment's reward; NaN where unknown.

    Where the study does not know all rewards, that of the treatment received is known.
    """
    rewards = cohort.potential_rewards.copy()
    received = np.flatnonzero((cohort.treatment >= 0) & ~np.isnan(cohort.reward))
    missing = received[np.isnan(rewards[received, cohort.treatment[received]])]
    rewards[missing, cohort.treatment[missing]] = cohort.reward[missing]
    return rewards


def has_next_decision(cohort: Cohort) -> Bool[np.ndarray, " decision"]:
    """Whether the next row is the same patient's next decision."""
    return np.append(cohort.subject[1:] == cohort.subject[:-1], False)[: len(cohort)]


def is_truncated(cohort: Cohort) -> Bool[np.ndarray, " decision"]:
    """Whether the trajectory went on unobserved after its last decision here.

    False where decisions are no trajectory, or the study does not record how trajectories end.
    """
    if cohort.trajectory_ended is None or cohort.study.decision.which in _SINGLE:
        return np.zeros(len(cohort), dtype=bool)
    return ~has_next_decision(cohort) & ~cohort.trajectory_ended


def with_last_states(cohort: Cohort, discount: float) -> Cohort:
    """The cohort with the state in which each truncated trajectory was last seen, as one more row.

    No option was given there and no reward is known, so nothing is learned of it; the decision
    before it has a next state, whose value stands for the rewards that were not seen. Dropping
    that decision would favour options after which those who fare badly leave. Trajectories of
    which nothing was seen after the last decision stay as they are.
    """
    last = np.flatnonzero(is_truncated(cohort) & (discount > 0))
    state = _last_steps_seen(cohort, last)
    day = cohort.history.time[cohort.last_step] if cohort.time is None else cohort.time
    seen = cohort.history.time[state] > day[last]
    last, state = last[seen], state[seen]
    if not len(last):
        return cohort
    order = np.sort(np.concatenate([np.arange(len(cohort)), last]))
    added = np.append(False, order[1:] == order[:-1])
    columns: dict[str, Any] = {}
    for name in DECISION_COLUMNS:
        column = getattr(cohort, name)
        columns[name] = None if column is None else column[order].copy()
        if column is not None and name not in _KEPT:
            columns[name][added] = _UNKNOWN[column.dtype.kind]
    for name in ("censoring_weight", "reward_weight", "diagnosis_weight"):
        if columns[name] is not None:
            columns[name][added] = 0.0
    if cohort.time is not None:
        columns["time"][added] = cohort.history.time[state]
    steps = cohort.last_step[order].copy()
    steps[added] = state
    return replace(cohort, subject=cohort.subject[order], last_step=steps, **columns)


_ROUNDING = 0.01
"""Days: `days_followed` is a rounded number."""
_KEPT = ("split", "site", "allowed", "dose_limits")
_UNKNOWN = {"f": np.nan, "i": -1, "b": False}


def _last_steps_seen(
    cohort: Cohort, last: Int64[np.ndarray, " truncated"]
) -> Int64[np.ndarray, " truncated"]:
    """The last step of the History within follow-up, of the subjects of these last decisions."""
    history, subject = cohort.history, cohort.subject[last]
    final = history.step_offsets[subject + 1] - 1
    if cohort.time is None or cohort.days_followed is None:
        return final
    end = np.full(len(history.subject_id), np.inf)
    end[subject] = cohort.time[last] + cohort.days_followed[last] + _ROUNDING
    of_step = np.repeat(np.arange(len(end)), np.diff(history.step_offsets))
    is_later = history.time > end[of_step]
    later = np.bincount(of_step[is_later], minlength=len(end))
    return final - later[subject]


def follow_up_weights(cohort: Cohort) -> Float32[np.ndarray, " decision"]:
    """Return the weight of each outcome; 1 where the cohort has no censoring weights."""
    return (
        np.ones(len(cohort), np.float32)
        if cohort.censoring_weight is None
        else cohort.censoring_weight
    )


def reward_weights(cohort: Cohort) -> Float32[np.ndarray, " decision"]:
    """Return the weight of each reward; that of its outcome where no costs are followed longer."""
    return follow_up_weights(cohort) if cohort.reward_weight is None else cohort.reward_weight


def diagnosis_weights(cohort: Cohort) -> Float32[np.ndarray, "decision condition"]:
    """Return the weight of each diagnosis; 1 where the cohort has none."""
    if cohort.diagnosis_weight is not None:
        return cohort.diagnosis_weight
    conditions = 0 if cohort.diagnosis is None else cohort.diagnosis.shape[1]
    return np.ones((len(cohort), conditions), np.float32)


def permitted_treatments(cohort: Cohort) -> AllowedMask:
    """Return the treatments that safety rules allow; all where they would allow none."""
    return allowed_in_cohort(cohort)


def returns_to_go(cohort: Cohort, discount: float) -> Float64[np.ndarray, "decision treatment"]:
    """Return known rewards, plus the discounted later rewards for the treatment received.

    An unknown later reward counts as 0, so the returns serve as initial values, not as targets.
    """
    rewards = known_rewards(cohort).astype(np.float64)
    if discount == 0:
        return rewards
    row, received = np.arange(len(cohort)), np.maximum(cohort.treatment, 0)
    own, has_next = np.nan_to_num(rewards[row, received]), has_next_decision(cohort)
    total = own.copy()
    for last in range(len(own) - 2, -1, -1):
        if has_next[last]:
            total[last] += discount * total[last + 1]
    rewards[row, received] += total - own
    return rewards
