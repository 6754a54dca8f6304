"""Posterior of each option's effect on any patient, small enough to be kept with a policy.

The Gaussian process of causal/conditional_effects.py with the settings of its prior averaged out,
by their marginal likelihood. Only NumPy is needed to evaluate it.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from posology.causal.patient.effect_basis import EffectBasis, expand_effect_basis

Options = Float64[np.ndarray, " treatment"]


@dataclass(frozen=True, slots=True, eq=False)
class EffectPosterior:
    """Mean and covariance of the effects' coefficients; only differences of options are known."""

    basis: EffectBasis
    intercept: Options
    intercept_covariance: Float64[np.ndarray, "treatment treatment"]
    mean: Float64[np.ndarray, "treatment column"]
    covariance: np.ndarray
    """treatment x column x treatment x column, float32: four axes, two of them named alike."""
    left_out_variance: Float64[np.ndarray, "two"]
    """Prior variance of the columns left out, additive and interactions."""
    design_effect: float
    """Factor on the variance because decisions of one patient are alike."""


@dataclass(frozen=True, slots=True, eq=False)
class PatientPosterior:
    """Effects on one patient, up to a constant that all options share."""

    mean: Options
    covariance: Float64[np.ndarray, "treatment treatment"]


def patient_posterior(
    posterior: EffectPosterior,
    x: Float64[np.ndarray, " feature"],
) -> PatientPosterior:
    """The effects on a patient with these covariates."""
    columns = expand_effect_basis(posterior.basis, x[None, :])
    b = np.concatenate([columns.additive[0], columns.interactions[0]])
    small = b.astype(posterior.covariance.dtype)
    by_option = np.tensordot(posterior.covariance @ small, small, axes=([1], [0]))
    rest = float(columns.left_out[0] @ posterior.left_out_variance)
    covariance = by_option.astype(np.float64) + posterior.intercept_covariance
    covariance = covariance + rest * np.eye(len(covariance))
    return PatientPosterior(
        posterior.intercept + posterior.mean @ b, covariance * posterior.design_effect
    )


def contrast(patient: PatientPosterior, weights: Options) -> tuple[float, float]:
    """Mean and standard deviation of a weighted sum of effects; the weights sum to 0."""
    variance = float(weights @ patient.covariance @ weights)
    return float(weights @ patient.mean), float(np.sqrt(max(variance, 0.0)))
