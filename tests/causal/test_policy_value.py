"""Worths of policies against a world whose truth is known, and against plain loops."""

from dataclasses import replace

import numpy as np
import pytest

from posology.causal.policy_value import FLOOR, Followed, gain, resamples, worth

OPTIONS = 3


def one_decision(n: int = 4_000, seed: int = 0, honest: bool = True) -> tuple[Followed, np.ndarray]:
    """Patients with one decision each, and the true mean of every option."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    truth = np.column_stack([0.2 * x, np.full(n, 0.1), -0.3 * x])
    chance = np.exp(np.column_stack([0.5 * x, np.zeros(n), -0.5 * x]))
    chance /= chance.sum(axis=1, keepdims=True)
    given = (np.cumsum(chance, axis=1) < rng.random(n)[:, None]).sum(axis=1)
    rewards = np.full((n, OPTIONS), np.nan)
    rewards[np.arange(n), given] = truth[np.arange(n), given] + rng.normal(0, 0.3, n)
    nothing = np.zeros(n, dtype=bool)
    believed = truth if honest else rng.normal(size=truth.shape)
    followed = Followed(
        np.arange(n), given, rewards, np.ones(n), nothing, nothing, chance, believed, 0.0
    )
    return followed, truth


def greedy(values: np.ndarray) -> np.ndarray:
    return np.eye(values.shape[1])[values.argmax(axis=1)]


def asked(followed: Followed, policy: np.ndarray, replicates: int = 100):
    return worth(followed, policy, resamples(followed, replicates, np.random.default_rng(1)))


@pytest.mark.parametrize("honest", [True, False])
def test_one_decision_is_right_whether_or_not_the_beliefs_are(honest: bool) -> None:
    followed, truth = one_decision(honest=honest)
    policy = greedy(truth)
    found, true = asked(followed, policy), (policy * truth).sum(axis=1).mean()
    assert abs(found.value - true) < 3 * found.draws.std()
    assert found.draws.std() < 0.03


def test_beliefs_that_are_noise_gain_nothing_surely() -> None:
    followed, _truth = one_decision(honest=False)
    usual, dreamt = followed.behaviour, greedy(followed.believed)
    assert gain(asked(followed, dreamt), asked(followed, usual), 1.0) <= 0.02


def test_true_beliefs_gain_surely() -> None:
    followed, truth = one_decision()
    assert gain(asked(followed, greedy(truth)), asked(followed, followed.behaviour), 3.0) > 0.05


def test_where_all_is_known_it_is_counted() -> None:
    followed, truth = one_decision()
    known, policy = replace(followed, rewards=truth), greedy(truth)
    found = asked(known, policy)
    np.testing.assert_allclose(found.value, (policy * truth).sum(axis=1).mean())


def test_rows_without_weight_say_nothing() -> None:
    followed, truth = one_decision()
    cut = np.arange(len(truth)) % 2 == 0
    spoilt = np.where(cut[:, None], 1e6 * (1 - np.isnan(followed.rewards)), followed.rewards)
    spoilt = np.where(np.isnan(followed.rewards), np.nan, spoilt)
    weighted = replace(followed, weight=np.where(cut, 0.0, 1.0), rewards=spoilt)
    policy = greedy(truth)
    np.testing.assert_allclose(
        asked(weighted, policy).value, asked(followed, policy).value, atol=0.02
    )


def two_steps(n: int = 6_000, seed: int = 0) -> tuple[Followed, np.ndarray, np.ndarray]:
    """A state that the first treatment improves, and a reward at the end only.

    Returns the logged patients, a policy, and what it is truly worth to each.
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
    believed = np.empty((2 * n, 2))
    believed[::2] = begun
    believed[1::2] = np.where(state == 1, 0.5, 0.2)[:, None] + np.array([0.2, 0.0])
    followed = Followed(
        subject=np.repeat(np.arange(n), 2),
        treatment=given,
        rewards=rewards,
        weight=np.ones(2 * n),
        more=np.tile([True, False], n),
        unseen=np.zeros(2 * n, dtype=bool),
        behaviour=np.full((2 * n, 2), 0.5),
        believed=believed,
        discount=1.0,
    )
    policy = np.tile(np.array([[0.0, 1.0], [1.0, 0.0]]), (n, 1))
    return followed, policy, begun


def test_a_later_reward_is_brought_forward() -> None:
    followed, policy, begun = two_steps()
    found = asked(followed, policy)
    assert abs(found.value - begun[1]) < 0.03
    assert gain(found, asked(followed, 1 - policy), 3.0) > 0.2


def test_a_course_that_nobody_saw_end_teaches_nothing() -> None:
    """A last reward of 0 there is not the end."""
    followed, policy, _ = two_steps()
    cut = np.zeros(len(policy), dtype=bool)
    cut[1 : len(cut) // 2 : 2] = True
    rewards = np.where(cut[:, None] & ~np.isnan(followed.rewards), 0.0, followed.rewards)
    told = asked(replace(followed, rewards=rewards, unseen=cut), policy)
    misled = asked(replace(followed, rewards=rewards), policy)
    assert told.value > misled.value + 0.1


def test_resamples_keep_everybody_first() -> None:
    followed, _ = one_decision(50)
    drawn = resamples(followed, 7, np.random.default_rng(0))
    assert drawn.shape == (8, 50)
    assert (drawn[0] == 1).all()
    assert (drawn.sum(axis=1) == 50).all()


def test_no_patient_speaks_for_more_than_the_floor_says() -> None:
    followed, _ = one_decision(200)
    rare = followed.behaviour.copy()
    rare[:, 0] = 1e-9
    policy = np.eye(OPTIONS)[np.zeros(200, int)]
    floored = replace(followed, behaviour=np.maximum(rare, FLOOR))
    assert np.isfinite(asked(replace(followed, behaviour=rare), policy).value)
    assert abs(asked(replace(followed, behaviour=rare), policy).value
               - asked(floored, policy).value) < 0.2  # fmt: skip
