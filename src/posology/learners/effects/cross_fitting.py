"""Effects of every patient by models fitted on other patients (cross-fitting)."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int64

from posology.causal.doubly_robust_scores import Nuisance
from posology.causal.nested_nuisance import NestedNuisance
from posology.causal.trial import Mask, Matrix
from posology.learners.effects.least_gain import choose_where_it_counts
from posology.learners.effects.left_out_rules import learn_left_out_rules
from posology.learners.effects.r_learner import SIGNIFICANCE_LEVEL

Options = Int64[np.ndarray, " decision"]


@dataclass(frozen=True, slots=True, eq=False)
class HeldOutEffects:
    """Predictions for each patient by models of the other folds."""

    fold: Int64[np.ndarray, " decision"]
    effects: Matrix
    """Each option's effect up to a constant per fold, before the heterogeneity test."""
    chosen: Options
    """Option of the rule: `best_single`, unless heterogeneity is shown in the other folds, and the
    predicted gain counts (least_gain.py)."""
    best_single: Options
    """Option of the highest mean in the analysis population of the other folds; where it is
    forbidden, the next best."""
    linear_choice: Options
    """Option of a linear rule without a heterogeneity test, for comparison."""
    personal_folds: int
    """Number of folds in which the rule was personal."""


def estimate_held_out_effects(
    nested: NestedNuisance,
    allowed: Bool[np.ndarray, "decision treatment"],
    population: Mask,
    on_pair: Callable[[int], None] = lambda done: None,  # noqa: ARG005
) -> HeldOutEffects:
    """Learn on four folds of subjects and predict the fifth, five times.

    Args:
        allowed: options that the safety rules permit.
        population: the analysis population, in which the best single option is chosen. It may
            depend on covariates and treatments, not on outcomes.
        on_pair: called with how many of nested_nuisance.PAIRS are done, for progress.
    """
    trial, fold = nested.overall.trial, nested.overall.fold
    effects, chosen = np.zeros((len(trial), trial.n_options)), np.zeros(len(trial), np.int64)
    best_single, personal_folds = np.zeros(len(trial), np.int64), 0
    linear_choice = np.zeros(len(trial), np.int64)
    for f, rule in enumerate(learn_left_out_rules(nested, on_pair)):
        nuisance, here = nested.without[f], fold == f
        effects[here] = rule.effects
        best_single[here] = best_allowed_option(nuisance, population[~here], allowed[here])
        chosen[here] = best_single[here]
        linear_choice[here] = np.where(allowed[here], rule.linear_effects, -np.inf).argmax(axis=1)
        if rule.heterogeneity.p < SIGNIFICANCE_LEVEL:
            chosen[here] = choose_where_it_counts(rule.effects, best_single[here], allowed[here])
            personal_folds += 1
    return HeldOutEffects(fold, effects, chosen, best_single, linear_choice, personal_folds)


def best_allowed_option(
    nuisance: Nuisance, population: Mask, allowed: Bool[np.ndarray, "new_decision treatment"]
) -> Int64[np.ndarray, " new_decision"]:
    """The allowed option of the highest mean score in the population, for other decisions.

    The scores are of decisions other than those of `allowed`. Without a population (no overlap) all
    decisions count.
    """
    rows = population if population.any() else ~population
    values = nuisance.scores[rows].mean(axis=0)
    return np.where(allowed, values, -np.inf).argmax(axis=1)
