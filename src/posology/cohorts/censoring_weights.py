"""Decisions followed to the end, weighted for those like them that were not."""

import numpy as np
from jaxtyping import Bool, Float32, Float64

from posology.cohorts.decisions.decision_table import DecisionTable
from posology.domain.cohort import TRAIN

_RIDGE, _STEPS, _MOST, _BLOCK = 1e-3, 25, 200_000, 500_000
"""Penalty a decision, Newton steps, most decisions fitted on, decisions weighed at once. Ours."""


def censoring_weights(
    decided: DecisionTable, options: int, truncate: float = 0.99
) -> Float32[np.ndarray, " decision"]:
    """Stabilised inverse probability of complete follow-up; 0 where it was not complete.

    P(complete | option) / P(complete | option, what the study says explains it): a ridge logistic
    regression on the option, how many decisions came before, and the study's `weighted_by`. Learned
    from the training split alone; the largest weights are cut at the quantile `truncate` of
    training weights (Cole and Hernan 2008, doi:10.1093/aje/kwn164).
    """
    learns, complete = decided.split == TRAIN, decided.outcome_observed
    if complete[learns].all() or not complete[learns].any():
        return complete.astype(np.float32)
    rows = np.flatnonzero(learns)
    rows = rows[:: 1 + len(rows) // _MOST]
    center, spread = _scale(decided.covariate[rows])
    nth = _nth(decided.subject_id)

    def columns(of: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        given = (decided.treatment[of, None] == np.arange(options)).astype(np.float64)
        z = (decided.covariate[of].astype(np.float64) - center) / spread
        known = (~np.isnan(z)).astype(np.float64)
        return given, np.concatenate(
            [given, np.log1p(nth[of])[:, None], np.nan_to_num(z), known], axis=1
        )

    marginal, whole = columns(rows)
    stable, full = _fitted(marginal, complete[rows]), _fitted(whole, complete[rows])
    weight = np.zeros(len(decided), np.float32)
    for start in range(0, len(decided), _BLOCK):
        of = np.arange(start, min(start + _BLOCK, len(decided)))
        marginal, whole = columns(of)
        weight[of] = complete[of] * _chance(marginal, stable) / _chance(whole, full)
    return np.minimum(weight, np.quantile(weight[learns & complete], truncate)).astype(np.float32)


def _scale(known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of what is known of each column."""
    there = ~np.isnan(known)
    n = np.maximum(there.sum(axis=0), 1)
    center = np.where(there, known, 0.0).sum(axis=0, dtype=np.float64) / n
    spread = np.sqrt(np.where(there, (known - center) ** 2, 0.0).sum(axis=0) / n)
    return center, np.where(spread < 1e-6, 1.0, spread)


def _nth(subject_id: np.ndarray) -> Float64[np.ndarray, " decision"]:
    """How many decisions of the subject came before."""
    new = np.ones(len(subject_id), dtype=bool)
    new[1:] = subject_id[1:] != subject_id[:-1]
    starts = np.flatnonzero(new)
    sizes = np.diff(np.append(starts, len(subject_id)))
    return (np.arange(len(subject_id)) - np.repeat(starts, sizes)).astype(np.float64)


def _fitted(
    X: Float64[np.ndarray, "decision feature"],  # noqa: N803
    y: Bool[np.ndarray, " decision"],
) -> Float64[np.ndarray, " coefficient"]:
    """Coefficients of a ridge logistic regression, by Newton's steps; the intercept is free."""
    A, b = np.concatenate([np.ones((len(X), 1)), X], axis=1), y.astype(np.float64)
    beta = np.zeros(A.shape[1])
    penalty = _RIDGE * len(A) * np.eye(A.shape[1])
    penalty[0, 0] = 1e-9 * len(A)
    for _ in range(_STEPS):
        p = 1 / (1 + np.exp(-np.clip(A @ beta, -30, 30)))
        gradient = A.T @ (b - p) - penalty @ beta
        step = np.linalg.solve(A.T @ (A * (p * (1 - p))[:, None]) + penalty, gradient)
        beta += step
        if np.abs(step).max() < 1e-8:
            break
    return beta


def _chance(
    X: Float64[np.ndarray, "decision feature"],  # noqa: N803
    beta: Float64[np.ndarray, " coefficient"],
) -> Float64[np.ndarray, " decision"]:
    return np.clip(1 / (1 + np.exp(-np.clip(X @ beta[1:] + beta[0], -30, 30))), 1e-3, 1.0)
