"""The simulators as Gymnasium environments (optional extra `simulators`).

The vectorised `mdp.sample_trajectories` and `warfarin.care.treat_patients` are many times faster.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from posology.errors import UserError, describe_install
from posology.simulators.mdp import Mdp
from posology.simulators.tumour import (
    CELLS,
    CHEMOTHERAPY,
    DEATH_CM,
    NAMES,
    NOISE,
    RADIOTHERAPY,
    draw_tumours,
    next_volume,
    sphere_volume,
)
from posology.simulators.tumour import DAYS as TUMOUR_DAYS
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


def tumour_env(dose_price: float = 0.0) -> Any:
    """Sixty days of one tumour: treatments are `tumour.NAMES`.

    Observed are the day (as a share of all days), the volume (of that at which patients die),
    yesterday's chemotherapy and radiotherapy, and whether the patient is of type 1 or of type 3.
    A day's reward is minus the volume after it and minus `dose_price` a dose; rewards are divided
    by the number of days. Who dies pays for all days that remain.
    """
    gymnasium = _gymnasium()
    largest = float(sphere_volume(DEATH_CM))

    class TumourEnv(gymnasium.Env):
        """One patient at a time."""

        observation_space = gymnasium.spaces.Box(0.0, 1.0, (6,), np.float64)
        action_space = gymnasium.spaces.Discrete(len(NAMES))

        def reset(self, *, seed: int | None = None, options: dict | None = None) -> tuple:  # noqa: ARG002
            """A new patient, not yet treated."""
            super().reset(seed=seed)
            self.tumour = draw_tumours(1, self.np_random)
            self.volume, self.concentration = self.tumour.volume, np.zeros(1)
            self.day, self.last = 0, 0
            return self._observe(), {}

        def step(self, action: int | np.integer) -> tuple:
            """Treat for a day."""
            self.day, self.last = self.day + 1, int(action)
            chemo, radio = self.last % 2, self.last // 2
            self.concentration = self.concentration / 2 + CHEMOTHERAPY * chemo
            radiation = np.full(1, RADIOTHERAPY * radio)
            noise = self.np_random.normal(0, NOISE, 1)
            after = next_volume(self.tumour, self.volume, self.concentration, radiation, noise)
            cured = self.np_random.random() < np.exp(-after[0] * CELLS)
            self.volume = np.zeros(1) if cured else np.minimum(after, largest)
            dead = bool(after[0] >= largest)
            share = float(self.volume[0]) / largest
            cost = share + dose_price * (chemo + radio) + (TUMOUR_DAYS - self.day) * dead
            is_late = self.day >= TUMOUR_DAYS
            info = {"dead": dead, "cured": bool(cured)}
            return self._observe(), -cost / TUMOUR_DAYS, dead or bool(cured), is_late, info

        def _observe(self) -> np.ndarray:
            kind = int(self.tumour.kind[0])
            return np.array(
                [
                    self.day / TUMOUR_DAYS,
                    self.volume[0] / largest,
                    self.last % 2,
                    self.last // 2,
                    kind == 1,
                    kind == 3,
                ],
                np.float64,
            )

    return TumourEnv()


def _gymnasium() -> Any:
    try:
        import gymnasium
    except ImportError as error:
        raise UserError(
            "the simulators' environments need gymnasium, which is not installed; "
            f"install it with: {describe_install('simulators')}"
        ) from error
    return gymnasium
