"""Ridge regression over folds, its penalty chosen by the error on the folds left out."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from posology.causal.trial import FOLDS, Column, Fold

PENALTIES = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0)
"""Strengths tried, for columns of standard deviation 1; our choice."""
_TINY = 1e-6  # keeps columns that say the same from making the system singular


@dataclass(frozen=True, slots=True, eq=False)
class RidgeFit:
    """Coefficients, of all rows and of the rows outside each fold."""

    coefficients: Float64[np.ndarray, " column"]
    fold_coefficients: Float64[np.ndarray, "fold column"]
    penalty: float
    held_out_error: float
    """Mean squared error on the folds left out."""


def fit_ridge(
    design: Float64[np.ndarray, "decision column"],
    target: Column,
    fold: Fold,
    n_unpenalised: int,
    penalties: tuple[float, ...] = PENALTIES,
) -> RidgeFit:
    """Least squares with a penalty on all but the first `free` columns."""
    grams, sides = zip(*(
        (design[fold == f].T @ design[fold == f], design[fold == f].T @ target[fold == f])
        for f in range(FOLDS)
    ), strict=True)  # fmt: skip
    gram, side = sum(grams), sum(sides)
    penalised = np.where(np.arange(design.shape[1]) < n_unpenalised, _TINY, 1.0)
    best: RidgeFit | None = None
    for penalty in penalties:
        ridge = np.diag(penalised * penalty)
        outside = np.stack([
            np.linalg.solve(gram - grams[f] + ridge, side - sides[f]) for f in range(FOLDS)
        ])  # fmt: skip
        error = float(((target - predict_held_out(outside, design, fold)) ** 2).mean())
        if best is None or error < best.held_out_error:
            whole = np.linalg.solve(gram + ridge, side)
            best = RidgeFit(whole, outside, penalty, error)
    assert best is not None
    return best


def predict_held_out(
    fold_coefficients: Float64[np.ndarray, "fold column"],
    design: Float64[np.ndarray, "decision column"],
    fold: Fold,
) -> Column:
    """What the coefficients learned outside a decision's fold say of it."""
    return np.einsum("ij,ij->i", design, fold_coefficients[fold])
