"""Effects of every patient by models fitted on other patients (cross-fitting)."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int64

from posology.causal.doubly_robust_scores import fit_nuisance
from posology.causal.propensity import Propensity
from posology.causal.trial import FOLDS, Matrix, Trial, assign_folds, select_rows
from posology.learners.effects.r_learner import (
    fit_effects,
    fit_linear_effects,
    gate_effects,
    predict_effects,
    preference_scores,
)

Options = Int64[np.ndarray, " decision"]


@dataclass(frozen=True, slots=True, eq=False)
class HeldOutEffects:
    """Predictions for each patient by models of the other folds."""

    fold: Int64[np.ndarray, " decision"]
    effects: Matrix
    """Each option's effect over the best best_single one, before the heterogeneity test."""
    chosen: Options
    """Option of the rule, which is personal_folds only where heterogeneity is shown."""
    best_single: Options
    """The best best_single option of the other folds; where it is forbidden, the next best."""
    linear_choice: Options
    """Option of a linear rule that is always personal_folds, for comparison."""
    personal_folds: int
    """Number of folds in which the rule was personal_folds."""


def estimate_held_out_effects(
    trial: Trial,
    allowed: Bool[np.ndarray, "decision treatment"],
    rng: np.random.Generator,
    on_fold: Callable[[int], None] = lambda fold: None,  # noqa: ARG005
    propensity: Propensity | None = None,
) -> HeldOutEffects:
    """Fit on four folds of subjects and predict the fifth, five times.

    Args:
        allowed: options that the safety rules permit.
        on_fold: called with the number of each fold, for progress.
        propensity: known treatment probabilities of a randomised trial.
    """
    fold = assign_folds(trial, rng)
    effects, chosen = np.zeros((len(trial), trial.n_options)), np.zeros(len(trial), np.int64)
    best_single, personal_folds = np.zeros(len(trial), np.int64), 0
    linear_choice = np.zeros(len(trial), np.int64)
    for f in range(FOLDS):
        on_fold(f + 1)
        rest, here = fold != f, fold == f
        known_propensity = None if propensity is None else _rows(propensity, rest)
        nuisance = fit_nuisance(select_rows(trial, rest), rng, known_propensity)
        ungated = fit_effects(nuisance, gate=False)
        rule = gate_effects(ungated, nuisance)
        covariates = trial.covariates[here]
        effects[here] = predict_effects(ungated, covariates)
        values = nuisance.scores.mean(axis=0)
        best_single[here] = np.where(allowed[here], values, -np.inf).argmax(axis=1)
        chosen[here] = np.where(allowed[here], preference_scores(rule, covariates), -np.inf).argmax(
            axis=1
        )
        linear_effects = fit_linear_effects(nuisance, covariates)
        linear_choice[here] = np.where(allowed[here], linear_effects, -np.inf).argmax(axis=1)
        personal_folds += rule.is_personal
    return HeldOutEffects(fold, effects, chosen, best_single, linear_choice, personal_folds)


def _rows(chances: Propensity, keep: Bool[np.ndarray, " decision"]) -> Propensity:
    return Propensity(chances.probability[keep], chances.model, chances.log_loss)
