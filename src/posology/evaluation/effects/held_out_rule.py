"""What a rule says of patients from whom it was not learned: all that it may be judged by."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from posology.causal.trial import Fold, Matrix
from posology.evaluation.effects.policy_values import ChosenOption


@dataclass(frozen=True, slots=True, eq=False)
class HeldOutRule:
    """What a rule says of patients from whom it was not learned."""

    fold: Fold
    predicted_effect: Matrix
    """Each option's effect over the best single one, before it is asked whether effects vary."""
    chosen: ChosenOption
    best_single: ChosenOption
    """The best single option, as chosen on other patients."""
    personalised_folds: int | None
    """In how many of the folds effects were shown to vary, so that the rule was personal; None of
    a saved policy, which was learned elsewhere."""


@dataclass(frozen=True, slots=True, eq=False)
class EvaluatedRule:
    """What a rule chooses, and what stands behind it, of patients it was not learned from."""

    effect: Matrix
    """Each option's, over any one of them; levels of folds taken out."""
    chosen: ChosenOption
    best_single_by_fold: ChosenOption
    """The best single option, as chosen on other patients."""
    best_single: int
    """The best single option of all."""
    supported_options: Sequence[int]
    """Options of which something may be said."""


def align_fold_means(effect: Matrix, fold: Fold) -> Matrix:
    """The same level in every fold: it must not rank patients, for where patients left out did well
    the models of the others say less, and predictions would look wrong that only know noise."""
    out = effect.copy()
    for f in np.unique(fold):
        out[fold == f] += effect.mean(axis=0) - effect[fold == f].mean(axis=0)
    return out
