"""Predictions of a rule for patients it was not learned from; a rule is evaluated on these only."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from posology.causal.trial import Fold, Matrix
from posology.evaluation.effects.policy_values import ChosenOption


@dataclass(frozen=True, slots=True, eq=False)
class HeldOutRule:
    """A rule's predicted effects and choices for patients it was not learned from."""

    fold: Fold
    predicted_effect: Matrix
    """Effect of each option against the best single one, before the heterogeneity test."""
    chosen: ChosenOption
    best_single: ChosenOption
    """The best single option for all, chosen on other patients."""
    personalised_folds: int | None
    """Number of folds in which effects were shown to vary, so that the rule was personalised; None
    for a saved policy, which was learned on other data."""
    unrestricted: ChosenOption | None = None
    """Choices among all allowed options, if `chosen` are among those that can be judged."""


@dataclass(frozen=True, slots=True, eq=False)
class EvaluatedRule:
    """A held-out rule with the options that can be evaluated."""

    effect: Matrix
    """Predicted effect of each option, up to a constant per decision; fold means aligned."""
    chosen: ChosenOption
    """Of the first run or of every run, on other folds each."""
    best_single_by_fold: ChosenOption
    """The best single option for all, chosen on other patients, for the same runs."""
    comparator: int
    """Option that effects are stated against: the study's control, else the best single option."""
    supported_options: Sequence[int]
    """Options that can be judged."""
    gain_error_factor: float = 1.0
    """Factor on the standard error of gains, for noise that folds share (shared_noise.py)."""


def align_fold_means(effect: Matrix, fold: Fold) -> Matrix:
    """Shift the effects so that every fold has the same mean.

    Otherwise fold means rank patients: if the held-out patients of a fold did well by chance, the
    models of the other folds predict less for them.
    """
    aligned = effect.copy()
    for f in np.unique(fold):
        aligned[fold == f] += effect.mean(axis=0) - effect[fold == f].mean(axis=0)
    return aligned
