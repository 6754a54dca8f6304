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


def interaction_test(
    covariates: Float64[np.ndarray, "decision column"],
    outcome_residual: Column,
    treatment_residual: Matrix,
    subject: Int64[np.ndarray, " decision"],
) -> float:
    """P value of the null hypothesis that no covariate changes the effect of any option linearly.

    The score test of a variance component that all interactions share (Goeman, van de Geer and van
    Houwelingen 2006, doi:10.1111/j.1467-9868.2006.00551.x): the sum of their squared scores, whose
    distribution is a weighted sum of chi-squares, here by its first two moments (Satterthwaite
    1946). Nothing is learned from other patients, so that no folds share noise, and it sees
    interactions that are too many to be learned well. Scores are summed by subject.

    Args:
        covariates: of standard deviation 1.
        outcome_residual: outcome minus its expectation before the treatment is known.
        treatment_residual: one-hot treatment minus the propensities.
        subject: of each decision.
    """
    from scipy.stats import chi2

    options = treatment_residual.shape[1]
    interactions = np.hstack([covariates * treatment_residual[:, [k]] for k in range(options)])
    averages = treatment_residual[:, 1:]
    both = np.column_stack([interactions, outcome_residual])
    both = both - averages @ np.linalg.lstsq(averages, both, rcond=None)[0]
    subjects, row = np.unique(subject, return_inverse=True)
    score = np.zeros((len(subjects), interactions.shape[1]))
    np.add.at(score, row, both[:, :-1] * both[:, [-1]])
    covariance = score.T @ score
    total, squares = float(np.trace(covariance)), float((covariance**2).sum())
    if not squares > 0:
        return 1.0
    statistic = float((score.sum(axis=0) ** 2).sum())
    return float(chi2.sf(statistic * total / squares, total**2 / squares))


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
