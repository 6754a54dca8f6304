"""Outcomes of patients who were not followed to the end, made good by those like them who were."""

import numpy as np
from jaxtyping import Bool, Float64

from posology.causal.outcome_regression import append_option, make_boosted_trees
from posology.causal.propensity import fit_propensity
from posology.causal.trial import FOLDS, Column, Trial, assign_folds

MIN_OBSERVED_PROBABILITY = 0.05
"""No chance of complete follow-up below it is believed; our choice."""


def adjust_missing_outcomes(
    trial: Trial, is_observed: Bool[np.ndarray, " decision"], rng: np.random.Generator
) -> Column:
    """An outcome for everybody: weighted where it is known, expected where it is not.

    Y* = m + known / P(known) (Y - m), given what was known at the decision and the option; its
    mean is right where either P(known) or the regression m is (Rubin and van der Laan 2007,
    doi:10.2202/1557-4679.1052, for outcomes lost to follow-up), so that it is an outcome like any
    other. The trial's outcomes are not read where they are not known.
    """
    if is_observed.all():
        return trial.outcome
    inputs = append_option(trial.covariates, trial.treatment, trial.n_options)
    seen = Trial(inputs, is_observed.astype(np.int64), np.zeros(len(trial)), trial.subject, 2)
    fold = assign_folds(seen, rng)
    chance = np.maximum(fit_propensity(seen, fold).probability[:, 1], MIN_OBSERVED_PROBABILITY)
    mean = _expected(inputs, np.where(is_observed, trial.outcome, 0.0), is_observed, fold)
    surprise = np.where(is_observed, trial.outcome - mean, 0.0)
    return mean + surprise / chance


def _expected(
    inputs: Float64[np.ndarray, "decision feature_and_option"],
    outcome: Column,
    known: Bool[np.ndarray, " decision"],
    fold: np.ndarray,
) -> Column:
    said = np.zeros(len(inputs))
    for f in range(FOLDS):
        rest, here = (fold != f) & known, fold == f
        said[here] = make_boosted_trees().fit(inputs[rest], outcome[rest]).predict(inputs[here])
    return said
