"""Rewards, returns and follow-up of a cohort's decisions."""

import numpy as np
from jaxtyping import Bool, Float32, Float64

from posology.domain.cohort import Cohort
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
