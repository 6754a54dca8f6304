"""Selection of the policy's temperature and pessimism on validation patients.

For trajectories the choice protects: a candidate is used only if its gain over usual care is shown
(causal/trajectories/bounds.py), else usual care.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float64

from posology.causal.policy_value import (
    Matrix,
    PolicyValueData,
    conservative_gain,
    estimate_policy_value,
    resample_patients,
)
from posology.causal.trajectories.bounds import lower_bounds
from posology.causal.trajectories.care import LoggedCare
from posology.causal.trajectories.gain import estimate_trajectory_gain
from posology.domain.cohort import Cohort, subset_decisions
from posology.domain.trajectories import episode_offsets, select_episodes, without_observations
from posology.learners.features.care_state import care_states
from posology.learners.features.rewards import (
    has_next_decision,
    is_truncated,
    known_rewards,
    permitted_treatments,
    reward_weights,
)
from posology.learners.network.policy import NetworkPolicy
from posology.learners.network.tensors import cohort_to_tensors, iterate_batches

REPLICATES = 200
"""Bootstrap replicates of the validation patients; enough for a standard error."""
BEHAVIOUR_TEMPERATURE = 1e9
"""A temperature at which the policy equals the behaviour."""
VALUE_TEMPERATURE = 1e-6
"""A temperature at which the values decide alone."""


@dataclass(frozen=True, slots=True)
class SelectionRule:
    """Candidate settings, and how certain a gain must be."""

    temperatures: tuple[float, ...] = (0.01, 0.03, 0.1, 0.3, 1.0)
    """In units of the reward; a tenth of it for trajectories, where each decision changes less."""
    pessimisms: tuple[float, ...] = (0.0, 0.5, 1.0)
    standard_errors: float = 1.0
    """Standard errors subtracted from a gain (our choice)."""


def select_policy(
    learned: NetworkPolicy,
    start: NetworkPolicy,
    validation: Cohort,
    rule: SelectionRule,
    discount: float,
) -> NetworkPolicy:
    """Return the candidate with the largest conservative gain over a reference, if any is positive.

    For single decisions the reference is `start`: the supervised policy, or what costs make of it.
    For trajectories it is usual care, and `start` is no candidate: it ignores later rewards and
    support. The gain is exact where every treatment's reward is known, else estimated
    (causal/policy_value.py; over trajectories causal/trajectories/gain.py).
    """
    history, decisions = validation.history, validation.last_step
    allowed = permitted_treatments(validation)

    def candidate(temperature: float | None, pessimism: float = 0.0) -> NetworkPolicy:
        decoding = replace(learned.decoding, temperature=temperature, pessimism=pessimism)
        return replace(learned, decoding=decoding)

    data = _value_data(candidate(BEHAVIOUR_TEMPERATURE), validation, discount)

    def choose(policy: NetworkPolicy) -> Matrix:
        return policy.choice_probabilities(history, decisions, allowed)

    if data.discount > 0:
        candidates = [candidate(t / 10, p) for p in rule.pessimisms for t in rule.temperatures]
        best = _shown_best(_care(data, validation), [choose(each) for each in candidates])
        return candidate(BEHAVIOUR_TEMPERATURE) if best is None else candidates[best]
    candidates = [candidate(t, p) for p in rule.pessimisms for t in rule.temperatures]
    counts = resample_patients(data, REPLICATES, np.random.default_rng(0))
    reference = estimate_policy_value(data, choose(start), counts)
    gains = [
        conservative_gain(
            estimate_policy_value(data, choose(each), counts), reference, rule.standard_errors
        )
        for each in candidates
    ]
    best = int(np.argmax(gains))
    return candidates[best] if gains[best] > 0 else start


def by_value_alone(learned: NetworkPolicy) -> NetworkPolicy:
    """The option of the highest value, however rarely it is given."""
    decoding = replace(
        learned.decoding, temperature=VALUE_TEMPERATURE, pessimism=0.0, min_support=0.0
    )
    return replace(learned, decoding=decoding)


def _shown_best(care: LoggedCare, policies: list[Matrix]) -> int | None:
    """The policy of the highest lower bound, if that is above 0."""
    rng = np.random.default_rng(0)
    if not len(care.trajectories):
        return None
    gains = [estimate_trajectory_gain(care, policy, rng) for policy in policies]
    bounds = lower_bounds(gains, rng)
    best = int(bounds.argmax())
    return best if bounds[best] > 0 else None


def _care(data: PolicyValueData, validation: Cohort) -> LoggedCare:
    """Patients whose trajectories ended, with known treatments and rewards."""
    logged, row = data.trajectories, np.arange(len(data.rewards))
    reward = data.rewards[row, np.maximum(logged.treatment, 0)]
    known = (logged.treatment >= 0) & ~np.isnan(reward)
    starts = logged.offsets[:-1]
    complete = np.logical_and.reduceat(known, starts) & logged.terminal
    kept = np.flatnonzero(complete)
    rows = np.repeat(complete, np.diff(logged.offsets))
    whole = select_episodes(replace(logged, reward=np.nan_to_num(reward)), kept)
    state, path = care_states(subset_decisions(validation, rows))
    return LoggedCare(whole, state, data.predicted[rows], data.discount, path=path)


def _value_data(learned: NetworkPolicy, cohort: Cohort, discount: float) -> PolicyValueData:
    behaviour, predicted = learned.behaviour_and_values(cohort.history, cohort.last_step)
    offsets = episode_offsets(cohort.subject)
    unobserved = is_truncated(cohort) & (discount > 0)
    is_single = discount == 0 or not has_next_decision(cohort).any()
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
        discount=0.0 if is_single else discount,
        as_given=_values_as_given(learned, cohort) if is_single else None,
    )


def _values_as_given(
    learned: NetworkPolicy, cohort: Cohort
) -> Float64[np.ndarray, " decision"] | None:
    """Value of what was given at the dose that was given; None where values have no dose."""
    decoding, network = learned.decoding, learned.network
    if not decoding.dose_levels:
        return None
    device = next(network.parameters()).device
    tensors = cohort_to_tensors(cohort, decoding, network.config, device)
    network.eval()
    with torch.no_grad():
        parts = [
            network(batch, targets.log_dose).value.mean(1)
            for batch, targets in iterate_batches(tensors)
        ]
    value = torch.cat(parts).double().cpu().numpy() * decoding.value_spread + decoding.value_center
    return value[np.arange(len(value)), np.maximum(cohort.treatment, 0)]


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
