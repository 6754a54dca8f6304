"""Noise that the folds of a cross-fitted rule share, and what it adds to the error of its gain.

A rule for fold j is learned from fold k, and a rule for fold k from fold j, so that the errors of
their gains go together. With d_i the difference of scores that the rule of the other folds adds up
for patient i and e_i its error, the variance of the sum is the sum of the variances of d_i e_i, as
usual, plus the sum over pairs of cov(d_i e_i, d_j e_j). To first order in e the latter is at most
the sum of the variances of E[d_i | e_j] e_i (Cauchy and Schwarz): the part of d_i that follows the
noise of the training patients. How large it is shows where the rule, learned again on other folds,
decides otherwise (docs/decisions/interval-of-the-gain.md).
"""

from collections.abc import Sequence

import numpy as np

from posology.causal.doubly_robust_scores import Nuisance
from posology.causal.heterogeneity import SHARED_NOISE_FACTOR
from posology.causal.trial import Column, Mask
from posology.evaluation.effects.policy_values import (
    ChosenOption,
    ReferenceOption,
    gain_per_patient,
)
from posology.evaluation.intervals import Subjects

SHARED_PER_DISAGREEMENT = 1.0
"""Variance that follows the noise, per squared difference of two runs of five folds.

They share 80 % of their training patients. For a choice between two options that noise alone
decides it is phi(0)^2 over arccos(0.8) / pi, or 0.777, less where effects decide too, and more with
several options. Our choice, by the coverage in docs/decisions/interval-of-the-gain.md.
"""

Rule = tuple[ChosenOption, ReferenceOption]
"""Each patient's option, and the option compared with, by models fitted without their fold."""


def gain_error_factor(
    nuisance: Nuisance, rule: Rule, refits: Sequence[Rule] | None, population: Mask
) -> float:
    """Factor on the standard error of a rule's gain over one option.

    Args:
        nuisance: of the patients.
        rule: the rule.
        refits: the rule learned again on other folds; None for a rule learned from other data.
        population: the analysis population.
    """
    if refits is None:
        return 1.0
    gains = [gain_per_patient(nuisance.scores, *each)[population] for each in (rule, *refits)]
    return shared_noise_factor(gains[0], gains[1:], nuisance.trial.subject[population])


def shared_noise_factor(own: Column, refits: Sequence[Column], subject: Subjects) -> float:
    """Factor on the standard error of the mean of a cross-fitted rule's differences.

    1 where the rule always decides alike; at most the square root of 2, its value for a linear
    smoother of pure noise, and that without any refit.
    """
    if not refits:
        return SHARED_NOISE_FACTOR
    row = np.unique(subject, return_inverse=True)[1]
    variance = _sum_of_squares(own - own.mean(), row)
    if not variance > 0:
        return 1.0
    disagreement = float(np.mean([_sum_of_squares(own - other, row) for other in refits]))
    factor = float(np.sqrt(1 + SHARED_PER_DISAGREEMENT * disagreement / variance))
    return min(factor, SHARED_NOISE_FACTOR)


def _sum_of_squares(per_decision: Column, row: Subjects) -> float:
    """Of the sums of each subject's decisions."""
    return float((np.bincount(row, per_decision) ** 2).sum())
