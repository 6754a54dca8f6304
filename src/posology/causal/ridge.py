"""Ridge regression with the penalty chosen by cross-validation."""

from collections.abc import Sequence
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
    rows = (design[fold == f] for f in range(FOLDS))
    return FoldProducts(design, fold, np.stack([own.T @ own for own in rows]))


@dataclass(frozen=True, slots=True, eq=False)
class RidgeTask:
    """What is regressed on a design, as if the decisions of some folds did not exist."""

    target: Target
    left_out: tuple[int, ...] = ()
    """Folds that all coefficients leave out, besides their own."""

    def of_fold(self, fold: int) -> Column:
        """What the coefficients for a fold are fitted to."""
        return self.target if self.target.ndim == 1 else self.target[fold]


def fit_ridge(
    design: Float64[np.ndarray, "decision column"],
    target: Target,
    fold: Fold,
    n_unpenalised: int,
    penalties: tuple[float, ...] = PENALTIES,
) -> RidgeFit:
    """Ridge regression with a penalty on all but the first `n_unpenalised` columns."""
    products = fold_products(design, fold)
    return solve_ridges(products, [RidgeTask(target)], n_unpenalised, penalties)[0]


def solve_ridges(
    products: FoldProducts,
    tasks: Sequence[RidgeTask],
    n_unpenalised: int,
    penalties: tuple[float, ...] = PENALTIES,
) -> list[RidgeFit]:
    """Ridge regressions on one design: each system is factorised once for all tasks.

    Leaving out folds j and k is the same system for the tasks without fold j and without fold k.
    """
    systems: dict[frozenset[int], list[tuple[int, int]]] = {}
    present = np.unique(products.fold).tolist()
    for t, task in enumerate(tasks):
        for f in present:
            if f not in task.left_out:
                systems.setdefault(frozenset({f, *task.left_out}), []).append((t, f))
    columns = products.design.shape[1]
    penalised = np.where(np.arange(columns) < n_unpenalised, _TINY, 1.0)
    found = np.zeros((len(tasks), len(penalties), FOLDS, columns))
    for left_out, wanted in systems.items():
        learning = ~np.isin(products.fold, list(left_out))
        side = np.column_stack([np.where(learning, tasks[t].of_fold(f), 0.0) for t, f in wanted])
        gram = products.grams[[g for g in present if g not in left_out]].sum(axis=0)
        solved = _solve_each(gram, products.design.T @ side, penalised, penalties)
        for at, (t, f) in enumerate(wanted):
            found[t, :, f] = solved[:, :, at]
    return [
        _choose_penalty(products, task, by_fold, penalised, penalties)
        for task, by_fold in zip(tasks, found, strict=True)
    ]


def _choose_penalty(
    products: FoldProducts,
    task: RidgeTask,
    by_fold: Float64[np.ndarray, "penalty fold column"],
    penalised: Float64[np.ndarray, " column"],
    penalties: tuple[float, ...],
) -> RidgeFit:
    """The fit of the penalty with the smallest error in the folds left out."""
    fold = products.fold
    used = [f for f in np.unique(fold).tolist() if f not in task.left_out]
    square, own = np.zeros(len(penalties)), np.zeros(len(fold))
    for f in used:
        here = fold == f
        own[here] = task.of_fold(f)[here]
        predicted = products.design[here] @ by_fold[:, f].T
        square += ((own[here, None] - predicted) ** 2).sum(axis=0)
    best = int(np.argmin(square))
    gram, side = products.grams[used].sum(axis=0), (products.design.T @ own)[:, None]
    overall = _solve_each(gram, side, penalised, (penalties[best],))[0, :, 0]
    error = float(square[best] / np.isin(fold, used).sum())
    return RidgeFit(overall, by_fold[best], penalties[best], error)


def _solve_each(
    gram: np.ndarray, side: np.ndarray, penalised: np.ndarray, penalties: tuple[float, ...]
) -> Float64[np.ndarray, "penalty column target"]:
    """Coefficients at each penalty."""
    from scipy.linalg import cho_factor, cho_solve

    found = np.empty((len(penalties), *side.shape))
    for at, penalty in enumerate(penalties):
        ridge = gram.copy()
        ridge.flat[:: len(gram) + 1] += penalised * penalty
        # The transpose is in the order of the solver, which then needs no copy.
        factor = cho_factor(ridge.T, lower=True, overwrite_a=True, check_finite=False)
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
