"""Environments of the old gym package, in all the forms that their versions had."""

from types import SimpleNamespace

import numpy as np
import pytest

from posology.errors import UserError
from posology.simulators.old_gym import adapt_old_gym
from posology.simulators.rollout import rollout


class Discrete:
    """A space as gym 0.21 had it: without `start`."""

    def __init__(self, n: int) -> None:
        self.n = n


class OldWalk:
    """Two steps to the right end it; after five it is cut."""

    observation_space = Discrete(3)
    action_space = Discrete(2)

    def __init__(self) -> None:
        self.seeds: list[int] = []

    def seed(self, seed: int) -> None:
        self.seeds.append(seed)

    def reset(self) -> int:
        self.place = self.steps = 0
        return self.place

    def step(self, action: int) -> tuple:
        self.steps += 1
        self.place = min(self.place + 1, 2) if action else 0
        done = self.place == 2 or self.steps == 5
        return self.place, float(self.place), done, {"TimeLimit.truncated": self.place != 2}


def always(option: int):
    return lambda seen: np.tile(np.eye(2)[option], (len(seen), 1))


def test_an_old_environment_is_rolled_out():
    env = OldWalk()
    logged = rollout(adapt_old_gym(env), always(1), 3, np.random.default_rng(0))
    assert logged.terminal.all()
    assert logged.reward.tolist() == [1.0, 2.0] * 3
    assert logged.state_count == 3
    assert len(set(env.seeds)) == 3, "every episode has a seed of its own"


def test_a_time_limit_of_an_old_environment_is_a_truncation():
    logged = rollout(adapt_old_gym(OldWalk()), always(0), 2, np.random.default_rng(0))
    assert np.diff(logged.offsets).tolist() == [5, 5]
    assert not logged.terminal.any()


def test_a_new_interface_passes_through():
    new = SimpleNamespace(
        observation_space=Discrete(3),
        action_space=Discrete(2),
        reset=lambda: (0, {"new": True}),
        step=lambda action: (action, 1.0, False, True, {}),
    )
    env = adapt_old_gym(new)
    assert env.reset(seed=3) == (0, {"new": True})
    assert env.step(1) == (1, 1.0, False, True, {})


def test_another_number_of_values_is_an_error():
    odd = SimpleNamespace(
        observation_space=Discrete(3), action_space=Discrete(2), step=lambda action: (action, 1.0)
    )
    with pytest.raises(UserError, match=r"step of SimpleNamespace returned 2 values; an old gym"):
        adapt_old_gym(odd).step(0)
