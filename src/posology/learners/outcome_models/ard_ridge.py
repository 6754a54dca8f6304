"""Ridge regression with automatic relevance determination (ARD).

Each group of weights has its own prior variance, the one of highest marginal likelihood (MacKay
1992, doi:10.1162/neco.1992.4.3.415; Tipping 2001, JMLR 1:211). Columns that do not matter are
shrunken to zero, instead of all columns by the same amount.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

MAX_ITERATIONS = 24
"""Of expectation-maximisation; on the clinic it converges in about 12. Our choice."""
INITIAL_VARIANCE = 1e-3
"""Initial prior variance over noise variance: a ridge penalty of 1,000. Our choice."""
MIN_VARIANCE = 1e-8
"""Lower bound of the prior variances."""

Vector = Float64[np.ndarray, " weight"]


@dataclass(frozen=True, slots=True, eq=False)
class LeastSquaresMoments:
    """Sufficient statistics of weighted least squares."""

    gram: Float64[np.ndarray, "weight weight"]
    cross: Vector
    """X'y."""
    target_squares: float
    """y'y."""
    total_weight: float
    """Sum of the rows' weights."""


def fit_ard_ridge(
    moments: LeastSquaresMoments,
    groups: Int64[np.ndarray, " weight"],
    iterations: int = MAX_ITERATIONS,
) -> tuple[Vector, Float64[np.ndarray, " group"]]:
    """Weights, and each group's prior variance over the noise variance.

    groups: the group of each weight; -1 for an unpenalised weight.
    """
    penalised = groups >= 0
    size = np.bincount(groups[penalised])
    variance = np.full(len(size), INITIAL_VARIANCE)
    for _ in range(iterations):
        weights, weight_variance = _posterior(moments, groups, variance)
        residual_squares = (
            moments.target_squares - 2 * weights @ moments.cross + weights @ moments.gram @ weights
        )
        noise = (
            max(residual_squares, 1e-12 * max(moments.target_squares, 1e-300))
            / moments.total_weight
        )
        second_moment = weights[penalised] ** 2 / noise + weight_variance[penalised]
        variance = np.maximum(np.bincount(groups[penalised], second_moment) / size, MIN_VARIANCE)
    return _posterior(moments, groups, variance)[0], variance


def _posterior(
    moments: LeastSquaresMoments, groups: Int64[np.ndarray, " weight"], variance: np.ndarray
) -> tuple[Vector, Vector]:
    """Posterior mean of the weights, and their variances over the noise variance."""
    penalty = np.where(groups >= 0, 1.0 / variance[groups], _UNPENALISED)
    inverse = np.linalg.inv(moments.gram + np.diag(penalty))
    return inverse @ moments.cross, np.diag(inverse)


_UNPENALISED = 1e-3
"""Penalty that keeps unidentified weights finite; far below one decision."""
