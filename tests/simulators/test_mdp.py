"""Small decision processes, solved by hand or by brute force."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posology.domain.trajectories import (
    episode_returns,
    is_episode_end,
    next_state_codes,
    select_episodes,
    state_codes,
)
from posology.simulators.mdp import optimal_policy, policy_value, sample_trajectories
from tests.builders.decision_processes import random_mdp


@given(st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_the_optimal_policy_beats_every_deterministic_one(seed):
    mdp = random_mdp(np.random.default_rng(seed), states=3, treatments=2)
    best = max(policy_value(mdp, np.eye(2)[[*choice, 0]]) for choice in product(range(2), repeat=3))
    found = policy_value(mdp, optimal_policy(mdp, np.ones((4, 2), dtype=bool)))
    assert found == pytest.approx(best, abs=1e-9)


def test_the_optimal_policy_keeps_to_the_mask():
    rng = np.random.default_rng(0)
    mdp = random_mdp(rng)
    allowed = rng.random((5, 3)) < 0.5
    allowed[np.arange(5), rng.integers(3, size=5)] = True
    assert not optimal_policy(mdp, allowed)[~allowed].any()


def test_samples_follow_the_model():
    rng = np.random.default_rng(1)
    mdp = random_mdp(rng)
    policy = rng.dirichlet(np.ones(3), size=5)
    logged = sample_trajectories(mdp, policy, 40_000, rng)
    counts = np.zeros((5, 3, 5))
    np.add.at(counts, (state_codes(logged), logged.treatment, next_state_codes(logged)), 1)
    visits = counts.sum(axis=2, keepdims=True)
    observed = counts[:4] / visits[:4]
    error = np.sqrt(mdp.transition[:4] * (1 - mdp.transition[:4]) / visits[:4])
    assert np.all(np.abs(observed - mdp.transition[:4]) < 5 * error)
    total = episode_returns(logged)
    assert abs(total.mean() - policy_value(mdp, policy)) < 4 * total.std() / 200
    assert is_episode_end(logged).sum() == len(logged) == 40_000


def test_taking_episodes_keeps_each_whole():
    rng = np.random.default_rng(2)
    mdp = random_mdp(rng)
    logged = sample_trajectories(mdp, np.full((5, 3), 1 / 3), 50, rng)
    chosen = select_episodes(logged, np.array([7, 3], dtype=np.int64))
    first, last = logged.offsets[7], logged.offsets[8]
    assert np.array_equal(chosen.treatment[: last - first], logged.treatment[first:last])
    assert np.array_equal(episode_returns(chosen), episode_returns(logged)[[7, 3]])
