"""Effects of each option on each patient, adjusted for confounding, or one option for all.

The R-learner (Nie and Wager 2021, doi:10.1093/biomet/asaa076, eq. 4) for any number of options: the
outcome minus its expectation is regressed on the treatment minus its probability, times the effect
modifiers. Up to five models are stacked with non-negative weights. Where no heterogeneity is shown,
the rule is the best single option for every patient.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64

from posology.causal.boosted_trees import make_boosted_trees
from posology.causal.doubly_robust_scores import Nuisance
from posology.causal.heterogeneity import Heterogeneity
from posology.causal.outcome_regression import append_option
from posology.causal.ridge import fit_ridge
from posology.causal.spline_basis import SplineBasis, expand_basis, fit_basis
from posology.causal.trial import FOLDS, Column, Matrix, rare_options
from posology.learners.effects.gate import assess_heterogeneity
from posology.learners.effects.x_learner import held_out_x_learner, x_learner_trees
from posology.learners.outcome_models.gradient_boosting import trees_of_boosting
from posology.learners.outcome_models.tree_policy import (
    Trees,
    constant_trees,
    predict_each_option,
    predict_trees,
)

SIGNIFICANCE_LEVEL = 0.05
"""Significance level of the heterogeneity test that permits a personal rule (gate.py)."""


@dataclass(frozen=True, slots=True, eq=False)
class LinearEffects:
    """Effects as a linear function of spline columns of the covariates and their products."""

    basis: SplineBasis
    weights: Float64[np.ndarray, "column treatment"]


@dataclass(frozen=True, slots=True, eq=False)
class Effects:
    """The effect of each option as a function of covariates."""

    best_single: int
    """The best single option: chosen for every patient unless `is_personal`."""
    is_personal: bool
    heterogeneity: Heterogeneity
    average: Float64[np.ndarray, " treatment"]
    """Average effect of each option, before effect modification."""
    linear: tuple[LinearEffects, ...]
    trees: Trees
    tree_weight: float
    """Weight of `trees`, one model of the outcome with the option as an input (S-learner)."""
    x_learner_trees: tuple[Trees, ...]
    """Per option: its effect over the most frequent option (X-learner)."""
    x_learner_weight: float


def predict_effects(
    effects: Effects,
    X: Float64[np.ndarray, "decision feature"],  # noqa: N803
) -> Matrix:
    """Expected outcome of each option minus that of the best single option."""
    effect = np.tile(effects.average, (len(X), 1))
    if effects.is_personal:
        for part in effects.linear:
            effect = effect + expand_basis(part.basis, X) @ part.weights
        if effects.tree_weight:
            allowed = np.ones(effect.shape, dtype=bool)
            grown = predict_each_option(effects.trees, X.astype(np.float32), allowed)
            effect = effect + effects.tree_weight * grown
        if effects.x_learner_weight:
            each = [predict_trees(trees, X.astype(np.float32)) for trees in effects.x_learner_trees]
            effect = effect + effects.x_learner_weight * np.hstack(each)
    return effect - effect[:, [effects.best_single]]


def choose_option(
    effects: Effects,
    X: Float64[np.ndarray, "decision feature"],  # noqa: N803
) -> np.ndarray:
    """The option with the largest effect; ties go to the best single option."""
    return preference_scores(effects, X).argmax(axis=1)


def preference_scores(
    effects: Effects,
    X: Float64[np.ndarray, "decision feature"],  # noqa: N803
) -> Matrix:
    """The effects, with ties broken in favour of the best single option."""
    effect = predict_effects(effects, X)
    effect[:, effects.best_single] += 1e-12
    return effect


@dataclass(frozen=True, slots=True, eq=False)
class _Candidate:
    basis: SplineBasis
    weights: Float64[np.ndarray, "column treatment"]
    held_out: Matrix
    """Effects by coefficients fitted outside each row's fold."""


