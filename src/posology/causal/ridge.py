"""Ridge regression with the penalty chosen by cross-validation."""

from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import Float64

from posology.causal.left_out import LeftOut
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
    products = fold_products(design, fold)
    return solve_ridge(products, target, n_unpenalised, penalties, LeftOut(fold))


def solve_ridge(
    products: FoldProducts,
    target: Target,
    n_unpenalised: int,
    penalties: tuple[float, ...],
    left_out: LeftOut,
) -> RidgeFit:
    """Ridge regression on this design, as if the decisions of fold `left_out.also` did not exist.

    Fits to the same numbers without the same two folds are taken from `left_out`.
    """
    design, fold = products.design, products.fold
    used = [f for f in left_out.folds if (fold == f).any()]
    rows = np.isin(fold, used)
    own = (target if target.ndim == 1 else target[fold, np.arange(len(fold))])[rows]
    penalised = np.where(np.arange(design.shape[1]) < n_unpenalised, _TINY, 1.0)
    by_fold = np.zeros((len(penalties), FOLDS, design.shape[1]))
    for f in used:
        rest = np.where(left_out.learning(f), target if target.ndim == 1 else target[f], 0.0)
        gram = products.grams[[g for g in used if g != f]].sum(axis=0)
        solve = partial(_solve_each, gram, design.T @ rest, penalised, penalties)
        by_fold[:, f] = left_out.once(f, "ridge", solve, rest)
    errors = [
        float(((own - predict_held_out(each, design[rows], fold[rows])) ** 2).mean())
        for each in by_fold
    ]
    best = int(np.argmin(errors))
    gram, side = products.grams[used].sum(axis=0), design[rows].T @ own
    overall = _solve_each(gram, side, penalised, (penalties[best],))[0]
    return RidgeFit(overall, by_fold[best], penalties[best], errors[best])


def _solve_each(
    gram: np.ndarray, side: np.ndarray, penalised: np.ndarray, penalties: tuple[float, ...]
) -> Float64[np.ndarray, "penalty column"]:
    """Coefficients at each penalty."""
    from scipy.linalg import cho_factor, cho_solve

    found = np.empty((len(penalties), len(side)))
    for at, penalty in enumerate(penalties):
        ridge = gram.copy()
        ridge.flat[:: len(gram) + 1] += penalised * penalty
        factor = cho_factor(ridge, lower=True, overwrite_a=True, check_finite=False)
        found[at] = cho_solve(factor, side, check_finite=False)
    return found


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
