"""Values of policies on simulated patients whose truth is known."""

from dataclasses import replace

import numpy as np
import pytest

from posology.causal.policy_value import (
    MIN_PROPENSITY,
    PolicyValue,
    PolicyValueData,
    conservative_gain,
    estimate_policy_value,
    resample_patients,
)
from posology.domain.trajectories import episode_offsets, without_observations

OPTIONS = 3


def single_decisions(
    n: int = 4_000, seed: int = 0, is_true: bool = True
) -> tuple[PolicyValueData, np.ndarray]:
    """Patients with one decision each, and the true mean of every option.

    The predictions are the true means, or noise.
    """
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    truth = np.column_stack([0.2 * x, np.full(n, 0.1), -0.3 * x])
    chance = np.exp(np.column_stack([0.5 * x, np.zeros(n), -0.5 * x]))
    chance /= chance.sum(axis=1, keepdims=True)
    given = (np.cumsum(chance, axis=1) < rng.random(n)[:, None]).sum(axis=1)
    rewards = np.full((n, OPTIONS), np.nan)
    rewards[np.arange(n), given] = truth[np.arange(n), given] + rng.normal(0, 0.3, n)
    predicted = truth if is_true else rng.normal(size=truth.shape)
    logged = without_observations(
        given.astype(np.int32), np.nansum(rewards, axis=1), chance, np.arange(n + 1)
    )
    return PolicyValueData(logged, rewards, np.ones(n), predicted, 0.0), truth


def greedy(values: np.ndarray) -> np.ndarray:
    return np.eye(values.shape[1])[values.argmax(axis=1)]


def value_of(data: PolicyValueData, policy: np.ndarray) -> PolicyValue:
    counts = resample_patients(data, 100, np.random.default_rng(1))
    return estimate_policy_value(data, policy, counts)


@pytest.mark.parametrize("is_true", [True, False])
def test_the_value_is_right_whether_or_not_predictions_are(is_true: bool) -> None:
    data, truth = single_decisions(is_true=is_true)
    policy = greedy(truth)
    estimate, true = value_of(data, policy), (policy * truth).sum(axis=1).mean()
    assert abs(estimate.value - true) < 3 * estimate.replicates.std()
    assert estimate.replicates.std() < 0.03


def test_predictions_that_are_noise_have_no_conservative_gain() -> None:
    data, _truth = single_decisions(is_true=False)
    usual = value_of(data, data.trajectories.behaviour)
    assert conservative_gain(value_of(data, greedy(data.predicted)), usual, 1.0) <= 0.02


def test_true_predictions_have_a_conservative_gain() -> None:
    data, truth = single_decisions()
    usual = value_of(data, data.trajectories.behaviour)
    assert conservative_gain(value_of(data, greedy(truth)), usual, 3.0) > 0.05


def test_with_every_reward_known_the_value_is_their_mean() -> None:
    data, truth = single_decisions()
    known, policy = replace(data, rewards=truth), greedy(truth)
    expected = (policy * truth).sum(axis=1).mean()
    np.testing.assert_allclose(value_of(known, policy).value, expected)


def test_rows_without_weight_have_no_influence() -> None:
    data, truth = single_decisions()
    cut = np.arange(len(truth)) % 2 == 0
    corrupt = np.where(cut[:, None], 1e6 * (1 - np.isnan(data.rewards)), data.rewards)
    corrupt = np.where(np.isnan(data.rewards), np.nan, corrupt)
    weighted = replace(data, weight=np.where(cut, 0.0, 1.0), rewards=corrupt)
    policy = greedy(truth)
    np.testing.assert_allclose(
        value_of(weighted, policy).value, value_of(data, policy).value, atol=0.02
    )


