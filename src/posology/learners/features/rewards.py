"""What was earned at each decision of a cohort, and what its follow-up leaves unknown."""

import numpy as np
from jaxtyping import Bool, Float32, Float64

from posology.domain.cohort import Cohort
from posology.domain.policy import AllowedMask
from posology.domain.safety import allowed


def known_rewards(cohort: Cohort) -> np.ndarray:
    """What each option earned: all of them where the study knows, else that of the one given."""
    rewards = cohort.potential_rewards.copy()
    given = np.flatnonzero((cohort.treatment >= 0) & ~np.isnan(cohort.reward))
    unknown = given[np.isnan(rewards[given, cohort.treatment[given]])]
    rewards[unknown, cohort.treatment[unknown]] = cohort.reward[unknown]
    return rewards


def has_next_decision(cohort: Cohort) -> Bool[np.ndarray, " decision"]:
    """Whether the next row is the same patient's next decision."""
    return np.append(cohort.subject[1:] == cohort.subject[:-1], False)[: len(cohort)]


def is_truncated(cohort: Cohort) -> Bool[np.ndarray, " decision"]:
    """Whether a course went on after its last decision here, in studies of whole courses."""
    if cohort.trajectory_ended is None or cohort.study.decision.which == "first":
        return np.zeros(len(cohort), dtype=bool)
    return ~has_next_decision(cohort) & ~cohort.trajectory_ended


def follow_up_weights(cohort: Cohort) -> Float32[np.ndarray, " decision"]:
    """How much each outcome counts."""
    return (
        np.ones(len(cohort), np.float32)
        if cohort.censoring_weight is None
        else cohort.censoring_weight
    )


def permitted_treatments(cohort: Cohort) -> AllowedMask:
    """What safety leaves at each decision; everything where it would leave nothing."""
    left = allowed(cohort.study, cohort.profile, cohort.history, cohort.last_step)
    return left | ~left.any(axis=1, keepdims=True)


def returns_to_go(cohort: Cohort, discount: float) -> Float64[np.ndarray, "decision treatment"]:
    """Known rewards, and beside that of the option given what the later decisions earned.

    A later reward that is not known counts as 0: a place to start from, not a target.
    """
    rewards = known_rewards(cohort).astype(np.float64)
    if discount == 0:
        return rewards
    row, given = np.arange(len(cohort)), np.maximum(cohort.treatment, 0)
    own, more = np.nan_to_num(rewards[row, given]), has_next_decision(cohort)
    total = own.copy()
    for last in range(len(own) - 2, -1, -1):
        if more[last]:
            total[last] += discount * total[last + 1]
    rewards[row, given] += total - own
    return rewards
