"""Outcome regressions: expected outcome under each option, cross-fitted and stacked."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from jaxtyping import Float64

from posology.causal.boosted_trees import distinct_columns, fill_unknown, make_boosted_trees
from posology.causal.ridge import PENALTIES, FoldProducts, RidgeTask, solve_ridges
from posology.causal.spline_basis import expand_basis, fit_basis
from posology.causal.tree_values import predict_options
from posology.causal.trial import FOLDS, Column, Completed, Fold, Mask, Matrix, Trial

EveryFold = Float64[np.ndarray, "fold decision treatment"]


@dataclass(frozen=True, slots=True, eq=False)
class OutcomeRegression:
    """Expected outcome under each option, by models that have not seen the decision's subject.

    It never leaves the range of the outcomes observed under the option: where an option was not
    given to such patients, nothing would hold an extrapolation back.
    """

    mean: Matrix
    boosted_mean: Matrix
    """Expected outcome of the boosted trees alone."""
    stacking_weights: tuple[float, float]
    """Stacking weights of the ridge regression and of the trees."""
    mean_by_fold: EveryFold
    """Expected outcome of every decision by the models fitted without each fold; `mean` takes each
    decision's own fold. Without a fold that has no decisions: the mean of the others."""


@dataclass(frozen=True, slots=True, eq=False)
class PairOutcomes:
    """What effects are learned from where two folds are left out: one judged, one to stack on."""

    outcome: Column
    """Of every decision; corrected by models of the other three folds where it is unknown."""
    mean: Matrix
    """Expected outcome under each option: mean of a ridge regression's and of boosted trees', both
    of the other three folds. Weights that fit would need a fourth."""


@dataclass(frozen=True, slots=True, eq=False)
class RidgeColumns:
    """Columns that all options share, and those that each option has its own coefficients of."""

    common: Float64[np.ndarray, "decision shared_column"]
    own: Float64[np.ndarray, "decision own_column"]
    products: FoldProducts
    """Of the options given: intercepts, common columns, own columns of each option."""


def fit_outcome_regression(
    trial: Trial, fold: Fold, completed: Completed | None = None
) -> OutcomeRegression:
    """Stack a ridge regression on a spline basis per option with boosted trees.

    The weights are non-negative least squares on the held-out folds (Breiman 1996,
    doi:10.1007/BF00117832).

    Args:
        trial: all outcomes are known, or completed.
        fold: of each decision.
        completed: where outcomes were unknown: those for the models of each fold, and the trees
            that they were corrected by, which serve here, too.
    """
    return fit_outcome_regressions([trial], fold, [completed])[0]


def fit_outcome_regressions(
    trials: Sequence[Trial], fold: Fold, completed: Sequence[Completed | None]
) -> list[OutcomeRegression]:
    """The same of several outcomes of the same decisions, whose ridge regressions share systems."""
    if not trials:
        return []
    targets = [_targets(*each) for each in zip(trials, completed, strict=True)]
    tasks, present = [RidgeTask(target) for target in targets], np.unique(fold).tolist()
    ridges = _ridges(ridge_columns(trials[0], fold), tasks, trials[0].n_options)
    regressions = []
    for trial, target, ridge, own in zip(trials, targets, ridges, completed, strict=True):
        boosted = [_boosted(trial, fold != f) if own is None else own.expected[f] for f in present]
        for f in set(range(FOLDS)) - set(present):
            boosted.insert(f, np.mean(boosted, axis=0))
        regressions.append(_stack(trial, fold, ridge, np.stack(boosted), _Used(target, None)))
    return regressions