def two_steps(n: int = 6_000, seed: int = 0) -> tuple[PolicyValueData, np.ndarray, np.ndarray]:
    """A state that the first treatment improves, and a reward at the end only.

    Returns the logged patients, a policy, and the true value of each first treatment.
    """
    rng = np.random.default_rng(seed)
    first = rng.integers(0, 2, n)
    state = (rng.random(n) < np.where(first == 1, 0.9, 0.3)).astype(int)
    second = rng.integers(0, 2, n)
    chance = np.where(state == 1, 0.5, 0.2) + 0.2 * (second == 0)
    reward = (rng.random(n) < chance).astype(float)
    given = np.column_stack([first, second]).ravel()
    rewards = np.full((2 * n, 2), np.nan)
    rewards[np.arange(2 * n), given] = np.column_stack([np.zeros(n), reward]).ravel()
    begun = np.array([0.3 * 0.7 + 0.7 * 0.4, 0.9 * 0.7 + 0.1 * 0.4])
    predicted = np.empty((2 * n, 2))
    predicted[::2] = begun
    predicted[1::2] = np.where(state == 1, 0.5, 0.2)[:, None] + np.array([0.2, 0.0])
    logged = without_observations(
        given.astype(np.int32),
        np.nansum(rewards, axis=1),
        np.full((2 * n, 2), 0.5),
        episode_offsets(np.repeat(np.arange(n), 2)),
    )
    data = PolicyValueData(logged, rewards, np.ones(2 * n), predicted, discount=1.0)
    policy = np.tile(np.array([[0.0, 1.0], [1.0, 0.0]]), (n, 1))
    return data, policy, begun


def test_a_later_reward_counts_at_the_first_decision() -> None:
    data, policy, begun = two_steps()
    estimate = value_of(data, policy)
    assert abs(estimate.value - begun[1]) < 0.03
    assert conservative_gain(estimate, value_of(data, 1 - policy), 3.0) > 0.2


def test_a_truncated_last_decision_is_not_learned_from() -> None:
    data, policy, _ = two_steps()
    cut = np.arange(len(data.trajectories)) < len(data.trajectories) // 2
    last = np.repeat(cut, 2) & np.tile([False, True], len(cut))
    rewards = np.where(last[:, None] & ~np.isnan(data.rewards), 0.0, data.rewards)
    as_ended = replace(data, rewards=rewards)
    truncated = replace(as_ended, trajectories=replace(data.trajectories, terminal=~cut))
    assert value_of(truncated, policy).value > value_of(as_ended, policy).value + 0.1


def test_the_first_replicate_holds_every_patient_once() -> None:
    data, _ = single_decisions(50)
    drawn = resample_patients(data, 7, np.random.default_rng(0))
    assert drawn.shape == (8, 50)
    assert (drawn[0] == 1).all()
    assert (drawn.sum(axis=1) == 50).all()


def test_propensities_have_a_lower_limit() -> None:
    data, _ = single_decisions(200)
    behaviour = data.trajectories.behaviour.copy()
    behaviour[:, 0] = 1e-9
    policy = np.eye(OPTIONS)[np.zeros(200, int)]
    rare, floored = (
        replace(data, trajectories=replace(data.trajectories, behaviour=matrix))
        for matrix in (behaviour, np.maximum(behaviour, MIN_PROPENSITY))
    )
    value = value_of(rare, policy).value
    assert np.isfinite(value)
    assert abs(value - value_of(floored, policy).value) < 0.2


def test_a_policy_that_doses_better_than_clinicians_is_valued_at_its_own_doses() -> None:
    """Clinicians give an option at half its best dose, where it works half as well."""
    rng, n = np.random.default_rng(3), 20_000
    best, usual = rng.uniform(0.4, 0.8, n), np.full(n, 0.4)
    given = (rng.random(n) < 0.3).astype(np.int64)
    chance = np.where(given == 1, best / 2, usual)
    reward = (rng.random(n) < chance).astype(float)
    rewards = np.full((n, 2), np.nan)
    rewards[np.arange(n), given] = reward
    logged = without_observations(
        given.astype(np.int32), reward, np.tile([0.7, 0.3], (n, 1)), np.arange(n + 1)
    )
    data = PolicyValueData(logged, rewards, np.ones(n), np.column_stack([usual, best]), 0.0)
    policy = np.tile([0.0, 1.0], (n, 1))
    blind, seeing = value_of(data, policy), value_of(replace(data, as_given=chance), policy)
    assert abs(seeing.value - best.mean()) < 3 * np.std(seeing.replicates)
    assert blind.value < 0.6 * best.mean()
