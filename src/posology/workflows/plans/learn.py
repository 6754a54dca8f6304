"""Learn how a value goes on under planned treatments, and keep it with a saved policy."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from posology.artifact import Artifact
from posology.domain.cohort import TRAIN, VALIDATION, Cohort, select_split
from posology.domain.serialization import deserialize, serialize
from posology.domain.study import PredictionTarget, Study
from posology.errors import UserError
from posology.learners.trajectories.learner import TrajectoryLearner, TrajectoryModel
from posology.learners.trajectories.visit_grid import VisitGrid, fit_visit_grid, to_trajectories

EVIDENCE = "plans"
"""Key of the evidence that holds the model."""
HORIZON = 4
"""Steps of a plan at most."""


@dataclass(frozen=True, slots=True, eq=False)
class PlanModel:
    """A value under plans: how trajectories are made of a history, and how they go on."""

    value: str
    """Name of the [[progression]] value."""
    unit: str
    grid: VisitGrid
    trajectories: TrajectoryModel


def learn_plans(cohort: Cohort, seed: int = 0, horizon: int = HORIZON) -> PlanModel:
    """Learn on the training patients, choose and calibrate on the validation patients.

    The value is that of the study's first [[progression]].
    """
    target = _target(cohort.study)
    train, validation = select_split(cohort, TRAIN), select_split(cohort, VALIDATION)
    grid = fit_visit_grid(train, target)
    logged = [to_trajectories(grid, part.history)[0] for part in (train, validation)]
    learner = TrajectoryLearner(
        horizon=horizon, clusters=(1, 2), searches_carry_over=False, seed=seed
    )
    return PlanModel(target.name, target.unit, grid, learner.fit(*logged))


def _target(study: Study) -> PredictionTarget:
    if not study.progression:
        raise UserError(
            f"study `{study.name}` has no [[progression]]: add one with the value whose course "
            "under planned treatments is wanted, and build the cohort again."
        )
    return study.progression[0]


def add_plans(evidence: dict[str, Any], model: PlanModel) -> dict[str, Any]:
    """The evidence of a policy, with the model."""
    arrays: dict[str, np.ndarray] = {}
    return {**evidence, EVIDENCE: {"model": serialize(model, arrays), "arrays": arrays}}


def plans_of(model: Artifact) -> PlanModel:
    """The model that a saved policy holds; UserError if it was fitted without."""
    stored = model.evidence.get(EVIDENCE)
    if stored is None:
        raise UserError(
            "the model was fitted without --plans, so that it cannot say how a value goes on under "
            "a plan; fit it again with: posology fit --plans"
        )
    loaded = deserialize(PlanModel, stored["model"], stored["arrays"])
    assert isinstance(loaded, PlanModel)
    return loaded
