"""The clinic as a Gymnasium environment."""

import numpy as np
import pytest

from posology.simulators.clinic.settings import ClinicSettings

gymnasium = pytest.importorskip("gymnasium", reason="needs the extra `simulators`")

from posology.simulators.clinic.environment import (  # noqa: E402
    ACTIONS,
    OBSERVATION,
    ClinicEnvironment,
)


def test_rewards_are_what_the_truth_promised():
    env = ClinicEnvironment(ClinicSettings(patients=4000))
    observation, info = env.reset(seed=3)
    assert observation.shape == (4000, len(OBSERVATION))
    assert env.observation_space.contains(observation)
    alive = np.ones(4000, bool)
    for step in range(10):
        promised = info["effective"].max(axis=1)[alive]
        action = info["effective"].argmax(axis=1)
        observation, reward, terminated, truncated, info = env.step(action)
        se = np.sqrt((promised * (1 - promised)).sum()) / len(promised)
        assert reward[alive].mean() == pytest.approx(promised.mean(), abs=4 * se)
        assert not reward[~alive].any()
        assert truncated.all() == (step == 9)
        alive = ~terminated
    assert 0.8 < alive.mean() < 1.0


def test_reset_is_reproducible_and_seeds_differ():
    env = ClinicEnvironment(ClinicSettings(patients=50))
    first, _ = env.reset(seed=1)
    env.step(np.zeros(50, int))
    again, _ = env.reset(seed=1)
    same, _ = env.reset()
    other, _ = env.reset(seed=2)
    assert np.array_equal(first, again)
    assert np.array_equal(first, same)
    assert not np.array_equal(first, other)


def test_every_action_can_be_taken():
    env = ClinicEnvironment(ClinicSettings(patients=len(ACTIONS)))
    _, info = env.reset(seed=0)
    assert info["effective"].shape == (len(ACTIONS), len(ACTIONS))
    assert not np.isnan(info["effective"]).any()
    _, _, _, _, info = env.step(np.arange(len(ACTIONS)))
    assert info["harms"].shape == (len(ACTIONS), 4)
    assert (info["cost"] > 0).all()
