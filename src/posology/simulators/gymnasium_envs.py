"""The simulators as Gymnasium environments (optional extra `simulators`).

Vectorised `mdp.sample` and `warfarin_course.care` log the same patients many times faster.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from posology.errors import UserError
from posology.simulators.mdp import Mdp
from posology.simulators.warfarin.care import DAYS, DOSES, FEATURES, begin, observe, step
from posology.simulators.warfarin.pharmacology import Bodies, Patients, draw


def mdp_env(mdp: Mdp) -> Any:
    """A numbered-state process: observations and treatments are `Discrete`."""
    gymnasium = _gymnasium()
    states, treatments = mdp.transition.shape[:2]

    class MdpEnv(gymnasium.Env):
        """One patient at a time."""

        observation_space = gymnasium.spaces.Discrete(states)
        action_space = gymnasium.spaces.Discrete(treatments)

        def reset(self, *, seed: int | None = None, options: dict | None = None) -> tuple:  # noqa: ARG002
            """A new patient."""
            super().reset(seed=seed)
            self.now = int(self.np_random.choice(states, p=mdp.start / mdp.start.sum()))
            return self.now, {}

        def step(self, action: int | np.integer) -> tuple:
            """Treat once."""
            moves = mdp.transition[self.now, action]
            self.now = int(self.np_random.choice(states, p=moves / moves.sum()))
            return self.now, float(mdp.reward[self.now]), bool(mdp.terminal[self.now]), False, {}

    return MdpEnv()


def warfarin_env(
    patients: Patients, world: Callable[[Patients, np.random.Generator], Bodies]
) -> Any:
    """Ninety days of one patient: observations are FEATURES, treatments are rows of DOSES."""
    gymnasium = _gymnasium()

    class WarfarinEnv(gymnasium.Env):
        """One patient at a time, drawn from the real covariates given."""

        observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (len(FEATURES),), np.float64)
        action_space = gymnasium.spaces.Discrete(len(DOSES))

        def reset(self, *, seed: int | None = None, options: dict | None = None) -> tuple:  # noqa: ARG002
            """A new patient, before the first dose."""
            super().reset(seed=seed)
            known = draw(patients, 1, self.np_random)
            self.course = begin(known, world(known, self.np_random))
            return observe(self.course)[0], {}

        def step(self, action: int | np.integer) -> tuple:
            """Take a dose daily until the next visit."""
            chosen = np.array([action], np.int64)
            self.course, in_range, above = step(self.course, chosen, self.np_random)
            reward = float(in_range[0] - above[0]) / DAYS
            over = bool(self.course.day[0] >= DAYS)
            info = {"days_in_range": float(in_range[0]), "days_above_4": float(above[0])}
            return observe(self.course)[0], reward, over, False, info

    return WarfarinEnv()


def _gymnasium() -> Any:
    try:
        import gymnasium
    except ImportError as error:
        raise UserError(
            "the simulators' environments need gymnasium, which is not installed; "
            "install it with: pip install 'posology[simulators]'"
        ) from error
    return gymnasium
