"""Cross products of outcome residuals and treatment residuals times columns of covariates.

The R-learner's equation (Nie and Wager 2021, doi:10.1093/biomet/asaa076, eq. 4): all that a linear
model of the effects needs to know of the decisions.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from posology.causal.doubly_robust_scores import Nuisance
from posology.causal.trial import Mask


@dataclass(frozen=True, slots=True, eq=False)
class CrossProducts:
    """Cross products of design and target; the first columns are an intercept per other option."""

    gram: Float64[np.ndarray, "column column"]
    side: Float64[np.ndarray, " column"]
    square: float
    count: int


@dataclass(frozen=True, slots=True, eq=False)
class Projected:
    """The cross products after the intercepts are projected out."""

    intercept: Float64[np.ndarray, " treatment"]
    inverse: Float64[np.ndarray, "intercept intercept"]
    """Inverse cross product of the intercepts: their covariance divided by the noise variance."""
    gram: Float64[np.ndarray, "column column"]
    side: Float64[np.ndarray, " column"]
    square: float
    count: int


def cross_products(
    nuisance: Nuisance, basis: Float64[np.ndarray, "decision basis"], at: Mask
) -> CrossProducts:
    """Of the decisions `at`; after the intercepts come the columns of each option in turn."""
    treatment_residual, y = nuisance.treatment_residual[at], nuisance.outcome_residual[at]
    parts = [basis[at] * residual[:, None] for residual in treatment_residual.T]
    design = np.hstack([treatment_residual[:, 1:], *parts])
    return CrossProducts(design.T @ design, design.T @ y, float(y @ y), len(y))


def add_cross_products(sums: list[CrossProducts]) -> CrossProducts:
    """Those of several sets of decisions together."""
    gram, side = np.sum([s.gram for s in sums], axis=0), np.sum([s.side for s in sums], axis=0)
    return CrossProducts(gram, side, sum(s.square for s in sums), sum(s.count for s in sums))


def project_out_intercepts(sums: CrossProducts, free: int) -> Projected:
    """free: number of intercepts."""
    inverse = np.linalg.pinv(sums.gram[:free, :free])
    intercept = inverse @ sums.side[:free]
    return Projected(
        np.append(0.0, intercept),
        inverse,
        sums.gram[free:, free:] - sums.gram[free:, :free] @ inverse @ sums.gram[:free, free:],
        sums.side[free:] - sums.gram[free:, :free] @ intercept,
        sums.square - float(sums.side[:free] @ intercept),
        sums.count,
    )
