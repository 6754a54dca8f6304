"""Learn outcomes under planned treatments from logged trajectories.

Candidates differ in the scale of the change, in how long treatments last, in interactions and in
the number of normal distributions of patients' effects. What a scale fits best is chosen by the
density of validation patients' changes; the scale by the error of their outcome, one and six steps
ahead, in the outcome's own unit.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64

from posology.domain.outcome_trajectories import (
    OutcomeTrajectories,
    PlannedOutcomes,
    Plans,
    logged_plans,
    outcomes_under,
    select_plans,
    select_subjects,
)
from posology.errors import UserError
from posology.learners.trajectories.interval_width import (
    CoverageCheck,
    check_coverage,
    scale_intervals,
    width_factors,
)
from posology.learners.trajectories.mixed_effects import (
    MixedEffects,
    fit_mixed_effects,
    posterior,
    sum_steps,
)
from posology.learners.trajectories.simulated_paths import PathSettings, predict_paths
from posology.learners.trajectories.step_features import Scale, StepSpec, describe_outcome

LASTING = (0.0, 0.25, 0.5, 0.75, 0.9)
"""Shares left a step later that are tried first; then neighbours, closer and closer."""
MOST_PLANS = 20_000
"""Logged plans of validation patients used to choose and to set the intervals' width."""


@dataclass(frozen=True, slots=True, eq=False)
class TrajectoryModel:
    """Predicts the outcome under planned treatments."""

    effects: MixedEffects
    width: Float64[np.ndarray, " horizon"]
    """Factor of the intervals' half-width after each step."""
    settings: PathSettings
    candidates: tuple[tuple[str, float], ...]
    """Scales that were tried, with the error on validation patients, in the outcome's unit."""
    check: CoverageCheck | None = None
    """Of the intervals, between halves of the validation patients; None: too few."""
    check_of_changes: CoverageCheck | None = None
    """The same under the plans that the intervals were widened for."""

    @property
    def horizon(self) -> int:
        """Longest plan, in steps."""
        return len(self.width)

    def predict(self, trajectories: OutcomeTrajectories, plans: Plans) -> PlannedOutcomes:
        """Mean and 90 % interval after each step of each plan."""
        if plans.treatment.shape[1] > self.horizon:
            raise UserError(
                f"the plan has {plans.treatment.shape[1]} steps, but the model was fitted for at "
                f"most {self.horizon}; shorten the plan or fit with a longer horizon."
            )
        paths = predict_paths(self.effects, trajectories, plans, self.settings)
        return scale_intervals(paths, self.width)


