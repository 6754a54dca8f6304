"""Inverse probability of censoring weights for decisions with an observed outcome."""

import numpy as np
from jaxtyping import Bool, Float32, Float64

from posology.cohorts.decisions.decision_table import DecisionTable
from posology.domain.cohort import TRAIN
from posology.domain.logistic_regression import fit_ridge_logistic
from posology.domain.scaling import mean_and_std

_RIDGE, _MAX_STEPS, _MAX_DECISIONS, _BLOCK = 1e-3, 25, 200_000, 500_000
"""Penalty per decision, Newton steps, decisions to fit on, decisions per block. Our choice."""


def censoring_weights(
    decisions: DecisionTable, options: int, truncate: float = 0.99
) -> Float32[np.ndarray, " decision"]:
    """Stabilised inverse probability of an observed outcome; 0 where it is not observed.

    P(observed | option) / P(observed | option, covariates), by ridge logistic regression; the
    covariates are the number of earlier decisions and the study's `weighted_by`. Fitted on the
    training split alone. Weights are truncated at the quantile `truncate` of the training weights
    (Cole and Hernan 2008, doi:10.1093/aje/kwn164).
    """
    is_train, observed = decisions.split == TRAIN, decisions.outcome_observed
    if observed[is_train].all() or not observed[is_train].any():
        return observed.astype(np.float32)
    rows = np.flatnonzero(is_train)
    rows = rows[:: 1 + len(rows) // _MAX_DECISIONS]
    center, spread = mean_and_std(decisions.covariate[rows])
    rank = _rank(decisions.subject_id)

    def designs(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        given = (decisions.treatment[rows, None] == np.arange(options)).astype(np.float64)
        z = (decisions.covariate[rows].astype(np.float64) - center) / spread
        is_known = (~np.isnan(z)).astype(np.float64)
        past = np.log1p(rank[rows])[:, None]
        return given, np.concatenate([given, past, np.nan_to_num(z), is_known], axis=1)

    by_option, by_covariates = designs(rows)
    numerator = _fit_logistic(by_option, observed[rows])
    denominator = _fit_logistic(by_covariates, observed[rows])
    weight = np.zeros(len(decisions), np.float32)
    for start in range(0, len(decisions), _BLOCK):
        rows = np.arange(start, min(start + _BLOCK, len(decisions)))
        by_option, by_covariates = designs(rows)
        ratio = _predict(by_option, numerator), _predict(by_covariates, denominator)
        weight[rows] = observed[rows] * ratio[0] / ratio[1]
    return np.minimum(weight, np.quantile(weight[is_train & observed], truncate)).astype(np.float32)


def _rank(subject_id: np.ndarray) -> Float64[np.ndarray, " decision"]:
    """Number of earlier decisions of the same subject."""
    is_new = np.ones(len(subject_id), dtype=bool)
    is_new[1:] = subject_id[1:] != subject_id[:-1]
    starts = np.flatnonzero(is_new)
    sizes = np.diff(np.append(starts, len(subject_id)))
    return (np.arange(len(subject_id)) - np.repeat(starts, sizes)).astype(np.float64)


def _fit_logistic(
    X: Float64[np.ndarray, "decision feature"],  # noqa: N803
    y: Bool[np.ndarray, " decision"],
) -> Float64[np.ndarray, " coefficient"]:
    """Coefficients of a ridge logistic regression by Newton's method; intercept unpenalised."""
    A, b = np.concatenate([np.ones((len(X), 1)), X], axis=1), y.astype(np.float64)
    penalty = np.r_[1e-9, np.full(X.shape[1], _RIDGE)] * len(A)
    return fit_ridge_logistic(A, b, np.ones(len(A)), penalty, _MAX_STEPS, tolerance=1e-8)


def _predict(
    X: Float64[np.ndarray, "decision feature"],  # noqa: N803
    beta: Float64[np.ndarray, " coefficient"],
) -> Float64[np.ndarray, " decision"]:
    return np.clip(1 / (1 + np.exp(-np.clip(X @ beta[1:] + beta[0], -30, 30))), 1e-3, 1.0)
