"""Environments of the old `gym` package as ones that `rollout` takes.

Before gym 0.26 `reset` returned only the observation and `step` four values, with a time limit's
truncation in `info`; Gymnasium's own wrapper for them (`EnvCompatibility`) was removed in its
version 1. The `gym` package itself is not needed.
"""

from typing import Any

import numpy as np

from posology.errors import UserError


class OldGym:
    """An old environment with Gymnasium's interface."""

    def __init__(self, env: Any) -> None:
        self.env = env
        self.observation_space = env.observation_space
        self.action_space = _with_start(env.action_space)

    def reset(self, *, seed: int | None = None) -> tuple[Any, dict[str, Any]]:
        """A new episode; environments without `seed` draw as they please."""
        if seed is not None and hasattr(self.env, "seed"):
            self.env.seed(seed)
        answer = self.env.reset()
        return answer if _has_info(answer) else (answer, {})

    def step(self, action: int | np.integer | np.ndarray) -> tuple[Any, float, bool, bool, dict]:
        """One treatment."""
        answer = self.env.step(action)
        if len(answer) == 5:
            return answer
        if len(answer) != 4:
            raise UserError(
                f"step of {type(self.env).__name__} returned {len(answer)} values; an old gym "
                "environment returns observation, reward, done and info"
            )
        observation, reward, done, info = answer
        is_cut = bool(done) and bool(info.get("TimeLimit.truncated", False))
        return observation, float(reward), bool(done) and not is_cut, is_cut, info


def adapt_old_gym(env: Any) -> OldGym:
    """The environment for `rollout` and `rollout_with_memory`."""
    return OldGym(env)


class _Discrete:
    """A `Discrete` space from before gym had `start`."""

    def __init__(self, n: int) -> None:
        self.n, self.start = n, 0


def _with_start(space: Any) -> Any:
    is_old_discrete = type(space).__name__ == "Discrete" and not hasattr(space, "start")
    return _Discrete(int(space.n)) if is_old_discrete else space


def _has_info(answer: Any) -> bool:
    return isinstance(answer, tuple) and len(answer) == 2 and isinstance(answer[1], dict)
