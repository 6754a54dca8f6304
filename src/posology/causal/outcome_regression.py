"""Outcome regressions: expected outcome under each option, cross-fitted and stacked."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64

from posology.causal.ridge import fit_ridge
from posology.causal.spline_basis import expand_basis, fit_basis
from posology.causal.trial import FOLDS, Fold, Matrix, Trial

EveryFold = Float64[np.ndarray, "fold decision treatment"]


@dataclass(frozen=True, slots=True, eq=False)
class OutcomeRegression:
    """Expected outcome under each option, by models that have not seen the decision's subject."""

    mean: Matrix
    boosted_mean: Matrix
    """Expected outcome of the boosted trees alone."""
    stacking_weights: tuple[float, float]
    """Stacking weights of the ridge regression and of the trees."""
    mean_by_fold: EveryFold
    """Expected outcome of every decision by the models fitted without each fold; `mean` takes each
    decision's own fold."""


def fit_outcome_regression(
    trial: Trial, fold: Fold, outcome_by_fold: Float64[np.ndarray, "fold decision"] | None = None
) -> OutcomeRegression:
    """Stack a ridge regression on a spline basis per option with boosted trees.

    The weights are non-negative least squares on the held-out folds (Breiman 1996,
    doi:10.1007/BF00117832). outcome_by_fold: outcomes for the models of each fold; those of its own
    decisions are `trial.outcome` (missing_outcomes.py). None: `trial.outcome` for all.
    """
    from scipy.optimize import nnls

    target = np.tile(trial.outcome, (FOLDS, 1)) if outcome_by_fold is None else outcome_by_fold
    ridge, boosted = _ridge(trial, fold, target), _boosted(trial, fold, target)
    rows, center = np.arange(len(trial)), float(trial.outcome.mean())
    held_out = np.column_stack([m[fold, rows, trial.treatment] for m in (ridge, boosted)]) - center
    ridge_weight, tree_weight = nnls(held_out, trial.outcome - center)[0]
    every = center + ridge_weight * (ridge - center) + tree_weight * (boosted - center)
    if np.isin(trial.outcome, (0.0, 1.0)).all():
        every = np.clip(every, 0, 1)
    weights = float(ridge_weight), float(tree_weight)
    return OutcomeRegression(every[fold, rows], boosted[fold, rows], weights, every)


def _ridge(trial: Trial, fold: Fold, target: np.ndarray) -> EveryFold:
    common = expand_basis(fit_basis(trial.covariates, hinges=True, products=True), trial.covariates)
    own = expand_basis(fit_basis(trial.covariates, hinges=True, products=False), trial.covariates)
    one_hot = np.eye(trial.n_options)

    def design(option: np.ndarray) -> Float64[np.ndarray, "decision column"]:
        by_option = [own * option[:, [k]] for k in range(trial.n_options)]
        return np.hstack([option, common, *by_option])

    fitted = fit_ridge(
        design(one_hot[trial.treatment]), target, fold, n_unpenalised=trial.n_options
    )
    every = [design(np.tile(one, (len(trial), 1))) @ fitted.fold_coefficients.T for one in one_hot]
    return np.stack(every, axis=2).transpose(1, 0, 2)


def _boosted(trial: Trial, fold: Fold, target: np.ndarray) -> EveryFold:
    every = np.zeros((FOLDS, len(trial), trial.n_options))
    for f in range(FOLDS):
        rest = fold != f
        model = make_boosted_trees()
        model.fit(
            append_option(trial.covariates[rest], trial.treatment[rest], trial.n_options),
            target[f, rest],
        )
        for k in range(trial.n_options):
            option = np.full(len(trial), k)
            every[f, :, k] = model.predict(append_option(trial.covariates, option, trial.n_options))
    return every


def make_boosted_trees() -> Any:
    """New boosted trees, as in every outcome regression; their settings are our choice."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    return HistGradientBoostingRegressor(
        max_iter=100,
        learning_rate=0.1,
        max_leaf_nodes=8,
        min_samples_leaf=20,
        early_stopping=False,
        random_state=0,
    )


def append_option(
    X: Float64[np.ndarray, "decision feature"],  # noqa: N803
    option: np.ndarray,
    options: int,
) -> Float64[np.ndarray, "decision feature_and_option"]:
    """The covariates with the option as one-hot columns."""
    return np.hstack([X, np.eye(options)[option]])
