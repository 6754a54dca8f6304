"""Small decision processes, solved by hand or by brute force."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posology.domain.trajectories import ends, next_state, returns, state, take
from posology.simulators.mdp import Mdp, optimal_policy, policy_value, sample


def small(rng: np.random.Generator, states: int = 4, treatments: int = 3) -> Mdp:
    """Live states 0..states-1 and one terminal state, which is always reachable."""
    moves = rng.dirichlet(np.ones(states + 1), size=(states + 1, treatments)) * 0.8
    moves[:, :, -1] += 0.2
    start = np.append(rng.dirichlet(np.ones(states)), 0.0)
    return Mdp(
        transition=moves,
        reward=rng.normal(size=states + 1),
        start=start,
        terminal=np.arange(states + 1) == states,
        names=tuple("abc"[:treatments]),
    )


@given(st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_the_optimal_policy_beats_every_deterministic_one(seed):
    mdp = small(np.random.default_rng(seed), states=3, treatments=2)
    best = max(policy_value(mdp, np.eye(2)[[*choice, 0]]) for choice in product(range(2), repeat=3))
    found = policy_value(mdp, optimal_policy(mdp, np.ones((4, 2), dtype=bool)))
    assert found == pytest.approx(best, abs=1e-9)


def test_the_optimal_policy_keeps_to_the_mask():
    rng = np.random.default_rng(0)
    mdp = small(rng)
    allowed = rng.random((5, 3)) < 0.5
    allowed[np.arange(5), rng.integers(3, size=5)] = True
    assert not optimal_policy(mdp, allowed)[~allowed].any()


def test_samples_follow_the_model():
    rng = np.random.default_rng(1)
    mdp = small(rng)
    policy = rng.dirichlet(np.ones(3), size=5)
    logged = sample(mdp, policy, 40_000, rng)
    counts = np.zeros((5, 3, 5))
    np.add.at(counts, (state(logged), logged.treatment, next_state(logged)), 1)
    visits = counts.sum(axis=2, keepdims=True)
    observed = counts[:4] / visits[:4]
    error = np.sqrt(mdp.transition[:4] * (1 - mdp.transition[:4]) / visits[:4])
    assert np.all(np.abs(observed - mdp.transition[:4]) < 5 * error)
    total = returns(logged)
    assert abs(total.mean() - policy_value(mdp, policy)) < 4 * total.std() / 200
    assert ends(logged).sum() == len(logged) == 40_000


def test_taking_episodes_keeps_each_whole():
    rng = np.random.default_rng(2)
    mdp = small(rng)
    logged = sample(mdp, np.full((5, 3), 1 / 3), 50, rng)
    chosen = take(logged, np.array([7, 3], dtype=np.int64))
    first, last = logged.offsets[7], logged.offsets[8]
    assert np.array_equal(chosen.treatment[: last - first], logged.treatment[first:last])
    assert np.array_equal(returns(chosen), returns(logged)[[7, 3]])
