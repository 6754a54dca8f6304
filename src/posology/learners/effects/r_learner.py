"""Which option helps whom: effects learned free of who was chosen for what, or one option for all.

The R-learner (Nie and Wager 2021, doi:10.1093/biomet/asaa076, eq. 4) for any number of options: the
outcome less its expectation is regressed on the treatment less its probability, times what may
change the effect. Up to five models are stacked with weights that are not negative; where their
effects are not shown to vary, the answer is the best single option for everybody.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float64

from posology.causal.doubly_robust_scores import Nuisance
from posology.causal.heterogeneity import Heterogeneity, heterogeneity_test
from posology.causal.outcome_regression import append_option, make_boosted_trees
from posology.causal.ridge import fit_ridge
from posology.causal.spline_basis import SplineBasis, expand_basis, fit_basis
from posology.causal.trial import FOLDS, Column, Matrix, Trial
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
"""One-sided error rate of the test that lets the rule be personal."""


@dataclass(frozen=True, slots=True, eq=False)
class LinearEffects:
    """Effects as a weighted sum of bent covariates and their products."""

    basis: SplineBasis
    weights: Float64[np.ndarray, "column treatment"]


@dataclass(frozen=True, slots=True, eq=False)
class Effects:
    """How much better or worse than its own average each option is, as a function of covariates."""

    best_single: int
    """The best single option: for everybody where `personal` is false."""
    is_personal: bool
    heterogeneity: Heterogeneity
    average: Float64[np.ndarray, " treatment"]
    """Effect of each option on everybody, before what differs between patients."""
    linear: tuple[LinearEffects, ...]
    trees: Trees
    tree_weight: float
    """Of one model of the outcome, the option among its inputs."""
    x_learner_trees: tuple[Trees, ...]
    """One an option: what it adds to the option most often given, seen from either's patients."""
    x_learner_weight: float


def predict_effects(
    effects: Effects,
    X: Float64[np.ndarray, "decision feature"],  # noqa: N803
) -> Matrix:
    """Mean outcome of each option less that of the best single option."""
    said = np.tile(effects.average, (len(X), 1))
    if effects.is_personal:
        for part in effects.linear:
            said = said + expand_basis(part.basis, X) @ part.weights
        if effects.tree_weight:
            allowed = np.ones(said.shape, dtype=bool)
            grown = predict_each_option(effects.trees, X.astype(np.float32), allowed)
            said = said + effects.tree_weight * grown
        if effects.x_learner_weight:
            each = [predict_trees(trees, X.astype(np.float32)) for trees in effects.x_learner_trees]
            said = said + effects.x_learner_weight * np.hstack(each)
    return said - said[:, [effects.best_single]]


def choose_option(
    effects: Effects,
    X: Float64[np.ndarray, "decision feature"],  # noqa: N803
) -> np.ndarray:
    """The option of the largest effect; the best single one where it is as good."""
    return preference_scores(effects, X).argmax(axis=1)


def preference_scores(
    effects: Effects,
    X: Float64[np.ndarray, "decision feature"],  # noqa: N803
) -> Matrix:
    """The effects, the best single option ahead of any that is only as good."""
    said = predict_effects(effects, X)
    said[:, effects.best_single] += 1e-12
    return said


@dataclass(frozen=True, slots=True, eq=False)
class _Candidate:
    basis: SplineBasis
    weights: Float64[np.ndarray, "column treatment"]
    held_out: Matrix
    """Effects by coefficients learned outside each row's fold."""


def fit_effects(nuisance: Nuisance, gate: bool = True) -> Effects:
    """Learn from cross-fitted residuals; without `gate` the effects are always personal."""
    trial, surprise = nuisance.trial, nuisance.treatment_residual
    sums = [_linear(nuisance, basis) for basis in _bases(trial.covariates)]
    held_outs = [s.held_out for s in sums]
    candidates = [*held_outs, nuisance.outcome_regression.boosted_mean, _swapped(nuisance)]
    weights, level = _stack(candidates, nuisance.outcome_residual, surprise)
    *of_sums, tree_weight, arm_weight = (float(w) for w in weights)
    held_out = _held_out(candidates, nuisance)
    trees = constant_trees(np.zeros(1))
    if tree_weight > 0:
        model = make_boosted_trees().fit(
            append_option(trial.covariates, trial.treatment, trial.n_options), trial.outcome
        )
        trees = trees_of_boosting(model, model.n_iter_, 1)
    arms: tuple[Trees, ...] = ()
    if arm_weight > 0:
        arms = _arms(
            trial, np.ones(len(trial), bool), nuisance.outcome_regression.mean_by_fold.mean(axis=0)
        )
    free = Effects(
        best_single=int(nuisance.scores.mean(axis=0).argmax()),
        is_personal=True,
        heterogeneity=heterogeneity_test(held_out, nuisance.outcome_residual, surprise),
        average=level,
        linear=tuple(
            LinearEffects(s.basis, w * s.weights) for w, s in zip(of_sums, sums, strict=True)
        ),
        trees=trees,
        tree_weight=tree_weight,
        x_learner_trees=arms,
        x_learner_weight=arm_weight,
    )
    return gate_effects(free, nuisance) if gate else free


