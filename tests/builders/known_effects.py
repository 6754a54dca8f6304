"""Trials from the simulator of two options, whose true effects are known."""

import numpy as np

from posology.causal.doubly_robust_scores import Nuisance
from posology.causal.outcome_regression import OutcomeRegression
from posology.causal.propensity import known_propensity
from posology.causal.trial import FOLDS, Trial
from posology.simulators import two_options


def draw_trial(scenario: str, n: int, seed: int) -> tuple[Trial, two_options.Sample]:
    """A trial of n patients and the sample it was made from."""
    sample = two_options.draw_sample(scenario, n, np.random.default_rng(seed))
    trial = Trial(
        sample.covariates, sample.treatment, sample.outcome, np.arange(n), 2, ("old", "new")
    )
    return trial, sample


def draw_nuisance(scenario: str, n: int, seed: int) -> tuple[Nuisance, two_options.Sample]:
    """True propensities; the regression is the true mean of the first option, whatever the option.

    Nothing is fitted, so that tests of what is computed from scores are fast and exact.
    """
    trial, sample = draw_trial(scenario, n, seed)
    mean = np.repeat(sample.expected[:, :1], 2, axis=1)
    propensity = known_propensity(np.column_stack([1 - sample.propensity, sample.propensity]))
    regression = OutcomeRegression(mean, mean, (1.0, 0.0), np.tile(mean, (FOLDS, 1, 1)))
    return Nuisance(trial, np.arange(n) % FOLDS, propensity, regression), sample