def fit_effects(nuisance: Nuisance, gate: bool = True) -> Effects:
    """Fit effects to cross-fitted residuals; without `gate` the rule is always personal."""
    trial, treatment_residual = nuisance.trial, nuisance.treatment_residual
    linear = [_linear(nuisance, basis) for basis in effect_bases(trial.covariates)]
    held_outs = [s.held_out for s in linear]
    candidates = [
        *held_outs,
        nuisance.outcome_regression.boosted_mean,
        held_out_x_learner(nuisance),
    ]
    weights, level = stack_effects(candidates, nuisance.outcome_residual, treatment_residual)
    *linear_weights, tree_weight, x_learner_weight = (float(w) for w in weights)
    held_out = held_out_stack(candidates, nuisance)
    trees = constant_trees(np.zeros(1))
    if tree_weight > 0:
        model = make_boosted_trees().fit(
            append_option(trial.covariates, trial.treatment, trial.n_options), trial.outcome
        )
        trees = trees_of_boosting(model, model.n_iter_, 1)
    over_the_most_frequent: tuple[Trees, ...] = ()
    if x_learner_weight > 0:
        over_the_most_frequent = x_learner_trees(nuisance)
    average = nuisance.scores.mean(axis=0)
    average[rare_options(trial)] = -np.inf
    ungated = Effects(
        best_single=int(average.argmax()),
        is_personal=True,
        heterogeneity=assess_heterogeneity(nuisance, held_out),
        average=level,
        linear=tuple(
            LinearEffects(s.basis, w * s.weights)
            for w, s in zip(linear_weights, linear, strict=True)
        ),
        trees=trees,
        tree_weight=tree_weight,
        x_learner_trees=over_the_most_frequent,
        x_learner_weight=x_learner_weight,
    )
    return gate_effects(ungated, nuisance) if gate else ungated


def gate_effects(effects: Effects, nuisance: Nuisance) -> Effects:
    """The effects, or the best single option for all where no heterogeneity is shown."""
    if effects.heterogeneity.p < SIGNIFICANCE_LEVEL:
        return effects
    return replace(effects, is_personal=False, average=nuisance.scores.mean(axis=0))


def effect_bases(X: Float64[np.ndarray, "decision feature"]) -> list[SplineBasis]:  # noqa: N803
    """Linear; linear splines; and, with few enough covariates, linear with products."""
    bases = [fit_basis(X, hinges=bent, products=False) for bent in (False, True)]
    together = fit_basis(X, hinges=False, products=True)
    return [*bases, together] if len(together.feature_pairs) else bases


def effect_design(
    columns: Float64[np.ndarray, "decision column"], treatment_residual: Matrix
) -> Float64[np.ndarray, "decision regressor"]:
    """Regressors of the effects: intercepts, then the columns, times each treatment residual."""
    by_option = [columns * treatment_residual[:, [k]] for k in range(treatment_residual.shape[1])]
    return np.hstack([treatment_residual, *by_option])


def effect_weights(
    coefficients: Float64[np.ndarray, " regressor"], options: int
) -> Float64[np.ndarray, "column treatment"]:
    """The coefficients of a design of effects, without its intercepts."""
    return coefficients[options:].reshape(options, -1).T


def _linear(nuisance: Nuisance, basis: SplineBasis) -> _Candidate:
    treatment_residual, options = nuisance.treatment_residual, nuisance.trial.n_options
    columns = expand_basis(basis, nuisance.trial.covariates)
    design = effect_design(columns, treatment_residual)
    fitted = fit_ridge(design, nuisance.outcome_residual, nuisance.fold, n_unpenalised=options)
    held_out = np.zeros(treatment_residual.shape)
    for f in range(FOLDS):
        here = nuisance.fold == f
        held_out[here] = columns[here] @ effect_weights(fitted.fold_coefficients[f], options)
    return _Candidate(basis, effect_weights(fitted.coefficients, options), held_out)


def stack_effects(
    candidates: list[Matrix], residual: Column, treatment_residual: Matrix
) -> tuple[Float64[np.ndarray, " candidate"], Float64[np.ndarray, " treatment"]]:
    """Non-negative weights of the candidates, and each option's unconstrained average effect."""
    from scipy.optimize import nnls

    columns = np.column_stack([(treatment_residual * effect).sum(axis=1) for effect in candidates])
    intercepts = treatment_residual[:, 1:]
    partialled = columns - intercepts @ np.linalg.lstsq(intercepts, columns, rcond=None)[0]
    rest = residual - intercepts @ np.linalg.lstsq(intercepts, residual, rcond=None)[0]
    weights = nnls(partialled, rest)[0]
    level = np.linalg.lstsq(intercepts, residual - columns @ weights, rcond=None)[0]
    return weights, np.concatenate([[0.0], level])


def held_out_stack(candidates: list[Matrix], nuisance: Nuisance) -> Matrix:
    """The stack's effects, with stacking weights also fitted outside each row's fold."""
    stacked = np.zeros(candidates[0].shape)
    for f in range(FOLDS):
        rest, here = nuisance.fold != f, nuisance.fold == f
        parts = [effect[rest] for effect in candidates]
        weights, level = stack_effects(
            parts, nuisance.outcome_residual[rest], nuisance.treatment_residual[rest]
        )
        stacked[here] = level + sum(
            w * effect[here] for w, effect in zip(weights, candidates, strict=True)
        )
    return stacked
