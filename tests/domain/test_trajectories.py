"""Episodes of other libraries, there and back."""

from dataclasses import replace

import numpy as np
import pytest

from posology.domain.trajectories import (
    episode_returns,
    from_episodes,
    next_state_codes,
    to_episodes,
)
from posology.errors import UserError
from posology.simulators.mdp import sample_trajectories
from tests.builders.decision_processes import random_mdp


def test_there_and_back_keeps_all_but_the_probabilities():
    rng = np.random.default_rng(0)
    logged = sample_trajectories(random_mdp(rng), np.full((5, 3), 1 / 3), 30, rng)
    again = from_episodes(to_episodes(logged), treatments=3, state_count=5)
    for field in ("observation", "treatment", "reward", "offsets", "final_observation", "terminal"):
        assert np.array_equal(getattr(again, field), getattr(logged, field))
    assert np.array_equal(next_state_codes(again), next_state_codes(logged))
    assert np.array_equal(episode_returns(again), episode_returns(logged))
    assert np.isnan(again.logged_probability).all()
    assert again.behaviour.shape == logged.behaviour.shape


def test_a_missing_last_observation_is_named():
    rng = np.random.default_rng(1)
    episodes = to_episodes(sample_trajectories(random_mdp(rng), np.full((5, 3), 1 / 3), 2, rng))
    short = replace(episodes[1], observations=episodes[1].observations[:-1])
    with pytest.raises(UserError, match=r"episode 1 has .* one more than actions"):
        from_episodes([episodes[0], short], treatments=3)
