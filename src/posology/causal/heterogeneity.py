"""Test of effect heterogeneity, on patients from whom the effects were not learned."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from posology.causal.trial import Column, Matrix

SHARED_NOISE_FACTOR = 2**0.5
"""Factor on the standard error because cross-fitted folds share noise."""


@dataclass(frozen=True, slots=True)
class Heterogeneity:
    """Slope of true on predicted effects: 1 is perfect, 0 is no heterogeneity as predicted."""

    slope: float
    standard_error: float
    p: float
    """One-sided, of the null hypothesis that the slope is 0 or below; conservative."""


def heterogeneity_test(
    predicted_effects: Matrix,
    outcome_residual: Column,
    treatment_residual: Matrix,
    subject: Int64[np.ndarray, " decision"],
    folds_share_noise: bool = True,
) -> Heterogeneity:
    """Regress outcome residuals on treatment residuals, alone and times the predicted effects.

    Without heterogeneity, the predictions for one fold are noise of the other folds, and theirs
    include the noise of this one: the folds' parts of the slope are correlated, so that its
    variance is up to twice (for a linear smoother, exactly twice) that of the regression. With
    `folds_share_noise` p uses twice the variance; otherwise a 5 % test rejects in 8 to 11 %
    (docs/decisions/effects-stack.md). Effects learned on other data share no noise.

    Chernozhukov, Demirer, Duflo and Fernandez-Val 2018 (doi:10.3386/w24678, eq. 2.2), with
    standard errors clustered by subject (Liang and Zeger 1986): decisions of one subject share
    what was not recorded. `predicted_effects` must come from models that have not seen the row's
    subject.
    """
    from scipy.stats import norm

    interaction = (treatment_residual * (predicted_effects - predicted_effects.mean(axis=0))).sum(
        axis=1
    )
    if not interaction.std() > 1e-9 * max(1.0, float(np.abs(outcome_residual).max())):
        return Heterogeneity(0.0, np.inf, 1.0)
    design = np.column_stack([interaction, treatment_residual[:, 1:]])
    inverse = np.linalg.inv(design.T @ design)
    coefficient = inverse @ design.T @ outcome_residual
    covariance = _clustered_covariance(
        design, inverse, outcome_residual - design @ coefficient, subject
    )
    standard_error = float(np.sqrt(covariance[0, 0]))
    factor = SHARED_NOISE_FACTOR if folds_share_noise else 1.0
    p = float(norm.sf(coefficient[0] / standard_error / factor))
    return Heterogeneity(float(coefficient[0]), standard_error, p)


def _clustered_covariance(
    design: Float64[np.ndarray, "decision column"],
    inverse: Float64[np.ndarray, "column column"],
    residual: Column,
    subject: Int64[np.ndarray, " decision"],
) -> Float64[np.ndarray, "column column"]:
    """Sandwich covariance of least squares, clustered by subject (CR3).

    Each subject's residuals are those of a fit without the subject (Bell and McCaffrey 2002), as in
    HC3, which this is where every subject has one decision. `inverse` is that of design' design.
    """
    subjects, row = np.unique(subject, return_inverse=True)
    columns = design.shape[1]
    moment = np.zeros((len(subjects), columns, columns))
    np.add.at(moment, row, design[:, :, None] * design[:, None, :])
    score = np.zeros((len(subjects), columns))
    np.add.at(score, row, design * residual[:, None])
    score = np.linalg.solve(np.eye(columns) - moment @ inverse, score[:, :, None])[:, :, 0]
    return inverse @ score.T @ score @ inverse
