"""The clinic as a Gymnasium environment: many patients at once, one decision a step.

Needs the extra `simulators`. Each step is half a year: every patient has a review with new
laboratory values, the policy chooses an option and a dose for each, and the reward is 1 where it is
effective (see `truth`), else 0. A patient who stops a drug for intolerance takes none until the
next review; patients who die are terminated until `reset`.
"""

from dataclasses import replace

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from jaxtyping import Bool, Float32, Float64, Int64

from posology.simulators.clinic import visits
from posology.simulators.clinic.disease import (
    NO_DRUG,
    DiseaseState,
    advance_quarter,
    current_bmi,
    draw_response_noise,
    first_state,
    start_option,
)
from posology.simulators.clinic.draws import make_draws
from posology.simulators.clinic.harms import HARMS, harm_risks
from posology.simulators.clinic.options import DPP4, NAMES, OPTIONS, yearly_costs
from posology.simulators.clinic.population import Patients, draw_patients
from posology.simulators.clinic.settings import QUARTERS, ClinicSettings
from posology.simulators.clinic.simulation import DEATH
from posology.simulators.clinic.truth import GOAL, HORIZON, SUFFICIENT_FALL, true_effects

ACTIONS: tuple[tuple[int, int], ...] = tuple(
    (k, level) for k, option in enumerate(OPTIONS) for level in range(len(option.doses))
)
"""(Option, dose level) of each action number."""
OBSERVATION: tuple[str, ...] = (
    "hba1c",
    "hba1c_before",
    "fall_on_last",
    "bmi",
    "egfr",
    "systolic",
    "alt",
    "cholesterol",
    "hdl",
    "triglycerides",
    "age",
    "female",
    "duration",
    "deprivation",
    "smoking",
    "activity",
    "diet",
    "adherence",
    "vascular",
    "failing",
    "genotyped",
    "quarter",
    *(f"variant {k}" for k in range(10)),
    *(f"current {name}" for name in NAMES),
    "level",
    *(f"tried {name}" for name in NAMES),
    *(f"stopped {name}" for name in NAMES),
)
"""Names of the observation's columns; unknown genotypes are -1."""


