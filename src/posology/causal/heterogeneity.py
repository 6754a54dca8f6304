"""Do effects vary at all: the effects said, tested on patients from whom they were not learned."""

from dataclasses import dataclass

import numpy as np

from posology.causal.trial import Column, Matrix

SHARED_NOISE_FACTOR = 2**0.5
"""By how much the standard error grows as folds share each other's noise."""


@dataclass(frozen=True, slots=True)
class Heterogeneity:
    """Slope of the true effects on those said: 1 is perfect, 0 says that they do not vary so."""

    slope: float
    standard_error: float
    p: float
    """One-sided, of slope 0 or below; no smaller than it should be."""


def heterogeneity_test(
    predicted_effects: Matrix,
    outcome_residual: Column,
    treatment_residual: Matrix,
    folds_share_noise: bool = True,
) -> Heterogeneity:
    """Regress the outcome's residual on the surprise, alone and times the effects said.

    Where nothing varies, what was said of one fold is made of the noise of the others, and theirs
    of its: the folds' parts of the slope go together, so that its variance is up to twice (for a
    linear smoother, exactly) what the regression says. p counts with twice where it is `shared`;
    without, a test at 5 % erred in 8 to 11 % (docs/decisions/effects-stack.md). What was learned of
    none of these rows shares nothing.

    Chernozhukov, Demirer, Duflo and Fernandez-Val 2018 (doi:10.3386/w24678, eq. 2.2), with
    errors robust to unequal variance (HC3). `said` must come from models that have not seen the
    row's subject.
    """
    from scipy.stats import norm

    varying = (treatment_residual * (predicted_effects - predicted_effects.mean(axis=0))).sum(
        axis=1
    )
    if not varying.std() > 1e-9 * max(1.0, float(np.abs(outcome_residual).max())):
        return Heterogeneity(0.0, np.inf, 1.0)
    design = np.column_stack([varying, treatment_residual[:, 1:]])
    inverse = np.linalg.inv(design.T @ design)
    coefficient = inverse @ design.T @ outcome_residual
    leverage = np.einsum("ij,jk,ik->i", design, inverse, design)
    off = (outcome_residual - design @ coefficient) / (1 - leverage)
    spread = inverse @ (design * off[:, None] ** 2).T @ design @ inverse
    error = float(np.sqrt(spread[0, 0]))
    wider = SHARED_NOISE_FACTOR if folds_share_noise else 1.0
    p = float(norm.sf(coefficient[0] / error / wider))
    return Heterogeneity(float(coefficient[0]), error, p)
