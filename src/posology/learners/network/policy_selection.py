"""Selection of the policy's temperature and pessimism on validation patients."""

from dataclasses import dataclass, replace

import numpy as np

from posology.causal.policy_value import (
    PolicyValue,
    PolicyValueData,
    conservative_gain,
    estimate_policy_value,
    resample_patients,
)
from posology.domain.cohort import Cohort
from posology.domain.trajectories import episode_offsets, without_observations
from posology.learners.features.rewards import (
    has_next_decision,
    is_truncated,
    known_rewards,
    permitted_treatments,
    reward_weights,
)
from posology.learners.network.policy import NetworkPolicy

REPLICATES = 200
"""Bootstrap replicates of the validation patients; enough for a standard error."""
BEHAVIOUR_TEMPERATURE = 1e9
"""A temperature at which the policy equals the behaviour."""


@dataclass(frozen=True, slots=True)
class SelectionRule:
    """Candidate settings, and how certain a gain must be."""

    temperatures: tuple[float, ...] = (0.01, 0.03, 0.1, 0.3, 1.0)
    """In units of the reward; a tenth of it for trajectories, where each decision changes less."""
    pessimisms: tuple[float, ...] = (0.0, 0.5, 1.0)
    standard_errors: float = 1.0
    """Standard errors subtracted from a gain (our choice)."""
    trajectory_standard_errors: float = 0.5
    """The same for trajectories, whose fallback is usual care. Our choice, on development seeds of
    the sepsis simulator: at 20,000 episodes a true gain of 0.011 over usual care was estimated as
    0.010 with a standard error of 0.011, so that 1 standard error would have rejected it."""


def select_policy(
    learned: NetworkPolicy,
    start: NetworkPolicy,
    validation: Cohort,
    rule: SelectionRule,
    discount: float,
) -> NetworkPolicy:
    """Return the candidate with the largest conservative gain over a reference, if any is positive.

    For single decisions the reference is `start`, the supervised policy. For trajectories it is
    usual care, and `start` is no candidate: it ignores later rewards and support, so that logged
    patients cannot estimate its value (on sepsis the estimate was 1.07 of at most 1). The gain is
    exact where every treatment's reward is known, else estimated (causal/policy_value.py).
    """
    history, decisions = validation.history, validation.last_step
    allowed = permitted_treatments(validation)

    def candidate(temperature: float | None, pessimism: float = 0.0) -> NetworkPolicy:
        decoding = replace(learned.decoding, temperature=temperature, pessimism=pessimism)
        return replace(learned, decoding=decoding)

    data = _value_data(candidate(BEHAVIOUR_TEMPERATURE), validation, discount)
    counts = resample_patients(data, REPLICATES, np.random.default_rng(0))

    def estimate_value(policy: NetworkPolicy) -> PolicyValue:
        probabilities = policy.choice_probabilities(history, decisions, allowed)
        return estimate_policy_value(data, probabilities, counts)

    candidates = [candidate(t, p) for p in rule.pessimisms for t in rule.temperatures]
    best, best_gain, standard_errors = start, 0.0, rule.standard_errors
    if data.discount > 0:
        best, standard_errors = candidate(BEHAVIOUR_TEMPERATURE), rule.trajectory_standard_errors
        candidates = [candidate(t / 10, p) for p in rule.pessimisms for t in rule.temperatures]
        reference = estimate_policy_value(data, data.trajectories.behaviour, counts)
    else:
        reference = estimate_value(start)
    for policy in candidates:
        gain = conservative_gain(estimate_value(policy), reference, standard_errors)
        if gain > best_gain:
            best, best_gain = policy, gain
    return best


def _value_data(learned: NetworkPolicy, cohort: Cohort, discount: float) -> PolicyValueData:
    behaviour, predicted = learned.behaviour_and_values(cohort.history, cohort.last_step)
    offsets = episode_offsets(cohort.subject)
    unobserved = is_truncated(cohort) & (discount > 0)
    return PolicyValueData(
        trajectories=without_observations(
            cohort.treatment,
            cohort.reward.astype(np.float64),
            _with_recorded_propensities(behaviour, cohort),
            offsets,
            terminal=~unobserved[offsets[1:] - 1],
        ),
        rewards=known_rewards(cohort).astype(np.float64),
        weight=reward_weights(cohort).astype(np.float64),
        predicted=predicted,
        discount=discount if has_next_decision(cohort).any() else 0.0,
    )


def _with_recorded_propensities(behaviour: np.ndarray, cohort: Cohort) -> np.ndarray:
    """Learned behaviour, with the probability of the treatment received where it was recorded."""
    recorded = ~np.isnan(cohort.logged_probability) & (cohort.treatment >= 0)
    row, received = np.flatnonzero(recorded), cohort.treatment[recorded]
    fixed = behaviour.copy()
    left = 1 - cohort.logged_probability[recorded].astype(np.float64)
    others = 1 - behaviour[row, received]
    fixed[row] *= (left / np.maximum(others, 1e-9))[:, None]
    fixed[row, received] = cohort.logged_probability[recorded]
    return fixed