def fit_nested_regressions(
    trial: Trial,
    fold: Fold,
    completed: tuple[Completed, ...] | None = None,
    on_pair: Callable[[int], None] = lambda done: None,  # noqa: ARG005
) -> tuple[tuple[OutcomeRegression, ...], dict[tuple[int, int], PairOutcomes]]:
    """For each fold, outcome regressions cross-fitted over the other four, of every decision.

    Also what effects are learned from without each two folds.

    Nothing depends on an outcome of the left-out fold. The decisions of that fold get the mean of
    the four models, none of which has seen them. Models that leave out the same two folds are
    fitted once.

    Args:
        trial: the decisions.
        fold: of each decision.
        completed: where outcomes are unknown: of each left-out fold.
        on_pair: called with how many pairs of folds are done.
    """
    boosted, outcomes = {}, {}
    targets = [_targets(trial, None if completed is None else completed[k]) for k in range(FOLDS)]
    for done, pair in enumerate(combinations(range(FOLDS), 2)):
        on_pair(done)
        first, second = pair
        outcomes[pair] = targets[first][second]
        if completed is None:
            boosted[pair] = _boosted(trial, ~np.isin(fold, pair))
        else:
            boosted[pair] = completed[first].expected[second]
    columns, rows = ridge_columns(trial, fold), np.arange(len(trial))
    tasks = [RidgeTask(target, (k,)) for k, target in enumerate(targets)]
    regressions = []
    for k, ridge in enumerate(_ridges(columns, tasks, trial.n_options)):
        trees = [boosted[min(f, k), max(f, k)] for f in range(FOLDS) if f != k]
        trees.insert(k, np.mean(trees, axis=0))
        own = replace(trial, outcome=targets[k][fold, rows])
        regressions.append(_stack(own, fold, ridge, np.stack(trees), _Used(targets[k], k)))
    means = _pair_ridges(trial, columns, outcomes)
    pairs = {
        pair: PairOutcomes(outcome, (means[pair] + boosted[pair]) / 2)
        for pair, outcome in outcomes.items()
    }
    return tuple(regressions), pairs


def _targets(trial: Trial, completed: Completed | None) -> Float64[np.ndarray, "fold decision"]:
    """Outcomes for the models of each fold."""
    return np.tile(trial.outcome, (FOLDS, 1)) if completed is None else completed.outcome


@dataclass(frozen=True, slots=True, eq=False)
class _Used:
    """What regressions were fitted to: each fold's target, and the fold that was left out."""

    target: Float64[np.ndarray, "fold decision"]
    left_out: int | None


def _stack(
    trial: Trial, fold: Fold, ridge: EveryFold, boosted: EveryFold, used: _Used
) -> OutcomeRegression:
    from scipy.optimize import nnls

    rest = fold != (-1 if used.left_out is None else used.left_out)
    present = np.unique(fold[rest]).tolist()
    for f in present:
        ridge[f] = _within_observed(ridge[f], trial, used.target[f], rest & (fold != f))
    for f in set(range(FOLDS)) - set(present):
        ridge[f] = ridge[present].mean(axis=0)
    rows, outcome = np.flatnonzero(rest), trial.outcome[rest]
    center = float(outcome.mean())
    held_out = np.column_stack(
        [m[fold[rows], rows, trial.treatment[rows]] for m in (ridge, boosted)]
    )
    ridge_weight, tree_weight = nnls(held_out - center, outcome - center)[0]
    every = center + ridge_weight * (ridge - center) + tree_weight * (boosted - center)
    for f in range(FOLDS):
        every[f] = _within_observed(every[f], trial, used.target[f], rest & (fold != f))
    index = np.arange(len(trial))
    weights = float(ridge_weight), float(tree_weight)
    return OutcomeRegression(every[fold, index], boosted[fold, index], weights, every)


def _within_observed(mean: Matrix, trial: Trial, outcome: Column, fitted: Mask) -> Matrix:
    """Keep each option's expectation within the outcomes of the option in the rows fitted."""
    if np.isin(outcome[fitted], (0.0, 1.0)).all():
        return np.clip(mean, 0, 1)
    limited = mean.copy()
    for k in range(trial.n_options):
        seen = outcome[fitted & (trial.treatment == k)]
        if len(seen):
            limited[:, k] = np.clip(mean[:, k], seen.min(), seen.max())
    return limited


