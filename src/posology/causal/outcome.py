"""What each option would bring: outcome regressions, cross-fitted and stacked."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64

from posology.causal.basis import expand, fit_basis
from posology.causal.ridge import cross_ridge, predicted
from posology.causal.trial import FOLDS, Fold, Matrix, Trial


@dataclass(frozen=True, slots=True, eq=False)
class Outcomes:
    """Mean outcome under each option, by models that have not seen the decision's subject."""

    mean: Matrix
    boosted: Matrix
    """What the boosted trees alone say."""
    weights: tuple[float, float]
    """Of the ridge regression and of the trees."""


def fit_outcomes(trial: Trial, fold: Fold) -> Outcomes:
    """Ridge on hinges and products with each option's own hinges, stacked with boosted trees.

    The weights are not negative and sum to what fits best on the folds left out (Breiman 1996,
    doi:10.1007/BF00117832).
    """
    from scipy.optimize import nnls

    ridge, boosted = _ridge(trial, fold), _boosted(trial, fold)
    rows, center = np.arange(len(trial)), float(trial.outcome.mean())
    said = np.column_stack([m[rows, trial.treatment] for m in (ridge, boosted)]) - center
    first, second = nnls(said, trial.outcome - center)[0]
    mean = center + first * (ridge - center) + second * (boosted - center)
    binary = np.isin(trial.outcome, (0.0, 1.0)).all()
    return Outcomes(np.clip(mean, 0, 1) if binary else mean, boosted, (float(first), float(second)))


def _ridge(trial: Trial, fold: Fold) -> Matrix:
    common = expand(fit_basis(trial.covariates, hinges=True, products=True), trial.covariates)
    own = expand(fit_basis(trial.covariates, hinges=True, products=False), trial.covariates)
    given = np.eye(trial.options)

    def design(option: np.ndarray) -> Float64[np.ndarray, "decision column"]:
        mine = [own * option[:, [k]] for k in range(trial.options)]
        return np.hstack([option, common, *mine])

    fitted = cross_ridge(design(given[trial.treatment]), trial.outcome, fold, free=trial.options)
    return np.column_stack([
        predicted(fitted.outside, design(np.tile(given[k], (len(trial), 1))), fold)
        for k in range(trial.options)
    ])  # fmt: skip


def _boosted(trial: Trial, fold: Fold) -> Matrix:
    said = np.zeros((len(trial), trial.options))
    for f in range(FOLDS):
        rest, here = fold != f, fold == f
        model = boosting()
        model.fit(with_option(trial.covariates[rest], trial.treatment[rest], trial.options),
                  trial.outcome[rest])  # fmt: skip
        for k in range(trial.options):
            option = np.full(int(here.sum()), k)
            said[here, k] = model.predict(
                with_option(trial.covariates[here], option, trial.options)
            )
    return said


def boosting() -> Any:
    """The boosted trees of every outcome regression, not yet fitted; sizes are our choice."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    return HistGradientBoostingRegressor(
        max_iter=150, learning_rate=0.07, max_leaf_nodes=8, min_samples_leaf=20,
        early_stopping=False, random_state=0,
    )  # fmt: skip


def with_option(
    X: Float64[np.ndarray, "decision feature"],  # noqa: N803
    option: np.ndarray,
    options: int,
) -> Float64[np.ndarray, "decision feature_and_option"]:
    """The covariates, and one more column an option: 1 for the one given."""
    return np.hstack([X, np.eye(options)[option]])
