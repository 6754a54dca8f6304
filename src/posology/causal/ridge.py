"""Ridge regression with the penalty chosen by cross-validation."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from posology.causal.trial import FOLDS, Column, Fold

PENALTIES = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0)
"""Candidate penalties, for columns of standard deviation 1; our choice."""
_TINY = 1e-6  # keeps collinear columns from making the system singular


@dataclass(frozen=True, slots=True, eq=False)
class RidgeFit:
    """Coefficients fitted on all rows and on the rows outside each fold."""

    coefficients: Float64[np.ndarray, " column"]
    fold_coefficients: Float64[np.ndarray, "fold column"]
    penalty: float
    held_out_error: float
    """Mean squared error on the held-out folds."""


def fit_ridge(
    design: Float64[np.ndarray, "decision column"],
    target: Column | Float64[np.ndarray, "fold decision"],
    fold: Fold,
    n_unpenalised: int,
    penalties: tuple[float, ...] = PENALTIES,
) -> RidgeFit:
    """Ridge regression with a penalty on all but the first `n_unpenalised` columns.

    target: one for all folds, or one for the coefficients of each fold.
    """
    rows = [fold == f for f in range(FOLDS)]
    grams = [design[at].T @ design[at] for at in rows]
    gram = sum(grams)
    if target.ndim == 1:
        own, sides = target, [design[at].T @ target[at] for at in rows]
        side = sum(sides)
        rests = [side - part for part in sides]
    else:
        own = target[fold, np.arange(len(fold))]
        side = design.T @ own
        rests = [design.T @ np.where(at, 0.0, target[f]) for f, at in enumerate(rows)]
    penalised = np.where(np.arange(design.shape[1]) < n_unpenalised, _TINY, 1.0)
    best: RidgeFit | None = None
    for penalty in penalties:
        ridge = np.diag(penalised * penalty)
        by_fold = np.stack(
            [np.linalg.solve(gram - grams[f] + ridge, rests[f]) for f in range(FOLDS)]
        )
        error = float(((own - predict_held_out(by_fold, design, fold)) ** 2).mean())
        if best is None or error < best.held_out_error:
            best = RidgeFit(np.linalg.solve(gram + ridge, side), by_fold, penalty, error)
    assert best is not None
    return best


def predict_held_out(
    fold_coefficients: Float64[np.ndarray, "fold column"],
    design: Float64[np.ndarray, "decision column"],
    fold: Fold,
) -> Column:
    """Predict each decision by the coefficients fitted without its fold."""
    return np.einsum("ij,ij->i", design, fold_coefficients[fold])