def ridge_columns(trial: Trial, fold: Fold) -> RidgeColumns:
    """Columns of a spline basis and their cross products; no outcome enters them."""
    common = expand_basis(fit_basis(trial.covariates, hinges=True, products=True), trial.covariates)
    calendar = trial.outcome_calendar
    if calendar is not None:  # no option's own: an option is not given in every year
        dated = fit_basis(calendar, hinges=True, products=False)
        common = np.hstack([common, expand_basis(dated, calendar)])
    own = expand_basis(fit_basis(trial.covariates, hinges=True, products=False), trial.covariates)
    given = np.eye(trial.n_options)[trial.treatment]
    by_option = [own * given[:, [k]] for k in range(trial.n_options)]
    design = np.hstack([given, common, *by_option])
    grams = np.zeros((FOLDS, design.shape[1], design.shape[1]))
    for k in range(trial.n_options):
        # Of a decision, the columns of the options that were not given are 0.
        first, width = trial.n_options + common.shape[1], own.shape[1]
        shared, mine = np.arange(trial.n_options, first), first + k * width + np.arange(width)
        at = np.concatenate([[k], shared, mine])
        for f in range(FOLDS):
            rows = design[np.flatnonzero((fold == f) & (trial.treatment == k))[:, None], at]
            grams[f][np.ix_(at, at)] += rows.T @ rows
    return RidgeColumns(common, own, FoldProducts(design, fold, grams))


def _ridges(columns: RidgeColumns, tasks: Sequence[RidgeTask], options: int) -> list[EveryFold]:
    """Expected outcomes of each target by the coefficients without each fold."""
    fits = solve_ridges(columns.products, tasks, n_unpenalised=options)
    return [_predict_ridge(columns, fitted.fold_coefficients, options) for fitted in fits]


def _pair_ridges(
    trial: Trial, columns: RidgeColumns, targets: Mapping[tuple[int, int], Column]
) -> dict[tuple[int, int], Matrix]:
    """Expected outcomes of each target without its two folds; nor do these choose the penalty."""
    tasks = [RidgeTask(target, pair) for pair, target in targets.items()]
    fits = solve_ridges(columns.products, tasks, trial.n_options, PENALTIES[::2])
    found = {}
    for (pair, target), fitted in zip(targets.items(), fits, strict=True):
        mean = _predict_ridge(columns, fitted.coefficients[None], trial.n_options)[0]
        learning = ~np.isin(columns.products.fold, pair)
        found[pair] = _within_observed(mean, trial, target, learning)
    return found


def _predict_ridge(
    columns: RidgeColumns, coefficients: Float64[np.ndarray, "model column"], options: int
) -> Float64[np.ndarray, "model decision treatment"]:
    """Expected outcome of every decision under each option, by each model."""
    start = options + columns.common.shape[1]
    shared = columns.common @ coefficients[:, options:start].T
    own = coefficients[:, start:].reshape(len(coefficients), options, columns.own.shape[1])
    every = np.empty((len(coefficients), len(shared), options))
    for k in range(options):
        every[:, :, k] = (shared + columns.own @ own[:, k].T + coefficients[:, k]).T
    return every


def _boosted(trial: Trial, rows: Mask) -> Matrix:
    """Expected outcome of every decision under each option, by trees fitted on some rows."""
    columns = distinct_columns(trial.outcome_confounders)
    inputs = append_option(columns, trial.treatment, trial.n_options)
    trees = make_boosted_trees().fit(fill_unknown(inputs[rows]), trial.outcome[rows])
    return predict_options(trees, inputs, trial.n_options)


def append_option(
    X: Float64[np.ndarray, "decision feature"],  # noqa: N803
    option: np.ndarray,
    options: int,
) -> Float64[np.ndarray, "decision feature_and_option"]:
    """The covariates with the option as one-hot columns."""
    return np.hstack([X, np.eye(options)[option]])
