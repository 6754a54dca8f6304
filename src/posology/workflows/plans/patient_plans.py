"""One patient at the last measurement, and the value under plans from there on."""

from dataclasses import dataclass, replace

import numpy as np

from posology.domain.formulary import Formulary
from posology.domain.history import History
from posology.domain.outcome_trajectories import OutcomeTrajectories, PlannedOutcomes, Plans
from posology.errors import RecordError
from posology.learners.trajectories.simulated_paths import PathSettings
from posology.learners.trajectories.visit_grid import (
    MOST_VISITS,
    OptionsTaken,
    as_components,
    to_trajectories,
)
from posology.workflows.plans.learn import PlanModel
from posology.workflows.plans.plan_file import NO_OPTION, Plan, PlannedStep

DRAWS = 2_048
"""Paths of each plan: one patient's interval must not depend on chance."""
FEW_PATIENTS = 50
"""Training patients of an option below which a comparison says so."""


@dataclass(frozen=True, slots=True, eq=False)
class PatientNow:
    """The patient at the last measurement."""

    model: PlanModel
    trajectories: OutcomeTrajectories
    taken: OptionsTaken
    visit: int

    @property
    def last_value(self) -> float:
        """What was measured last."""
        return float(self.trajectories.outcome[0, self.visit])

    def current_step(self, formulary: Formulary) -> PlannedStep:
        """What the patient takes now; `none` of the options it may be."""
        option = int(self.taken.option[0, self.visit])
        if option < 0:
            return PlannedStep(NO_OPTION)
        largest = self.model.grid.largest_dose[option]
        dose = float(self.taken.share[0, self.visit]) * largest if largest else None
        return PlannedStep(formulary.names[option], dose)


def patient_now(learned: PlanModel, history: History) -> PatientNow:
    """The only patient of the history; RecordError if no value has a date."""
    trajectories, taken = to_trajectories(learned.grid, history)
    known = np.flatnonzero(~np.isnan(trajectories.outcome[0]))
    if not len(known):
        raise RecordError(
            f"the patient has no dated value of `{learned.value}`: a plan starts from the last "
            "one. Add its date and number, and ask again."
        )
    assert known[-1] < MOST_VISITS
    return PatientNow(learned, trajectories, taken, int(known[-1]))


def predict_plans(
    now: PatientNow, plans: tuple[Plan, ...], formulary: Formulary
) -> PlannedOutcomes:
    """One row a plan, one column a step; NaN after a plan's last step."""
    learned = replace(now.model.trajectories, settings=PathSettings(DRAWS))
    treatment = _components(now, plans, formulary.names)
    rows = np.zeros(len(plans), np.int64)
    found = learned.predict(now.trajectories, Plans(rows, rows + now.visit, treatment))
    length = np.array([len(plan.steps) for plan in plans])
    is_planned = np.where(np.arange(treatment.shape[1]) < length[:, None], 1.0, np.nan)
    return PlannedOutcomes(found.mean * is_planned, found.low * is_planned, found.high * is_planned)


def _components(now: PatientNow, plans: tuple[Plan, ...], names: tuple[str, ...]) -> np.ndarray:
    horizon = max(len(plan.steps) for plan in plans)
    option, share = np.full((len(plans), horizon), -1, np.int64), np.ones((len(plans), horizon))
    for i, plan in enumerate(plans):
        for j, step in enumerate(plan.steps):
            if step.option == NO_OPTION:
                continue
            option[i, j] = names.index(step.option)
            if step.dose is not None:
                share[i, j] = step.dose / now.model.grid.largest_dose[option[i, j]]
    last = int(now.taken.option[0, now.visit - 1]) if now.visit else -1
    before = np.concatenate([np.full((len(plans), 1), last), option[:, :-1]], axis=1)
    return as_components(len(names), OptionsTaken(option, share), before)
