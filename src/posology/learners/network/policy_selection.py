"""Which reading of learned values to act on, chosen on patients they were not learned from."""

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
    follow_up_weights,
    has_next_decision,
    is_truncated,
    known_rewards,
    permitted_treatments,
)
from posology.learners.network.policy import NetworkPolicy

REPLICATES = 200
"""Of the validation patients; enough for a standard error."""
BEHAVIOUR_TEMPERATURE = 1e9
"""A temperature at which values no longer count: what clinicians usually do."""


@dataclass(frozen=True, slots=True)
class SelectionRule:
    """What is tried, and how sure a gain must be."""

    temperatures: tuple[float, ...] = (0.01, 0.03, 0.1, 0.3, 1.0)
    """In units of the reward; over courses a tenth of it, as one decision of many moves less."""
    pessimisms: tuple[float, ...] = (0.0, 0.5, 1.0)
    standard_errors: float = 1.0
    """Standard errors taken off a gain before it counts (our choice)."""
    trajectory_standard_errors: float = 0.5
    """The same over courses, where usual care is what stays if nothing gains. Our choice, on
    development seeds of the sepsis simulator: at 20,000 episodes a true gain of 0.011 over usual
    care was estimated as 0.010 with a standard error of 0.011, so 1 kept what earned nothing."""


def select_policy(
    learned: NetworkPolicy,
    start: NetworkPolicy,
    validation: Cohort,
    choice: SelectionRule,
    discount: float,
) -> NetworkPolicy:
    """The candidate that most surely earns more than a reference, else the reference.

    Of single decisions the reference is the first phase's policy. Of courses it is usual care, and
    the first phase's policy is no candidate: over many decisions logged patients cannot speak for
    one that was learned without regard to what comes later nor to what is usual (on sepsis its
    estimate was 1.07 of at most 1). Where every option's reward is known the gain is counted, else
    it is estimated (causal/policy_value.py).
    """
    history, decisions = validation.history, validation.last_step
    allowed = permitted_treatments(validation)

    def reads(temperature: float | None, pessimism: float = 0.0) -> NetworkPolicy:
        reading = replace(learned.decoding, temperature=temperature, pessimism=pessimism)
        return replace(learned, decoding=reading)

    data = _value_data(reads(BEHAVIOUR_TEMPERATURE), validation, discount)
    counts = resample_patients(data, REPLICATES, np.random.default_rng(0))

    def earns(policy: NetworkPolicy) -> PolicyValue:
        chosen = policy.choice_probabilities(history, decisions, allowed)
        return estimate_policy_value(data, chosen, counts)

    tried = [reads(t, p) for p in choice.pessimisms for t in choice.temperatures]
    best, most, standard_errors = start, 0.0, choice.standard_errors
    if data.discount > 0:
        best, standard_errors = reads(BEHAVIOUR_TEMPERATURE), choice.trajectory_standard_errors
        tried = [reads(t / 10, p) for p in choice.pessimisms for t in choice.temperatures]
        reference = estimate_policy_value(data, data.trajectories.behaviour, counts)
    else:
        reference = earns(start)
    for candidate in tried:
        surely = conservative_gain(earns(candidate), reference, standard_errors)
        if surely > most:
            best, most = candidate, surely
    return best


def _value_data(learned: NetworkPolicy, cohort: Cohort, discount: float) -> PolicyValueData:
    behaviour, predicted = learned.behaviour_and_values(cohort.history, cohort.last_step)
    offsets = episode_offsets(cohort.subject)
    unobserved = is_truncated(cohort) & (discount > 0)
    return PolicyValueData(
        trajectories=without_observations(
            cohort.treatment,
            cohort.reward.astype(np.float64),
            _as_logged(behaviour, cohort),
            offsets,
            terminal=~unobserved[offsets[1:] - 1],
        ),
        rewards=known_rewards(cohort).astype(np.float64),
        weight=follow_up_weights(cohort).astype(np.float64),
        predicted=predicted,
        discount=discount if has_next_decision(cohort).any() else 0.0,
    )


def _as_logged(behaviour: np.ndarray, cohort: Cohort) -> np.ndarray:
    """Learned propensities, that of the option given replaced where its chance was recorded."""
    recorded = ~np.isnan(cohort.logged_probability) & (cohort.treatment >= 0)
    row, given = np.flatnonzero(recorded), cohort.treatment[recorded]
    fixed = behaviour.copy()
    left = 1 - cohort.logged_probability[recorded].astype(np.float64)
    others = 1 - behaviour[row, given]
    fixed[row] *= (left / np.maximum(others, 1e-9))[:, None]
    fixed[row, given] = cohort.logged_probability[recorded]
    return fixed
