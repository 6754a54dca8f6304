"""A policy that predicts every option at each of its dose levels and takes the best."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import Float32, Float64, Int64

from posology.domain.formulary import Formulary
from posology.domain.history import History, StepIndex
from posology.domain.policy import AllowedMask, Doses, choose_learned
from posology.domain.profile import Profile
from posology.domain.scaling import standardize
from posology.domain.statistics.link_functions import expit
from posology.learners.features.tabular import FeatureSpec, extract_features
from posology.learners.outcome_models.predictions import choose_most_effective
from posology.learners.outcome_models.target_distance import (
    TreatedDecisions,
    Vector,
    fit_logistic_by_option,
)
from posology.learners.outcome_models.treatment_interactions import TreatmentInteractions
from posology.learners.outcome_models.tree_policy import Trees, append_option, predict_trees
from posology.nn.dose_head import DoseLevels, mean_log_dose

DoseGrid = Float64[np.ndarray, "decision treatment level"]
"""NaN where an option has fewer levels."""


@dataclass(frozen=True, slots=True, eq=False)
class EffectivenessLink:
    """P(effective) = logistic(scale * distance + intercept + slope * shift), per option.

    Intercept and slope cover what the distance misses: some patients stop a treatment before its
    number is measured, more of them at larger doses.
    """

    scale: float
    intercept: Vector
    slope: Vector

    def probability(self, distance: DoseGrid, levels: DoseLevels) -> DoseGrid:
        """P(effective) of every option at every level."""
        offset = evaluate_dose_grid(
            levels, lambda k, shift: self.intercept[[k]] + self.slope[k] * shift, 1
        )
        return expit(self.scale * distance + offset)


@dataclass(frozen=True, slots=True, eq=False)
class DoseGridPolicy:
    """The option and dose of the highest P(effective), by a model of the target distance.

    The model is either linear (`interactions`, on columns standardised by `center` and `spread`)
    or a set of trees (`trees`, on the columns, the option and its log dose).
    """

    formulary: Formulary
    profile: Profile
    spec: FeatureSpec
    levels: DoseLevels
    """Dose levels of each option."""
    link: EffectivenessLink
    center: Float64[np.ndarray, " feature"] | None = None
    spread: Float64[np.ndarray, " feature"] | None = None
    interactions: TreatmentInteractions | None = None
    trees: Trees | None = None

    def predict_effectiveness(
        self, history: History, decisions: StepIndex, allowed: AllowedMask
    ) -> Float64[np.ndarray, "decision treatment 1"]:
        """P(option is effective) at its best dose; 0 for forbidden options."""
        p = np.nanmax(self.predict_dose_grid(history, decisions), axis=2)
        return (p * allowed)[:, :, None]

    def choice_probabilities(
        self, history: History, decisions: StepIndex, allowed: AllowedMask
    ) -> Float64[np.ndarray, "decision treatment"]:
        """The most effective allowed option."""
        p = self.predict_effectiveness(history, decisions, allowed)[:, :, 0]
        return choose_learned(self.formulary, allowed, partial(choose_most_effective, p))

    def predict_doses(self, history: History, decisions: StepIndex, allowed: AllowedMask) -> Doses:
        """The best dose level of each option; no dose across options."""
        best = np.nanargmax(self.predict_dose_grid(history, decisions), axis=2)
        dose = np.stack([np.array(d)[best[:, k]] for k, d in enumerate(self.levels)], axis=1)
        has_dose = np.array([t.dose is not None for t in self.formulary.treatments])
        overall = np.full((len(decisions), 1), np.nan)
        return Doses(np.where(allowed & has_dose, dose, np.nan), overall)

    def predict_dose_grid(self, history: History, decisions: StepIndex) -> DoseGrid:
        """P(effective) of every option at every level."""
        X = extract_features(self.spec, history, decisions)
        if self.trees is not None:
            distance = _tree_distance(self.trees, X, self.levels)
        else:
            assert self.interactions is not None
            assert self.center is not None
            assert self.spread is not None
            Z = standardize(X, self.center, self.spread).astype(np.float64)
            distance = _linear_distance(self.interactions, Z, self.levels)
        return self.link.probability(distance, self.levels)


def fit_effectiveness_link(
    distance: Float64[np.ndarray, " decision"], treated: TreatedDecisions, options: int
) -> EffectivenessLink:
    """Fit P(effective) to the predicted distance of the treatment received."""
    (scale,), intercept, slope = fit_logistic_by_option(distance[:, None], treated, options)
    return EffectivenessLink(float(scale), intercept, slope)


def evaluate_dose_grid(
    levels: DoseLevels,
    predict: Callable[[int, float], Float64[np.ndarray, " decision"]],
    decisions: int,
) -> DoseGrid:
    """predict(option, shift) at each dose level of each option."""
    grid = np.full((decisions, len(levels), max(len(doses) for doses in levels)), np.nan)
    for option, doses in enumerate(levels):
        for level, dose in enumerate(doses):
            grid[:, option, level] = predict(option, float(np.log2(dose)) - mean_log_dose(doses))
    return grid


def append_option_and_dose(
    X: Float32[np.ndarray, "decision feature"],  # noqa: N803
    option: Int64[np.ndarray, " decision"],
    shift: Float64[np.ndarray, " decision"],
    options: int,
) -> Float32[np.ndarray, "decision column"]:
    """Columns for the trees: features, one-hot option, log dose."""
    return np.hstack([append_option(X, option, options), shift[:, None].astype(np.float32)])


def _linear_distance(
    interactions: TreatmentInteractions,
    Z: Float64[np.ndarray, "decision feature"],  # noqa: N803
    levels: DoseLevels,
) -> DoseGrid:
    base = Z @ interactions.weights + interactions.intercept
    slope, curvature = interactions.slope, interactions.curvature
    return evaluate_dose_grid(
        levels, lambda k, shift: base[:, k] + slope[k] * shift + curvature[k] * shift**2, len(Z)
    )


def _tree_distance(
    trees: Trees,
    X: Float32[np.ndarray, "decision feature"],  # noqa: N803
    levels: DoseLevels,
) -> DoseGrid:
    n, options = len(X), len(levels)

    def predict(option: int, shift: float) -> Float64[np.ndarray, " decision"]:
        columns = append_option_and_dose(X, np.full(n, option), np.full(n, shift), options)
        return predict_trees(trees, columns)[:, 0]

    return evaluate_dose_grid(levels, predict, n)
