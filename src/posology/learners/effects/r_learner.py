"""Effects of each option on each patient, adjusted for confounding, or one option for all.

The R-learner (Nie and Wager 2021, doi:10.1093/biomet/asaa076, eq. 4) for any number of options: the
outcome minus its expectation is regressed on the treatment minus its probability, times the effect
modifiers. Up to five models are stacked with non-negative weights. Where no heterogeneity is shown,
the rule is the best single option for every patient.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64

from posology.causal.boosted_trees import make_boosted_trees
from posology.causal.doubly_robust_scores import Nuisance
from posology.causal.heterogeneity import Heterogeneity, heterogeneity_test
from posology.causal.outcome_regression import append_option
from posology.causal.propensity import PROPENSITY_FLOOR
from posology.causal.ridge import fit_ridge
from posology.causal.spline_basis import SplineBasis, expand_basis, fit_basis
from posology.causal.trial import FOLDS, Column, Mask, Matrix, Trial
from posology.learners.outcome_models.gradient_boosting import trees_of_boosting
from posology.learners.outcome_models.tree_policy import (
    Trees,
    add_trees,
    constant_trees,
    predict_each_option,
    predict_trees,
    scale_trees,
)

SIGNIFICANCE_LEVEL = 0.05
"""One-sided significance level of the heterogeneity test that permits a personal rule."""


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
    linear = [_linear(nuisance, basis) for basis in _bases(trial.covariates)]
    held_outs = [s.held_out for s in linear]
    candidates = [
        *held_outs,
        nuisance.outcome_regression.boosted_mean,
        _held_out_x_learner(nuisance),
    ]
    weights, level = _stack(candidates, nuisance.outcome_residual, treatment_residual)
    *linear_weights, tree_weight, x_learner_weight = (float(w) for w in weights)
    held_out = _held_out_stack(candidates, nuisance)
    trees = constant_trees(np.zeros(1))
    if tree_weight > 0:
        model = make_boosted_trees().fit(
            append_option(trial.covariates, trial.treatment, trial.n_options), trial.outcome
        )
        trees = trees_of_boosting(model, model.n_iter_, 1)
    x_learner_trees: tuple[Trees, ...] = ()
    if x_learner_weight > 0:
        x_learner_trees = _x_learner_trees(nuisance)
    ungated = Effects(
        best_single=int(nuisance.scores.mean(axis=0).argmax()),
        is_personal=True,
        heterogeneity=heterogeneity_test(
            held_out, nuisance.outcome_residual, treatment_residual, trial.subject
        ),
        average=level,
        linear=tuple(
            LinearEffects(s.basis, w * s.weights)
            for w, s in zip(linear_weights, linear, strict=True)
        ),
        trees=trees,
        tree_weight=tree_weight,
        x_learner_trees=x_learner_trees,
        x_learner_weight=x_learner_weight,
    )
    return gate_effects(ungated, nuisance) if gate else ungated


def gate_effects(effects: Effects, nuisance: Nuisance) -> Effects:
    """The effects, or the best single option for all where no heterogeneity is shown."""
    if effects.heterogeneity.p < SIGNIFICANCE_LEVEL:
        return effects
    return replace(effects, is_personal=False, average=nuisance.scores.mean(axis=0))


def fit_linear_effects(
    nuisance: Nuisance,
    X: Float64[np.ndarray, "decision feature"],  # noqa: N803
) -> Matrix:
    """Effects by one linear ridge regression without a gate: the benchmark of a better rule."""
    line = _linear(nuisance, fit_basis(nuisance.trial.covariates, hinges=False, products=False))
    weights, level = _stack([line.held_out], nuisance.outcome_residual, nuisance.treatment_residual)
    return level + weights[0] * (expand_basis(line.basis, X) @ line.weights)


def _bases(X: Float64[np.ndarray, "decision feature"]) -> list[SplineBasis]:  # noqa: N803
    """Linear; linear splines; and, with few enough covariates, linear with products."""
    bases = [fit_basis(X, hinges=bent, products=False) for bent in (False, True)]
    together = fit_basis(X, hinges=False, products=True)
    return [*bases, together] if len(together.feature_pairs) else bases


def _linear(nuisance: Nuisance, basis: SplineBasis) -> _Candidate:
    treatment_residual, options = nuisance.treatment_residual, nuisance.trial.n_options
    columns = expand_basis(basis, nuisance.trial.covariates)
    design = np.hstack(
        [treatment_residual, *(columns * treatment_residual[:, [k]] for k in range(options))]
    )
    fitted = fit_ridge(design, nuisance.outcome_residual, nuisance.fold, n_unpenalised=options)

    def by_option(coefficients: Column) -> Float64[np.ndarray, "column treatment"]:
        return coefficients[options:].reshape(options, columns.shape[1]).T

    held_out = np.zeros(treatment_residual.shape)
    for f in range(FOLDS):
        here = nuisance.fold == f
        held_out[here] = columns[here] @ by_option(fitted.fold_coefficients[f])
    return _Candidate(basis, by_option(fitted.coefficients), held_out)


def _held_out_x_learner(nuisance: Nuisance) -> Matrix:
    """X-learner effects of each fold by trees of the other folds.

    The expectations they use are also of those folds: with this fold's outcomes in them, the stack
    would give the trees too much weight.
    """
    trial, effect = nuisance.trial, np.zeros(nuisance.treatment_residual.shape)
    for f in np.unique(nuisance.fold):
        here = nuisance.fold == f
        parts = _x_learner(nuisance, ~here, nuisance.outcome_regression.mean_by_fold[f])
        for k, part in parts.items():
            for model, weight in part:
                effect[here, k] += weight * model.predict(trial.covariates[here])
    return effect


def _x_learner(
    nuisance: Nuisance, rows: Bool[np.ndarray, " decision"], mean: Matrix
) -> dict[int, tuple[tuple[Any, float], ...]]:
    """X-learner (Künzel 2019, doi:10.1073/pnas.1804597116) against the most frequent option.

    Per other option two models of the effect with their weights. For the patients of either option,
    the effect is their outcome minus the expected outcome of the other (`mean`). The two estimates
    are averaged, each weighted by the other option's share, since the expectation of the larger
    group is more precise. Shares rather than propensities: measured better where options hardly
    overlap (docs/decisions/effects-stack.md). Patients who could not have had the other option
    (propensity at its floor) are left out: its expectation for them is an extrapolation. Options
    that these decisions hardly have get no model, as they are not judged.
    """
    trial = nuisance.trial
    could = nuisance.propensity.probability > 2 * PROPENSITY_FLOOR
    reference = _most_frequent(trial, rows)
    of_reference = rows & (trial.treatment == reference)
    models = {}
    for k in range(trial.n_options):
        if k == reference:
            continue
        of_option = rows & (trial.treatment == k)
        if of_option.sum() < FOLDS:
            continue
        share = float(of_option.sum() / (of_option.sum() + of_reference.sum()))
        gain = trial.outcome - mean[:, reference], _where(of_option, could[:, reference])
        gain_of_reference = mean[:, k] - trial.outcome, _where(of_reference, could[:, k])
        models[k] = tuple(
            (make_boosted_trees().fit(trial.covariates[fitted], target[fitted]), weight)
            for (target, fitted), weight in ((gain, 1 - share), (gain_of_reference, share))
        )
    return models


def _x_learner_trees(nuisance: Nuisance) -> tuple[Trees, ...]:
    """The X-learner of all decisions, as trees per option; constant for the most frequent one."""
    everyone = np.ones(len(nuisance.trial), dtype=bool)
    parts = _x_learner(nuisance, everyone, nuisance.outcome_regression.mean_by_fold.mean(axis=0))
    x_learner_trees = []
    for k in range(nuisance.trial.n_options):
        trees = [
            scale_trees(trees_of_boosting(model, model.n_iter_, 1), weight)
            for model, weight in parts.get(k, ())
        ]
        x_learner_trees.append(add_trees(trees) if trees else constant_trees(np.zeros(1)))
    return tuple(x_learner_trees)


def _most_frequent(trial: Trial, rows: Bool[np.ndarray, " decision"]) -> int:
    return int(np.bincount(trial.treatment[rows], minlength=trial.n_options).argmax())


def _where(rows: Mask, condition: Mask) -> Mask:
    """The rows that fulfil the condition; all of them if none does."""
    return rows & condition if (rows & condition).any() else rows


def _stack(
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


def _held_out_stack(candidates: list[Matrix], nuisance: Nuisance) -> Matrix:
    """The stack's effects, with stacking weights also fitted outside each row's fold."""
    stacked = np.zeros(candidates[0].shape)
    for f in range(FOLDS):
        rest, here = nuisance.fold != f, nuisance.fold == f
        parts = [effect[rest] for effect in candidates]
        weights, level = _stack(
            parts, nuisance.outcome_residual[rest], nuisance.treatment_residual[rest]
        )
        stacked[here] = level + sum(
            w * effect[here] for w, effect in zip(weights, candidates, strict=True)
        )
    return stacked
