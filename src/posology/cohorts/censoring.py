"""Decisions followed to the end, weighted for those like them that were not."""

import numpy as np
from jaxtyping import Bool, Float32, Float64

from posology.domain.cohort import TRAIN, Cohort
from posology.domain.history import latest_value

_RIDGE, _STEPS, _MOST = 1e-3, 25, 32
"""Penalty a decision, Newton steps, and numbers of the profile that are used. Our choice."""


def complete_weights(cohort: Cohort, truncate: float = 0.99) -> Float32[np.ndarray, " decision"]:
    """Stabilised inverse probability of complete follow-up; 0 where it was not complete.

    P(complete | option) / P(complete | option, what is known): a logistic regression on the option,
    how many decisions came before, and the last numbers of the codes that most training patients
    have (a number missing says so in a column of its own). Learned from the training split alone;
    the largest weights are cut at the quantile `truncate` of training weights (Cole and Hernan
    2008, doi:10.1093/aje/kwn164).
    """
    learns, complete = cohort.split == TRAIN, cohort.complete
    if complete[learns].all() or not complete[learns].any():
        return complete.astype(np.float32)
    option = _one_hot(cohort)
    stable = _chance(option, complete, learns)
    whole = np.concatenate([option, _known(cohort, learns)], axis=1)
    weight = np.where(complete, stable / _chance(whole, complete, learns), 0.0)
    most = np.quantile(weight[learns & complete], truncate)
    return np.minimum(weight, most).astype(np.float32)


def _one_hot(cohort: Cohort) -> Float64[np.ndarray, "decision treatment"]:
    options = np.arange(len(cohort.study.formulary.treatments))
    return (cohort.treatment[:, None] == options).astype(np.float64)


def _known(
    cohort: Cohort, learns: Bool[np.ndarray, " decision"]
) -> Float64[np.ndarray, "decision feature"]:
    starts = np.flatnonzero(np.diff(cohort.subject, prepend=-1))
    nth = np.arange(len(cohort)) - np.repeat(starts, np.diff(np.append(starts, len(cohort))))
    columns = [np.log1p(nth.astype(np.float64))]
    numbers = (cohort.profile.center != 0) | (cohort.profile.spread != 1)
    often = np.bincount(cohort.history.code, minlength=len(numbers)) * numbers
    for code in np.argsort(-often, kind="stable")[: min(_MOST, int(numbers.sum()))]:
        value = latest_value(cohort.history, cohort.last_step, frozenset({int(code)}))
        z = (value - cohort.profile.center[code]) / cohort.profile.spread[code]
        columns += [np.nan_to_num(z), np.isnan(z).astype(np.float64)]
    return np.stack(columns, axis=1)


def _chance(
    X: Float64[np.ndarray, "decision feature"],  # noqa: N803
    y: Bool[np.ndarray, " decision"],
    learns: Bool[np.ndarray, " decision"],
) -> Float64[np.ndarray, " decision"]:
    """Fitted probabilities of a ridge logistic regression, by Newton's steps."""
    X = np.concatenate([np.ones((len(X), 1)), X], axis=1)
    A, b = X[learns], y[learns].astype(np.float64)
    beta = np.zeros(X.shape[1])
    penalty = _RIDGE * len(A) * np.eye(X.shape[1])
    penalty[0, 0] = 1e-9 * len(A)
    for _ in range(_STEPS):
        p = 1 / (1 + np.exp(-np.clip(A @ beta, -30, 30)))
        gradient = A.T @ (b - p) - penalty @ beta
        step = np.linalg.solve(A.T @ (A * (p * (1 - p))[:, None]) + penalty, gradient)
        beta += step
        if np.abs(step).max() < 1e-8:
            break
    return np.clip(1 / (1 + np.exp(-np.clip(X @ beta, -30, 30))), 1e-3, 1.0)