def gate_effects(effects: Effects, nuisance: Nuisance) -> Effects:
    """The same effects, or the best single option for all where they are not shown to vary."""
    if effects.heterogeneity.p < SIGNIFICANCE_LEVEL:
        return effects
    return replace(effects, is_personal=False, average=nuisance.scores.mean(axis=0))


def fit_linear_effects(
    nuisance: Nuisance,
    X: Float64[np.ndarray, "decision feature"],  # noqa: N803
) -> Matrix:
    """Effects by one ridge regression of lines, without a gate: what a better rule must beat."""
    line = _linear(nuisance, fit_basis(nuisance.trial.covariates, hinges=False, products=False))
    weights, level = _stack([line.held_out], nuisance.outcome_residual, nuisance.treatment_residual)
    return level + weights[0] * (expand_basis(line.basis, X) @ line.weights)


def _bases(X: Float64[np.ndarray, "decision feature"]) -> list[SplineBasis]:  # noqa: N803
    """Lines; bent lines; and, where covariates are few enough, lines and their products."""
    bases = [fit_basis(X, hinges=bent, products=False) for bent in (False, True)]
    together = fit_basis(X, hinges=False, products=True)
    return [*bases, together] if len(together.feature_pairs) else bases


def _linear(nuisance: Nuisance, basis: SplineBasis) -> _Candidate:
    surprise, options = nuisance.treatment_residual, nuisance.trial.n_options
    columns = expand_basis(basis, nuisance.trial.covariates)
    design = np.hstack([surprise, *(columns * surprise[:, [k]] for k in range(options))])
    fitted = fit_ridge(design, nuisance.outcome_residual, nuisance.fold, n_unpenalised=options)

    def by_option(coefficients: Column) -> Float64[np.ndarray, "column treatment"]:
        return coefficients[options:].reshape(options, columns.shape[1]).T

    held_out = np.zeros(surprise.shape)
    for f in range(FOLDS):
        here = nuisance.fold == f
        held_out[here] = columns[here] @ by_option(fitted.fold_coefficients[f])
    return _Candidate(basis, by_option(fitted.coefficients), held_out)


def _swapped(nuisance: Nuisance) -> Matrix:
    """What the trees of the other folds say each option adds.

    The expectations they learn from are of the same folds: had they met this one's outcomes, the
    stack would believe the trees too much.
    """
    trial, said = nuisance.trial, np.zeros(nuisance.treatment_residual.shape)
    for f in range(FOLDS):
        here = nuisance.fold == f
        arms = _arms(trial, ~here, nuisance.outcome_regression.mean_by_fold[f])
        asked = trial.covariates[here].astype(np.float32)
        said[here] = np.hstack([predict_trees(trees, asked) for trees in arms])
    return said


def _arms(trial: Trial, rows: Bool[np.ndarray, " decision"], mean: Matrix) -> tuple[Trees, ...]:
    """The X-learner (Künzel 2019, doi:10.1073/pnas.1804597116) against the option most often given.

    The patients of each show what it brought them less what the other was expected to (`mean`).
    Both answers are averaged, the rarer option's own with the weight of the other's share, for what
    it is held against is known from more patients. Shares, not propensities: measured better where
    options hardly overlap (docs/decisions/effects-stack.md).
    """
    usual = int(np.bincount(trial.treatment[rows], minlength=trial.n_options).argmax())
    theirs = rows & (trial.treatment == usual)
    arms = []
    for k in range(trial.n_options):
        mine = rows & (trial.treatment == k)
        share = mine.sum() / (mine.sum() + theirs.sum())
        arms.append(constant_trees(np.zeros(1)) if k == usual else add_trees([
            scale_trees(_grown(trial, mine, trial.outcome - mean[:, usual]), 1 - share),
            scale_trees(_grown(trial, theirs, mean[:, k] - trial.outcome), share),
        ]))  # fmt: skip
    return tuple(arms)


def _grown(trial: Trial, rows: Bool[np.ndarray, " decision"], target: Column) -> Trees:
    model = make_boosted_trees().fit(trial.covariates[rows], target[rows])
    return trees_of_boosting(model, model.n_iter_, 1)


def _stack(
    candidates: list[Matrix], residual: Column, surprise: Matrix
) -> tuple[Float64[np.ndarray, " candidate"], Float64[np.ndarray, " treatment"]]:
    """Weights of the candidates, none negative, and each option's level, which is free."""
    from scipy.optimize import nnls

    columns = np.column_stack([(surprise * effect).sum(axis=1) for effect in candidates])
    free = surprise[:, 1:]
    clean = columns - free @ np.linalg.lstsq(free, columns, rcond=None)[0]
    rest = residual - free @ np.linalg.lstsq(free, residual, rcond=None)[0]
    weights = nnls(clean, rest)[0]
    level = np.linalg.lstsq(free, residual - columns @ weights, rcond=None)[0]
    return weights, np.concatenate([[0.0], level])


def _held_out(candidates: list[Matrix], nuisance: Nuisance) -> Matrix:
    """The stack's effects, its weights learned outside each row's fold too."""
    said = np.zeros(candidates[0].shape)
    for f in range(FOLDS):
        rest, here = nuisance.fold != f, nuisance.fold == f
        parts = [effect[rest] for effect in candidates]
        weights, level = _stack(
            parts, nuisance.outcome_residual[rest], nuisance.treatment_residual[rest]
        )
        said[here] = level + sum(
            w * effect[here] for w, effect in zip(weights, candidates, strict=True)
        )
    return said
