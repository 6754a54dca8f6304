"""Noise that the folds of a cross-fitted rule share, and what it adds to the error of its gain.

A rule for fold j is learned from fold k, and a rule for fold k from fold j, so that the errors of
their gains go together. With d_i the difference of scores that the rule of the other folds adds up
for patient i and e_i its error, the variance of the sum is the sum of the variances of d_i e_i, as
usual, plus the sum over pairs of cov(d_i e_i, d_j e_j). To first order in e the latter is at most
the sum of the variances of E[d_i | e_j] e_i (Cauchy and Schwarz): the part of d_i that follows the
noise of the training patients. How large it is shows where the rule, learned again on other folds,
decides otherwise. The mean over the runs loses what the choice of folds adds to d_i, but not this
part, which is the same for all choices of folds (docs/decisions/interval-of-the-gain.md).
"""

import itertools
from collections.abc import Sequence

import numpy as np

from posology.causal.doubly_robust_scores import Nuisance
from posology.causal.heterogeneity import SHARED_NOISE_FACTOR
from posology.causal.trial import FOLDS, Column, Mask
from posology.evaluation.effects.policy_values import (
    ChosenOption,
    ReferenceOption,
    gain_per_patient,
)
from posology.evaluation.intervals import Subjects

SHARED_PER_DISAGREEMENT = 0.777
"""Variance of one run that follows the noise, per squared difference of two runs of five folds.

They share 80 % of their training patients. For a choice between two options that noise alone
decides it is phi(0)^2 over arccos(0.8) / pi, less where effects decide too; by simulation it holds
for several options (docs/decisions/interval-of-the-gain.md).
"""
SHARED_BETWEEN_RUNS = 1 - 1 / FOLDS
"""Part of it that two runs share: two patients of one run are in different folds, as they must be
for noise to be shared, and they are so in the other run with this probability."""

Rule = tuple[ChosenOption, ReferenceOption]
"""Each patient's option, and the option compared with, by models fitted without their fold."""


def gain_error_factor(nuisance: Nuisance, runs: Sequence[Rule], population: Mask) -> float:
    """Factor on the standard error of the mean gain of a cross-fitted rule's runs over one option.

    Args:
        nuisance: of the patients.
        runs: the rule, and the rule learned again on other folds.
        population: the analysis population.
    """
    gains = [gain_per_patient(nuisance.scores, *run)[population] for run in runs]
    return shared_noise_factor(np.mean(gains, axis=0), gains, nuisance.trial.subject[population])


def shared_noise_factor(estimate: Column, runs: Sequence[Column], subject: Subjects) -> float:
    """Factor on the standard error of a mean of a cross-fitted rule's differences.

    1 where all runs decide alike. The variance that folds share is at most that of one run, its
    value for a linear smoother of pure noise; so it is taken to be where there is only one run.

    Args:
        estimate: whose mean is stated: the mean of the runs, or one of them.
        runs: the differences of each run.
        subject: of each difference.
    """
    row = np.unique(subject, return_inverse=True)[1]
    variance = _sum_of_squares(estimate - estimate.mean(), row)
    if not variance > 0:
        return 1.0
    if len(runs) == 1:
        return SHARED_NOISE_FACTOR
    of_one_run = float(np.mean([_sum_of_squares(run - run.mean(), row) for run in runs]))
    pairs = itertools.combinations(runs, 2)
    disagreement = float(np.mean([_sum_of_squares(one - other, row) for one, other in pairs]))
    shared = min(_shared_by(len(runs)) * disagreement, of_one_run)
    return float(np.sqrt(1 + shared / variance))


def _shared_by(runs: int) -> float:
    """Shared variance of the mean of so many runs, per squared difference of two."""
    return SHARED_PER_DISAGREEMENT * (1 / runs + SHARED_BETWEEN_RUNS * (1 - 1 / runs))


def _sum_of_squares(per_decision: Column, row: Subjects) -> float:
    """Of the sums of each subject's decisions."""
    return float((np.bincount(row, per_decision) ** 2).sum())
