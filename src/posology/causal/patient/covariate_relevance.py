"""How much each covariate changes the effects: automatic relevance determination.

A linear model of the effects in which each covariate has a prior variance of its own, the same for
all options, set by expectation maximisation of the marginal likelihood (MacKay 1992,
doi:10.1162/neco.1992.4.3.415; Tipping 2001, JMLR 1:211). Few steps are taken, so that a covariate
is weighed down rather than left out: with those of the largest relevance alone, intervals are too
narrow (docs/decisions/covariate-relevance.md).
"""

import numpy as np
from jaxtyping import Float64, Int64

from posology.causal.doubly_robust_scores import Nuisance
from posology.causal.patient.residual_regression import cross_products, project_out_intercepts
from posology.causal.spline_basis import expand_basis, fit_basis

STEPS = 3
FIRST_VARIANCE = 0.003
"""Prior variance of a coefficient before the first step, in units of the noise's; our choice."""
MAX_COLUMNS = 1000
"""Covariates times options; the time is cubic in it. Others count like the least relevant."""

Relevance = Float64[np.ndarray, " feature"]


def covariate_relevance(nuisance: Nuisance) -> Relevance:
    """Prior variance of the effects along each covariate, 1 on average; 0 where it is constant."""
    trial = nuisance.trial
    columns = expand_basis(
        fit_basis(trial.covariates, hinges=False, products=False), trial.covariates
    )
    varies = np.flatnonzero(columns.std(axis=0) > 1e-9)
    kept = varies[_largest(nuisance, columns[:, varies], MAX_COLUMNS // trial.n_options)]
    variance = np.zeros(columns.shape[1])
    if len(kept):
        found = _maximise(nuisance, columns[:, kept])
        variance[varies] = found.min()
        variance[kept] = found
    mean = variance.mean() if len(variance) else 0.0
    return variance / mean if mean > 0 else np.ones_like(variance)


def _largest(
    nuisance: Nuisance, columns: Float64[np.ndarray, "decision feature"], most: int
) -> Int64[np.ndarray, " kept"]:
    """Covariates of the largest score statistics, over all options."""
    if columns.shape[1] <= most:
        return np.arange(columns.shape[1])
    residual, y = nuisance.treatment_residual, nuisance.outcome_residual
    square = (residual**2).T @ columns**2
    statistic = ((residual * y[:, None]).T @ columns) ** 2 / np.maximum(square, 1e-12)
    return np.sort(np.argsort(-statistic.sum(axis=0))[:most])


def _maximise(nuisance: Nuisance, columns: Float64[np.ndarray, "decision feature"]) -> Relevance:
    """Prior variances after a few steps of expectation maximisation."""
    options, count = nuisance.trial.n_options, columns.shape[1]
    sums = cross_products(nuisance, columns, np.ones(len(columns), dtype=bool))
    projected = project_out_intercepts(sums, options - 1)
    noise = max(projected.square / projected.count, 1e-300)
    variance = np.full(count, FIRST_VARIANCE * noise)
    for _ in range(STEPS):
        scale = np.sqrt(np.tile(variance, options))
        precision = projected.gram * scale * scale[:, None] / noise
        precision[np.diag_indices_from(precision)] += 1
        inverse = np.linalg.inv(precision)
        mean = scale * (inverse @ (scale * projected.side)) / noise
        square = mean**2 + scale**2 * np.diag(inverse)
        variance = np.maximum(square.reshape(options, count).mean(axis=0), 1e-12 * noise)
    return variance