class ClinicEnvironment(VectorEnv):
    """Patients of a clinic, all at the same half year; observations are those of the records."""

    metadata = {"autoreset_mode": AutoresetMode.DISABLED}  # noqa: RUF012

    def __init__(self, settings: ClinicSettings) -> None:
        self.settings = settings
        self.num_envs = settings.patients
        box = gymnasium.spaces.Box(-np.inf, np.inf, (len(OBSERVATION),), np.float32)
        self.single_observation_space = box
        self.single_action_space = gymnasium.spaces.Discrete(len(ACTIONS))
        self.observation_space = gymnasium.vector.utils.batch_space(box, self.num_envs)
        self.action_space = gymnasium.vector.utils.batch_space(
            self.single_action_space, self.num_envs
        )
        self._begin(settings.seed)

    def reset(
        self,
        *,
        seed: int | None = None,
        options: dict | None = None,  # noqa: ARG002
    ) -> tuple[Float32[np.ndarray, "subject feature"], dict]:
        """New patients for a seed, at the first visit; the same patients without a seed."""
        self._begin(self._seed if seed is None else seed)
        return self._observe(), self._info()

    def step(
        self, actions: Int64[np.ndarray, " subject"]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict]:
        """Simulate half a year on the chosen options and doses."""
        option, level = np.array(ACTIONS)[np.asarray(actions)].T
        at = (np.arange(self.num_envs), option, level)
        truth, before, quarter = self._truth, self._reported, self._state.quarter
        stops = self._draws.uniform("stops", quarter) < truth.stopping[at]
        noise = draw_response_noise(self._draws, quarter)
        state = start_option(self._state, at[0], (option, level), truth.fall[at] + noise)
        state = _after_stop(state, stops)
        happened = np.zeros((self.num_envs, len(HARMS)), bool)
        for _ in range(HORIZON):
            happened |= self._harm(state)
            state = advance_quarter(self._patients, state, self._draws)
        self._state, self._previous = state, before
        self._reported = visits.reported_hba1c(self._patients, state, self._draws)
        effective = ~stops & (self._reported <= np.maximum(GOAL, before - SUFFICIENT_FALL))
        reward = (effective & self._alive).astype(np.float64)
        self._die()
        over = np.full(self.num_envs, state.quarter >= QUARTERS)
        observation, info = self._observe(), self._info()
        info["harms"] = happened
        info["cost"] = yearly_costs()[option, level] / 2
        info["stopped"] = stops
        return observation, reward, ~self._alive, over, info

    def _begin(self, seed: int) -> None:
        self._seed = seed
        subject_id = np.arange(1, self.num_envs + 1)
        self._patients: Patients = draw_patients(replace(self.settings, seed=seed), subject_id)
        self._draws = make_draws(seed ^ 0x5DEECE66D, subject_id)
        self._state = first_state(self._patients, self._draws)
        self._alive = np.ones(self.num_envs, bool)
        self._reported = visits.reported_hba1c(self._patients, self._state, self._draws)
        self._previous = self._reported

    def _harm(self, state: DiseaseState) -> Bool[np.ndarray, "subject harm"]:
        option = np.where(state.option >= 0, state.option, DPP4)
        risk = harm_risks(self._patients, state)[np.arange(self.num_envs), option, state.level]
        draw = [self._draws.uniform(f"harm {name}", state.quarter) for name in HARMS]
        return np.stack(draw, axis=1) < 1 - np.sqrt(1 - risk)

    def _die(self) -> None:
        age = self._patients.age + self._state.quarter / 4
        risk = HORIZON * DEATH * np.exp(0.09 * (age - 59) + 0.4 * self._patients.vascular)
        self._alive = self._alive & (self._draws.uniform("death", self._state.quarter) > risk)

    def _info(self) -> dict[str, Float64[np.ndarray, "subject action"]]:
        """P(effective) of every action; for evaluation only, never for a learner."""
        self._truth = true_effects(self._patients, self._state, self._reported)
        where = tuple(np.array(ACTIONS).T)
        return {"effective": self._truth.effective[:, where[0], where[1]]}

    def _observe(self) -> Float32[np.ndarray, "subject feature"]:
        p, s = self._patients, self._state
        answers = [p.activity, p.diet, 12 * (p.adherence - 0.8)]
        for k, name in enumerate(("activity", "diet", "adherence")):
            error = self._draws.normal(f"told {name}", s.quarter)
            answers[k] = answers[k] + visits.DIET_SD * error
        variants = np.where(p.is_genotyped[:, None], p.genotype, -1)
        parts = [
            self._reported,
            self._previous,
            self._previous - self._reported,
            current_bmi(p, s),
            s.egfr,
            p.systolic,
            p.alt,
            p.cholesterol,
            p.hdl,
            p.triglycerides,
            p.age + s.quarter / 4,
            p.female,
            p.duration + s.quarter / 4,
            p.deprivation,
            p.smoking,
            *answers,
            p.vascular,
            s.heart_failure,
            p.is_genotyped,
            np.full(self.num_envs, s.quarter),
            *variants.T,
            *((s.option == k) for k in range(len(OPTIONS))),
            s.level,
            *s.tried.T,
            *s.stopped.T,
        ]
        return np.stack(parts, axis=1).astype(np.float32)


def _after_stop(state: DiseaseState, stops: Bool[np.ndarray, " subject"]) -> DiseaseState:
    stopped, tolerated = state.stopped.copy(), state.tolerated.copy()
    rows, option = np.flatnonzero(stops), state.option
    keep = np.flatnonzero(~stops)
    stopped[rows, option[rows]] = True
    tolerated[keep, option[keep]] = True
    tolerated[rows, option[rows]] = False
    now = np.where(stops, NO_DRUG, option)
    return replace(state, option=now, stopped=stopped, tolerated=tolerated)
