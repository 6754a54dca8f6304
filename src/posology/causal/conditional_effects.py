"""Standard errors of each patient's predicted effect.

A Bayesian regression of outcome residuals on treatment residuals (the R-learner's equation, Nie and
Wager 2021, doi:10.1093/biomet/asaa076, eq. 4). The effects are a Gaussian process: linear terms and
hinges of each covariate (additive), and products and random cosines (Rahimi and Recht 2007) of all
covariates (interactions). The variance of the effects and the share of interactions in it are
integrated over by their marginal likelihood, so that a constant effect has narrow intervals and one
confined to few patients wide ones. What is kept with a policy also weighs each covariate by how
much it changes the effects (patient/covariate_relevance.py). The intervals cover the truth for
95 % of patients on average, not for each (Nychka 1988, doi:10.1080/01621459.1988.10478711);
measured by benchmarks/calibration_of_claims.py.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from posology.causal.doubly_robust_scores import Nuisance
from posology.causal.patient.covariate_relevance import covariate_relevance
from posology.causal.patient.effect_basis import (
    EffectColumns,
    expand_effect_basis,
    fit_effect_basis,
)
from posology.causal.patient.effect_posterior import EffectPosterior
from posology.causal.patient.residual_regression import (
    CrossProducts,
    Projected,
    add_cross_products,
    cross_products,
    project_out_intercepts,
)
from posology.causal.trial import FOLDS, Matrix

SHARES = (0.0, 0.3, 0.6, 0.9)
"""Candidate shares of interactions in the variance of the effects; our choice."""
SPREADS = np.linspace(0.02, 2.0, 40)
"""Candidate standard deviations of the effects, in those of the outcome's noise; our choice."""
_MIN_WEIGHT = 1e-3  # settings with less weight are skipped

Options = Float64[np.ndarray, "treatment column"]


@dataclass(frozen=True, slots=True, eq=False)
class _Setting:
    """Posterior of the effects at one share of interactions and one variance."""

    log_likelihood: float
    """Logarithm of the marginal likelihood."""
    share: float
    variance: float
    mean: Options
    direction: Float64[np.ndarray, "treatment column direction"]
    """Directions in which coefficients are independent; the same for all variances."""
    root: Float64[np.ndarray, " direction"]
    """Standard deviations along the directions."""


def conditional_effect_errors(
    nuisance: Nuisance, predicted_effects: Matrix, single: int, rng: np.random.Generator
) -> Matrix:
    """Root of the posterior expected squared error of each effect, from the other folds.

    Args:
        predicted_effects: effect of each option, up to a constant per decision.
        single: the option that the others are compared with; its own column is 0.
    """
    trial = nuisance.trial
    basis = fit_effect_basis(trial.covariates, trial.n_options, rng)
    columns = expand_effect_basis(basis, trial.covariates)
    design = np.hstack([columns.additive, columns.interactions])
    sums = [cross_products(nuisance, design, nuisance.fold == f) for f in range(FOLDS)]
    square = np.zeros(predicted_effects.shape)
    for f in range(FOLDS):
        at = nuisance.fold == f
        rest = add_cross_products([s for g, s in enumerate(sums) if g != f])
        here = EffectColumns(columns.additive[at], columns.interactions[at], columns.left_out[at])
        square[at] = _expected_squared_error(
            rest, here, predicted_effects[at] - predicted_effects[at][:, [single]], single
        )
    return np.sqrt(square * _design_effect(nuisance))


def _expected_squared_error(
    sums: CrossProducts, columns: EffectColumns, predicted: Matrix, single: int
) -> Matrix:
    """Expected squared error over all settings, including the error of the intercepts."""
    options = predicted.shape[1]
    projected = project_out_intercepts(sums, options - 1)
    intercept = projected.intercept - projected.intercept[single]
    weights, settings = _likely_settings(projected, columns, options)
    basis = np.hstack([columns.additive, columns.interactions])
    square = np.zeros(predicted.shape)
    for w, s in zip(weights, settings, strict=True):
        left_out = columns.left_out @ [1 - s.share, s.share]
        for k in range(options):
            if k != single:
                effect = intercept[k] + basis @ (s.mean[k] - s.mean[single])
                contrast = (s.direction[k] - s.direction[single]) * s.root
                spread = ((basis @ contrast) ** 2).sum(axis=1)
                square[:, k] += w * (
                    (predicted[:, k] - effect) ** 2 + spread + 2 * s.variance * left_out
                )
    return square + projected.square / projected.count * _contrast_variance(
        projected.inverse, single
    )


