"""Outcomes lost to follow-up: a doubly robust transformation of the observed ones."""

import numpy as np
from jaxtyping import Bool, Float64

from posology.causal.outcome_regression import append_option, make_boosted_trees
from posology.causal.propensity import fit_propensity
from posology.causal.trial import FOLDS, Column, Trial, assign_folds

MIN_OBSERVED_PROBABILITY = 0.05
"""Smallest probability of complete follow-up; lower ones are raised to it; our choice."""


def adjust_missing_outcomes(
    trial: Trial, is_observed: Bool[np.ndarray, " decision"], rng: np.random.Generator
) -> Column:
    """A transformed outcome for every decision, whose mean is that of the full outcome.

    Y* = m + observed / P(observed) (Y - m), with P and the regression m given covariates and
    option. Unbiased if either P or m is correct (Rubin and van der Laan 2007,
    doi:10.2202/1557-4679.1052). Unobserved outcomes of the trial are not read.
    """
    if is_observed.all():
        return trial.outcome
    inputs = append_option(trial.covariates, trial.treatment, trial.n_options)
    follow_up = Trial(inputs, is_observed.astype(np.int64), np.zeros(len(trial)), trial.subject, 2)
    fold = assign_folds(follow_up, rng)
    probability = np.maximum(
        fit_propensity(follow_up, fold).probability[:, 1], MIN_OBSERVED_PROBABILITY
    )
    mean = _cross_fit_mean(inputs, np.where(is_observed, trial.outcome, 0.0), is_observed, fold)
    residual = np.where(is_observed, trial.outcome - mean, 0.0)
    return mean + residual / probability


def _cross_fit_mean(
    inputs: Float64[np.ndarray, "decision feature_and_option"],
    outcome: Column,
    is_observed: Bool[np.ndarray, " decision"],
    fold: np.ndarray,
) -> Column:
    mean = np.zeros(len(inputs))
    for f in range(FOLDS):
        rest, here = (fold != f) & is_observed, fold == f
        mean[here] = make_boosted_trees().fit(inputs[rest], outcome[rest]).predict(inputs[here])
    return mean
