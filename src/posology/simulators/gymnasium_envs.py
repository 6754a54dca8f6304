"""The simulators as Gymnasium environments (optional extra `simulators`).

The vectorised `mdp.sample_trajectories` and `warfarin.care.treat_patients` are many times faster.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from posology.errors import UserError
from posology.simulators.mdp import Mdp
from posology.simulators.warfarin.care import (
    DAYS,
    DOSES,
    FEATURES,
    observe,
    start_treatment,
    take_dose_until_next_visit,
)
from posology.simulators.warfarin.pharmacology import Bodies, Patients, draw_patients


def mdp_env(mdp: Mdp) -> Any:
    """A Markov decision process: observations and treatments are `Discrete`."""
    gymnasium = _gymnasium()
    states, treatments = mdp.transition.shape[:2]

    class MdpEnv(gymnasium.Env):
        """One patient at a time."""

        observation_space = gymnasium.spaces.Discrete(states)
        action_space = gymnasium.spaces.Discrete(treatments)

        def reset(self, *, seed: int | None = None, options: dict | None = None) -> tuple:  # noqa: ARG002
            """A new patient."""
            super().reset(seed=seed)
            self.state = int(self.np_random.choice(states, p=mdp.start / mdp.start.sum()))
            return self.state, {}

        def step(self, action: int | np.integer) -> tuple:
            """Apply one treatment."""
            probability = mdp.transition[self.state, action]
            self.state = int(self.np_random.choice(states, p=probability / probability.sum()))
            return (
                self.state,
                float(mdp.reward[self.state]),
                bool(mdp.terminal[self.state]),
                False,
                {},
            )

    return MdpEnv()


def warfarin_env(
    patients: Patients, draw_bodies: Callable[[Patients, np.random.Generator], Bodies]
) -> Any:
    """Ninety days of one patient: observations are FEATURES, treatments are rows of DOSES."""
    gymnasium = _gymnasium()

    class WarfarinEnv(gymnasium.Env):
        """One patient at a time, with covariates drawn from `patients`."""

        observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (len(FEATURES),), np.float64)
        action_space = gymnasium.spaces.Discrete(len(DOSES))

        def reset(self, *, seed: int | None = None, options: dict | None = None) -> tuple:  # noqa: ARG002
            """A new patient, before the first dose."""
            super().reset(seed=seed)
            patient = draw_patients(patients, 1, self.np_random)
            self.visit = start_treatment(patient, draw_bodies(patient, self.np_random))
            return observe(self.visit)[0], {}

        def step(self, action: int | np.integer) -> tuple:
            """Take a dose daily until the next visit."""
            chosen = np.array([action], np.int64)
            self.visit, in_range, above = take_dose_until_next_visit(
                self.visit, chosen, self.np_random
            )
            reward = float(in_range[0] - above[0]) / DAYS
            is_over = bool(self.visit.day[0] >= DAYS)
            info = {"days_in_range": float(in_range[0]), "days_above_4": float(above[0])}
            return observe(self.visit)[0], reward, is_over, False, info

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