def fit_effect_posterior(nuisance: Nuisance, rng: np.random.Generator) -> EffectPosterior:
    """Posterior of the effects on any further patient, from all decisions."""
    trial = nuisance.trial
    relevance = covariate_relevance(nuisance)
    basis = fit_effect_basis(trial.covariates, trial.n_options, rng, relevance)
    columns = expand_effect_basis(basis, trial.covariates)
    design = np.hstack([columns.additive, columns.interactions])
    sums = cross_products(nuisance, design, np.ones(len(trial), dtype=bool))
    projected = project_out_intercepts(sums, trial.n_options - 1)
    weights, settings = _likely_settings(projected, columns, trial.n_options)
    mean = np.sum([w * s.mean for w, s in zip(weights, settings, strict=True)], axis=0)
    size = mean.size
    covariance, left_out = np.zeros((size, size)), np.zeros(2)
    for w, s in zip(weights, settings, strict=True):
        root = (s.direction * s.root).reshape(size, -1)
        shift = (s.mean - mean).ravel()
        covariance += w * (root @ root.T + np.outer(shift, shift))
        left_out += w * s.variance * np.array([1 - s.share, s.share])
    noise = projected.square / projected.count
    return EffectPosterior(
        basis=basis,
        intercept=projected.intercept,
        intercept_covariance=noise * np.pad(projected.inverse, ((1, 0), (1, 0))),
        mean=mean,
        covariance=covariance.reshape(*mean.shape, *mean.shape).astype(np.float32),
        left_out_variance=left_out,
        design_effect=_design_effect(nuisance),
    )


def _likely_settings(
    projected: Projected, columns: EffectColumns, options: int
) -> tuple[list[float], list[_Setting]]:
    """The settings that are not much less likely than the best, and their weights."""
    settings = [s for share in SHARES for s in _settings(projected, columns, share, options)]
    best = max(s.log_likelihood for s in settings)
    settings = [s for s in settings if s.log_likelihood > best + np.log(_MIN_WEIGHT)]
    weight = np.exp([s.log_likelihood - best for s in settings])
    return (weight / weight.sum()).tolist(), settings


def _contrast_variance(inverse: np.ndarray, single: int) -> Float64[np.ndarray, " treatment"]:
    """Variance of each intercept minus that of `single`; the first intercept is 0."""
    whole = np.pad(inverse, ((1, 0), (1, 0)))
    return np.diag(whole) + whole[single, single] - 2 * whole[single]


def _settings(
    projected: Projected, columns: EffectColumns, share: float, options: int
) -> list[_Setting]:
    """One setting per candidate variance, all from one eigendecomposition."""
    additive = np.full(columns.additive.shape[1], 1 - share)
    interactions = np.full(columns.interactions.shape[1], share)
    scale = np.tile(np.sqrt(np.append(additive, interactions)), options)
    value, vector = np.linalg.eigh(projected.gram * scale * scale[:, None])
    value, projection = np.maximum(value, 0.0), vector.T @ (scale * projected.side)
    square = projected.square
    coefficients, settings = (scale[:, None] * vector).reshape(options, -1, len(value)), []
    for ratio in SPREADS**2:
        shrinkage = ratio / (1 + ratio * value)
        noise = max(
            (square - float(projection**2 @ shrinkage)) / projected.count,
            1e-12 * max(square, 1e-300),
        )
        log_likelihood = -0.5 * (projected.count * np.log(noise) + np.log1p(ratio * value).sum())
        mean, root = coefficients @ (projection * shrinkage), np.sqrt(noise * shrinkage)
        settings.append(
            _Setting(float(log_likelihood), share, float(ratio * noise), mean, coefficients, root)
        )
    return settings


def _design_effect(nuisance: Nuisance) -> float:
    """Design effect of clustering by patient: 1 if each patient has one decision."""
    influence = nuisance.outcome_residual * np.abs(nuisance.treatment_residual).sum(axis=1)
    row = np.unique(nuisance.trial.subject, return_inverse=True)[1]
    return max(
        float((np.bincount(row, influence) ** 2).sum() / max((influence**2).sum(), 1e-300)), 1.0
    )