@dataclass(frozen=True, slots=True)
class TrajectoryLearner:
    """Hyper-parameters."""

    horizon: int = 6
    scales: tuple[Scale, ...] = ("difference", "relative", "log")
    clusters: tuple[int, ...] = (1, 2, 4)
    draws: int = 64
    seed: int = 0
    searches_carry_over: bool = True
    """Whether to try treatments that last, and interactions; no, where components say it."""
    shrinkages: tuple[float, ...] = (0.0,)
    """Of the statics' influence on effects (`fit_mixed_effects`)."""

    def fit(self, train: OutcomeTrajectories, validation: OutcomeTrajectories) -> TrajectoryModel:
        """Choose on the validation patients, then fit on the training patients."""
        plans = self._validation_plans(validation)
        truth = outcomes_under(validation, plans)
        fitted = []
        for scale in _possible(self.scales, train):
            effects = self._best_on_scale(scale, train, validation)
            paths = predict_paths(effects, validation, plans, PathSettings(self.draws, self.seed))
            fitted.append((_error(paths, truth), effects, paths))
        _error_reached, effects, paths = min(fitted, key=lambda each: each[0])
        return TrajectoryModel(
            effects,
            width_factors(paths, truth, plans.subject),
            PathSettings(self.draws, self.seed),
            tuple((each[1].spec.scale, each[0]) for each in fitted),
            check_coverage(paths, truth, plans.subject, np.random.default_rng(self.seed)),
        )

    def _validation_plans(self, validation: OutcomeTrajectories) -> Plans:
        plans = logged_plans(validation, self.horizon)
        if not len(plans):
            raise UserError(
                f"no validation patient has {self.horizon} steps in a row with known outcomes; "
                "choose a shorter horizon or add patients with longer follow-up."
            )
        if len(plans) <= MOST_PLANS:
            return plans
        rng = np.random.default_rng(self.seed)
        return select_plans(plans, np.sort(rng.choice(len(plans), MOST_PLANS, replace=False)))

    def _best_on_scale(
        self, scale: Scale, train: OutcomeTrajectories, validation: OutcomeTrajectories
    ) -> MixedEffects:
        rng = np.random.default_rng(self.seed)
        few = train
        if len(train) > 1_500:
            few = select_subjects(train, rng.choice(len(train), 1_500, replace=False))
        spec = describe_outcome(train, scale, _none(train))
        if self.searches_carry_over:
            spec = _find_carry_over(spec, few, validation)
        if self.searches_carry_over and train.treatment.shape[2] > 1:
            both = (spec, replace(spec, has_interactions=True))
            spec = max(both, key=lambda each: _density(each, few, validation))
        models = [
            fit_mixed_effects(spec, train, k, np.random.default_rng(k), shrinkage=shrinkage)
            for k in self.clusters
            for shrinkage in self.shrinkages
        ]
        sums = sum_steps(spec, validation)
        return max(models, key=lambda each: float(posterior(each, sums).evidence.sum()))


def widen_for(
    model: TrajectoryModel, validation: OutcomeTrajectories, plans: Plans
) -> TrajectoryModel:
    """The model with intervals that also cover under these plans, which were followed."""
    paths = predict_paths(model.effects, validation, plans, model.settings)
    truth = outcomes_under(validation, plans)
    width = np.maximum(model.width, width_factors(paths, truth, plans.subject))
    rng = np.random.default_rng(model.settings.seed)
    check = check_coverage(paths, truth, plans.subject, rng)
    return replace(model, width=width, check_of_changes=check)


def _possible(scales: tuple[Scale, ...], train: OutcomeTrajectories) -> Iterator[Scale]:
    """Relative scales need an outcome that is never negative."""
    for scale in scales:
        if scale == "difference" or np.nanmin(train.outcome) >= 0:
            yield scale


def _none(train: OutcomeTrajectories) -> tuple[float, ...]:
    return (0.0,) * train.treatment.shape[2]


def _error(paths: PlannedOutcomes, truth: np.ndarray) -> float:
    """Root mean squared error, averaged over the first and the last step."""
    each = np.sqrt(np.mean((paths.mean - truth) ** 2, axis=0))
    return float((each[0] + each[-1]) / 2)


def _density(spec: StepSpec, few: OutcomeTrajectories, validation: OutcomeTrajectories) -> float:
    model = fit_mixed_effects(spec, few, 1, np.random.default_rng(0), iterations=12)
    return float(posterior(model, sum_steps(spec, validation)).evidence.sum())


def _find_carry_over(
    spec: StepSpec, few: OutcomeTrajectories, validation: OutcomeTrajectories
) -> StepSpec:
    """One component after another: a coarse grid first, then neighbours of the best."""
    best, density = spec, _density(spec, few, validation)
    for distance in (None, 0.125, 0.06):
        for component in range(len(spec.carry_over)):
            now = best.carry_over[component]
            tried = LASTING if distance is None else (now - distance, now + distance)
            for share in tried:
                if not 0 <= share < 1 or share == now:
                    continue
                lasting = list(best.carry_over)
                lasting[component] = share
                other = replace(best, carry_over=tuple(lasting))
                reached = _density(other, few, validation)
                if reached > density:
                    best, density = other, reached
    return best
