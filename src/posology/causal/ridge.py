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
    """0 for a fold without rows."""
    penalty: float
    held_out_error: float
    """Mean squared error on the held-out folds."""


Target = Column | Float64[np.ndarray, "fold decision"]
"""One target, or one for the coefficients of each fold, which its own decisions are judged by."""


@dataclass(frozen=True, slots=True, eq=False)
class FoldProducts:
    """Cross products of a design with itself, by fold, from which any folds can be fitted."""

    design: Float64[np.ndarray, "decision column"]
    fold: Fold
    grams: Float64[np.ndarray, "fold column column"]


def fold_products(design: Float64[np.ndarray, "decision column"], fold: Fold) -> FoldProducts:
    """The cross products of a design."""
    rows = [fold == f for f in range(FOLDS)]
    return FoldProducts(design, fold, np.stack([design[at].T @ design[at] for at in rows]))


def fit_ridge(
    design: Float64[np.ndarray, "decision column"],
    target: Target,
    fold: Fold,
    n_unpenalised: int,
    penalties: tuple[float, ...] = PENALTIES,
) -> RidgeFit:
    """Ridge regression with a penalty on all but the first `n_unpenalised` columns."""
    return solve_ridge(fold_products(design, fold), target, n_unpenalised, penalties)


def solve_ridge(
    products: FoldProducts,
    target: Target,
    n_unpenalised: int,
    penalties: tuple[float, ...] = PENALTIES,
    left_out: int | None = None,
) -> RidgeFit:
    """Ridge regression on this design, as if the decisions of fold `left_out` did not exist."""
    used = [f for f in np.unique(products.fold).tolist() if f != left_out]
    rows = np.isin(products.fold, used)
    design, fold = products.design[rows], products.fold[rows]
    own, side, rests = _sides(design, target[..., rows], fold, used)
    gram = products.grams[used].sum(axis=0)
    penalised = np.where(np.arange(len(gram)) < n_unpenalised, _TINY, 1.0)
    best: RidgeFit | None = None
    for penalty in penalties:
        ridge = np.diag(penalised * penalty)
        by_fold = np.zeros((FOLDS, len(gram)))
        for f, rest in zip(used, rests, strict=True):
            by_fold[f] = np.linalg.solve(gram - products.grams[f] + ridge, rest)
        error = float(((own - predict_held_out(by_fold, design, fold)) ** 2).mean())
        if best is None or error < best.held_out_error:
            best = RidgeFit(np.linalg.solve(gram + ridge, side), by_fold, penalty, error)
    assert best is not None
    return best


def _sides(
    design: np.ndarray, target: Target, fold: Fold, used: list[int]
) -> tuple[Column, np.ndarray, list[np.ndarray]]:
    """Each decision's own target; products of all decisions with it; those without each fold."""
    if target.ndim == 1:
        parts = [design[fold == f].T @ target[fold == f] for f in used]
        side = np.sum(parts, axis=0)
        return target, side, [side - part for part in parts]
    own = target[fold, np.arange(len(fold))]
    return own, design.T @ own, [design.T @ np.where(fold == f, 0.0, target[f]) for f in used]


def predict_held_out(
    fold_coefficients: Float64[np.ndarray, "fold column"],
    design: Float64[np.ndarray, "decision column"],
    fold: Fold,
) -> Column:
    """Predict each decision by the coefficients fitted without its fold."""
    predicted = np.empty(len(design))
    for f in np.unique(fold):
        predicted[fold == f] = design[fold == f] @ fold_coefficients[f]
    return predicted
