"""The outcome of patients like this one with the reference: a score, and means in its bins.

The score ranks patients by their outcome under the reference. What is reported is not the score but
the mean of doubly robust scores of patients with a similar one, who were scored by models that had
not seen them, so that it holds on average whatever the score is worth. With few patients, or where
the score tells nothing of patients it was not learned from, there is one bin: the mean of all.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from posology.causal.ridge import fit_ridge, predict_held_out
from posology.causal.spline_basis import SplineBasis, expand_basis, fit_basis
from posology.causal.trial import Column, Fold, Trial

MAX_BINS = 10
BIN_PATIENTS = 200
"""Fewest patients of a bin, where there is more than one; our choice: a standard error of at most
3.5 of 100 patients."""

Bins = Float64[np.ndarray, " bin"]


@dataclass(frozen=True, slots=True, eq=False)
class Prognosis:
    """Score, and level of the outcome by score. Aggregates only: no patient is kept."""

    basis: SplineBasis
    coefficients: Float64[np.ndarray, " column"]
    """The intercept first."""
    score: Bins
    """Mean score of each bin, rising."""
    level: Bins
    error: Bins
    """Standard error of the level, clustered by patient."""
    patients: Bins


@dataclass(frozen=True, slots=True)
class Level:
    """Mean outcome of patients with a similar score."""

    value: float
    error: float
    is_average: bool = False
    """Whether it is that of all patients: nothing tells this patient's own apart."""


def fit_prognosis(trial: Trial, target: Column, fold: Fold) -> Prognosis:
    """Prognosis of a target such as the doubly robust scores of the reference."""
    basis = fit_basis(trial.covariates, hinges=True, products=False)
    columns = expand_basis(basis, trial.covariates)
    design = np.column_stack([np.ones(len(trial)), columns])
    fitted = fit_ridge(design, target, fold, n_unpenalised=1)
    score = predict_held_out(fitted.fold_coefficients, design, fold)
    subject = np.unique(trial.subject, return_inverse=True)[1]
    count = int(np.clip((subject.max(initial=-1) + 1) // BIN_PATIENTS, 1, MAX_BINS))
    if (score - score.mean()) @ target <= 0:
        count = 1
    edges = np.quantile(score, np.arange(1, count) / count)
    row = np.searchsorted(edges, score, side="right")
    bins = [row == b for b in range(count) if (row == b).any()]
    return Prognosis(
        basis=basis,
        coefficients=fitted.coefficients,
        score=np.array([score[at].mean() for at in bins]),
        level=np.array([target[at].mean() for at in bins]),
        error=np.array([_clustered_error(target[at], subject[at]) for at in bins]),
        patients=np.array([float(len(np.unique(subject[at]))) for at in bins]),
    )


def prognosis_of(prognosis: Prognosis, x: Float64[np.ndarray, " feature"]) -> Level:
    """Level of patients like the one with these covariates; between two bins, in proportion."""
    columns = expand_basis(prognosis.basis, x[None, :])[0]
    score = float(prognosis.coefficients[0] + columns @ prognosis.coefficients[1:])
    return Level(
        float(np.interp(score, prognosis.score, prognosis.level)),
        float(np.interp(score, prognosis.score, prognosis.error)),
        is_average=len(prognosis.level) == 1,
    )


def _clustered_error(values: Column, subject: Fold) -> float:
    """Standard error of a mean of decisions of patients."""
    clusters, row = np.unique(subject, return_inverse=True)
    residual = np.bincount(row, values - values.mean())
    groups = max(len(clusters), 2)
    return float(np.sqrt((residual**2).sum() * groups / (groups - 1)) / len(values))
