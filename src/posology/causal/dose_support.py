"""Dose support: the range of doses that similar patients were given."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from posology.causal.ridge import fit_ridge, predict_held_out
from posology.causal.spline_basis import SplineBasis, expand_basis, fit_basis
from posology.causal.trial import Column, Fold

QUANTILES = (0.05, 0.95)
"""Conditional quantiles of the dose that limit the supported range: 5 % on each side."""
_EDGE = 0.005  # share of the range kept free at both ends, so that log-odds are finite


@dataclass(frozen=True, slots=True, eq=False)
class DoseSupport:
    """Location-scale model of the log-odds of the dose within its range, with two quantiles."""

    basis: SplineBasis
    location: Float64[np.ndarray, " column_and_one"]
    scale: Float64[np.ndarray, " column_and_one"]
    """Coefficients for the logarithm of the absolute residual."""
    low: float
    high: float
    """Quantiles of the scaled held-out residuals."""
    dose_low: float
    dose_high: float
    """Smallest and largest observed dose."""


def fit_dose_support(
    X: Float64[np.ndarray, "decision feature"],  # noqa: N803
    dose: Column,
    fold: Fold,
) -> DoseSupport:
    """Fit the distribution of the observed dose given the covariates."""
    basis = fit_basis(X, hinges=True, products=True)
    design = np.column_stack([np.ones(len(X)), expand_basis(basis, X)])
    ends = float(dose.min()), float(dose.max())
    target = _log_odds(dose, *ends)
    location = fit_ridge(design, target, fold, n_unpenalised=1)
    residual = target - predict_held_out(location.fold_coefficients, design, fold)
    size = np.log(np.abs(residual) + 1e-3 * residual.std() + 1e-12)
    scale = fit_ridge(design, size, fold, n_unpenalised=1)
    scaled = residual / np.exp(predict_held_out(scale.fold_coefficients, design, fold))
    low, high = np.quantile(scaled, QUANTILES)
    return DoseSupport(
        basis, location.coefficients, scale.coefficients, float(low), float(high), *ends
    )


def supported_dose_range(
    support: DoseSupport,
    X: Float64[np.ndarray, "decision feature"],  # noqa: N803
) -> tuple[Column, Column]:
    """Lowest and highest supported dose of each patient."""
    design = np.column_stack([np.ones(len(X)), expand_basis(support.basis, X)])
    center, scale = design @ support.location, np.exp(design @ support.scale)
    ends = support.dose_low, support.dose_high
    return (
        _dose(center + support.low * scale, *ends),
        _dose(center + support.high * scale, *ends),
    )


def _log_odds(dose: Column, low: float, high: float) -> Column:
    share = _EDGE + (1 - 2 * _EDGE) * (dose - low) / max(high - low, 1e-12)
    return np.log(share / (1 - share))


def _dose(log_odds: Column, low: float, high: float) -> Column:
    # A patient far from all others may have an infinite scale; log-odds of 30 are the range's end.
    share = (1 / (1 + np.exp(-np.clip(log_odds, -30, 30))) - _EDGE) / (1 - 2 * _EDGE)
    return low + np.clip(share, 0, 1) * (high - low)
