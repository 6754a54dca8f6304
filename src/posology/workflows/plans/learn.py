"""Learn how a value goes on under planned treatments, and keep it with a saved policy."""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from posology.artifact import Artifact
from posology.domain.cohort import TRAIN, VALIDATION, Cohort, select_split
from posology.domain.formulary import Treatment
from posology.domain.outcome_trajectories import (
    OutcomeTrajectories,
    Plans,
    logged_plans,
    select_plans,
)
from posology.domain.serialization import deserialize, serialize
from posology.domain.study import PredictionTarget, Study
from posology.errors import UserError
from posology.learners.trajectories.learner import TrajectoryLearner, TrajectoryModel, widen_for
from posology.learners.trajectories.visit_grid import (
    VisitGrid,
    fit_visit_grid,
    to_trajectories,
)
from posology.workflows.advice.keys import PLANS
from posology.workflows.fit import FitResult

HORIZON = 4
"""Steps of a plan at most."""
FEWEST_CHANGES = 30
"""Validation patients who changed their option, below which intervals are not widened for it."""


@dataclass(frozen=True, slots=True, eq=False)
class PlanModel:
    """A value under plans: how trajectories are made of a history, and how they go on."""

    value: str
    """Name of the [[progression]] value."""
    unit: str
    grid: VisitGrid
    trajectories: TrajectoryModel
    patients: tuple[int, ...]
    """Training patients who took each option."""
    learned_from: int = 0
    """Training patients with at least two measurements; 0: not counted."""
    usual_dose: tuple[float, ...] = ()
    """Middle dose of each option in training patients' steps with it; 0 where it has none."""

    def summary(self) -> str:
        """Which value is followed, in which steps."""
        return (
            f"Plans: {self.value} ({self.unit}) in steps of {self.grid.step_days:.0f} days, at "
            f"most {self.trajectories.horizon} steps ahead; for every recommendation, and for "
            "`posology predict --plan`."
        )


def learn_plans(cohort: Cohort, seed: int = 0, horizon: int = HORIZON) -> PlanModel:
    """Learn on the training patients, choose and calibrate on the validation patients.

    The value is that of the study's first [[progression]].
    """
    target = _target(cohort.study)
    train, validation = select_split(cohort, TRAIN), select_split(cohort, VALIDATION)
    grid = fit_visit_grid(train, target)
    parts = [to_trajectories(grid, part.history) for part in (train, validation)]
    logged = [trajectories for trajectories, _ in parts]
    learner = TrajectoryLearner(
        horizon=horizon,
        clusters=(1, 2),
        searches_carry_over=False,
        shrinkages=(0.0, 1.0, 30.0),
        seed=seed,
    )
    model = learner.fit(*logged)
    changed = _plans_that_change(grid, logged[1], horizon)
    if len(np.unique(changed.subject)) >= FEWEST_CHANGES:
        model = widen_for(model, logged[1], changed)
    taken = parts[0][1]
    options = range(len(grid.option_rows))
    return PlanModel(
        target.name,
        target.unit,
        grid,
        model,
        patients=tuple(int((taken.option == k).any(axis=1).sum()) for k in options),
        learned_from=int(logged[0].is_observed.any(axis=1).sum()),
        usual_dose=tuple(
            _usual_dose(treatment, taken.share[(taken.option == k) & logged[0].is_observed])
            for k, treatment in enumerate(cohort.study.formulary.treatments)
        ),
    )


def _usual_dose(treatment: Treatment, share: np.ndarray) -> float:
    """The middle one of the doses that were given, which are shares of the largest."""
    limits = treatment.dose
    if limits is None:
        return 0.0
    middle = float(np.quantile(share, 0.5, method="nearest")) if len(share) else 1.0
    return min(max(limits.high * middle, limits.low), limits.high)


def _plans_that_change(grid: VisitGrid, logged: OutcomeTrajectories, horizon: int) -> Plans:
    """Logged plans that begin with another option: less certain than to continue."""
    plans, options = logged_plans(logged, horizon), len(grid.option_rows)
    first = plans.treatment[:, 0]
    is_changed = (first[:, :options] != first[:, options : 2 * options]).any(axis=1)
    return select_plans(plans, np.flatnonzero(is_changed))


def _target(study: Study) -> PredictionTarget:
    if not study.progression:
        raise UserError(
            f"study `{study.name}` has no [[progression]]: add one with the value whose course "
            "under planned treatments is wanted, and build the cohort again."
        )
    return study.progression[0]


def with_plans(result: FitResult, model: PlanModel) -> FitResult:
    """The fitted policy with the model among its evidence."""
    arrays: dict[str, np.ndarray] = {}
    stored = {"model": serialize(model, arrays), "arrays": arrays}
    return replace(result, evidence={**result.evidence, PLANS: stored})


def plans_of(model: Artifact) -> PlanModel:
    """The model that a saved policy holds; UserError if it was fitted without."""
    if model.evidence.get(PLANS) is None:
        raise UserError(
            "the model was fitted without --plans, so that it cannot say how a value goes on under "
            "a plan; fit it again with: posology fit --plans"
        )
    return _read(model)


@lru_cache(maxsize=8)
def _read(model: Artifact) -> PlanModel:
    stored = model.evidence[PLANS]
    loaded = deserialize(PlanModel, stored["model"], stored["arrays"])
    assert isinstance(loaded, PlanModel)
    return loaded
