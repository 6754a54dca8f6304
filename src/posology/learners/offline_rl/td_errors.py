"""How well a policy's values agree with themselves, on patients they were not learned from."""

import numpy as np
from jaxtyping import Float64, Int64

from posology.domain.cohort import Cohort
from posology.learners.features.rewards import (
    has_next_decision,
    is_truncated,
    known_rewards,
    permitted_treatments,
    reward_weights,
)

PerDecision = Float64[np.ndarray, " decision"]
Values = Float64[np.ndarray, "decision treatment"]


def target_weights(seen: Cohort) -> PerDecision:
    """Follow-up weights of the decisions after which reward and next state are known; else 0."""
    known = (seen.treatment >= 0) & (has_next_decision(seen) | ~is_truncated(seen))
    known &= ~np.isnan(_rewards_received(seen))
    return np.where(known, reward_weights(seen).astype(np.float64), 0.0)


def td_targets(value: Values, behaviour: Values, seen: Cohort, min_support: float) -> PerDecision:
    """Reward received plus the value of the best supported option at the next decision.

    Args:
        behaviour: probability of each option under usual care.
        seen: patients with their last states (`with_last_states`).
        min_support: least probability of an option there, relative to its greatest.
    """
    permitted = behaviour * permitted_treatments(seen)
    is_supported = permitted >= min_support * permitted.max(axis=1, keepdims=True)
    following = np.roll(np.where(is_supported, value, -np.inf).max(axis=1), -1)
    later = np.where(has_next_decision(seen), following, 0.0) * seen.study.reward.discount
    return _rewards_received(seen) + later


def squared_td_errors(
    value: Values, behaviour: Values, seen: Cohort, min_support: float
) -> PerDecision:
    """Squared difference of each value from its own target, by weight; 0 where unknown."""
    weight = target_weights(seen)
    of_received = value[np.arange(len(seen)), np.maximum(seen.treatment, 0)]
    error = td_targets(value, behaviour, seen, min_support) - of_received
    return weight * np.where(weight > 0, error, 0.0) ** 2


def clustered_mean(
    values: PerDecision, subject: Int64[np.ndarray, " decision"]
) -> tuple[float, float]:
    """Mean over decisions, and its standard error over patients; zeros where there is none."""
    if not len(values):
        return 0.0, 0.0
    mean = float(values.mean())
    residual = np.bincount(subject, values - mean)
    return mean, float(np.sqrt((residual**2).sum()) / len(values))


def _rewards_received(seen: Cohort) -> PerDecision:
    received = np.arange(len(seen)), np.maximum(seen.treatment, 0)
    return known_rewards(seen)[received].astype(np.float64)
