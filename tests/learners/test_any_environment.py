"""Any Gymnasium environment with discrete treatments: logged, learned from and evaluated."""

import numpy as np
import pytest

from posology.domain.trajectories import episode_returns
from posology.evaluation.off_policy.direct_method import fit_table_q
from posology.learners.offline_rl.tabular import (
    Shrinkage,
    count_transitions,
    shrunk_value_iteration,
)
from posology.simulators.rollout import rollout

gymnasium = pytest.importorskip("gymnasium")


def test_ten_lines_from_an_environment_to_a_better_policy():
    env, rng = gymnasium.make("FrozenLake-v1", is_slippery=True), np.random.default_rng(0)
    logged = rollout(env, lambda seen: np.full((len(seen), 4), 0.25), 2_000, rng)
    learned = shrunk_value_iteration(
        count_transitions(logged), Shrinkage(prior_visits=5.0)
    ).probabilities
    promised = (learned * fit_table_q(logged, learned)).sum(axis=1)[0]
    kept = episode_returns(
        rollout(env, lambda seen: learned[seen[:, 0].astype(int)], 400, rng)
    ).mean()

    assert episode_returns(logged).mean() < 0.05  # a random walk falls into a hole
    assert kept > 0.4  # 0.74 is the best there is
    assert abs(promised - kept) < 0.25
