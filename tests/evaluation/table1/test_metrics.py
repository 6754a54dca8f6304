import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from posology.evaluation.table1 import metrics


@given(st.integers(0, 2**31), st.integers(1, 30))
def test_expected_reward_is_the_mean_over_the_choices_of_the_policy(seed, n):
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.ones(3), n)
    rewards = rng.normal(size=(n, 3)).astype(np.float32)
    by_hand = np.mean([sum(p[i, a] * float(rewards[i, a]) for a in range(3)) for i in range(n)])
    assert metrics.mean_expected_reward(p, rewards)[0] == pytest.approx(by_hand)


def test_decisions_without_full_information_are_left_out():
    p = np.array([[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]])
    rewards = np.array([[1, 0], [np.nan, 1], [0, 0.5]], np.float32)
    assert metrics.has_all_rewards(rewards).tolist() == [True, False, True]
    assert metrics.mean_expected_reward(p, rewards)[0] == pytest.approx(0.75)
    assert np.isnan(metrics.expected_rewards(p, rewards)[1])
    assert np.isnan(metrics.mean_expected_reward(p[1:2], rewards[1:2])[0])
