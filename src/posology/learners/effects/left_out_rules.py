"""Effects on the decisions of each fold, learned from the other folds, five times together.

The stack of r_learner.py. What leaves out two folds serves the rules of both: the systems of the
ridge regressions, whose designs have no outcome in them, and the trees.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from posology.causal.heterogeneity import Heterogeneity
from posology.causal.nested_nuisance import NestedNuisance
from posology.causal.ridge import RidgeTask, fold_products, solve_ridges
from posology.causal.spline_basis import SplineBasis, expand_basis
from posology.causal.trial import FOLDS
from posology.learners.effects.gate import assess_heterogeneity
from posology.learners.effects.r_learner import (
    effect_bases,
    effect_design,
    effect_weights,
    held_out_stack,
    stack_effects,
)
from posology.learners.effects.x_learner import nested_x_learner

EveryRule = Float64[np.ndarray, "fold decision treatment"]


@dataclass(frozen=True, slots=True, eq=False)
class LeftOutRule:
    """Effects on the decisions of one fold, learned without any of their outcomes."""

    effects: Float64[np.ndarray, "left_out treatment"]
    """Over the best single option."""
    linear_effects: Float64[np.ndarray, "left_out treatment"]
    """By one linear ridge regression, up to a constant: the benchmark of a better rule."""
    heterogeneity: Heterogeneity
    """In the other folds."""


def learn_left_out_rules(
    nested: NestedNuisance,
    on_pair: Callable[[int], None] = lambda done: None,  # noqa: ARG005
) -> tuple[LeftOutRule, ...]:
    """The effects of every fold, without a gate.

    Args:
        nested: nuisance models of every fold.
        on_pair: called with how many of nested_nuisance.PAIRS are done, for progress.
    """
    bases = effect_bases(nested.overall.trial.covariates)
    candidates = [_linear_of_rules(nested, basis) for basis in bases]
    boosted = np.zeros(candidates[0].shape)
    for k, nuisance in enumerate(nested.without):
        here = nested.overall.fold == k
        boosted[k, ~here] = nuisance.outcome_regression.boosted_mean
        boosted[k, here] = nested.overall.outcome_regression.boosted_mean[here]
    candidates += [boosted, nested_x_learner(nested, on_pair)]
    return tuple(_stack_rule(nested, [c[k] for c in candidates], k) for k in range(FOLDS))


def _stack_rule(
    nested: NestedNuisance,
    candidates: list[Float64[np.ndarray, "decision treatment"]],
    left_out: int,
) -> LeftOutRule:
    """Stack the candidates on four folds; the first of them is the linear regression."""
    nuisance, here = nested.without[left_out], nested.overall.fold == left_out
    residual, treatment_residual = nuisance.outcome_residual, nuisance.treatment_residual
    held_out, new = [c[~here] for c in candidates], [c[here] for c in candidates]
    weights, level = stack_effects(held_out, residual, treatment_residual)
    linear_weights, linear_level = stack_effects(held_out[:1], residual, treatment_residual)
    effects = level + sum(w * effect for w, effect in zip(weights, new, strict=True))
    best_single = int(nuisance.scores.mean(axis=0).argmax())
    return LeftOutRule(
        effects - effects[:, [best_single]],
        linear_level + linear_weights[0] * new[0],
        assess_heterogeneity(nuisance, held_out_stack(held_out, nuisance)),
    )


def _linear_of_rules(nested: NestedNuisance, basis: SplineBasis) -> EveryRule:
    """One candidate of each rule: decisions of its fold by all the others, these by the rest."""
    overall, fold = nested.overall, nested.overall.fold
    treatment_residual, tasks = overall.treatment_residual, []
    columns = expand_basis(basis, overall.trial.covariates)
    for k, nuisance in enumerate(nested.without):
        residual = np.zeros(len(fold))
        residual[fold != k] = nuisance.outcome_residual
        tasks.append(RidgeTask(residual, (k,)))
    products = fold_products(effect_design(columns, treatment_residual), fold)
    fits = solve_ridges(products, tasks, overall.trial.n_options)
    effect = np.zeros((FOLDS, *treatment_residual.shape))
    for k, fitted in enumerate(fits):
        for f in range(FOLDS):
            coefficients = fitted.coefficients if f == k else fitted.fold_coefficients[f]
            by_option = effect_weights(coefficients, overall.trial.n_options)
            effect[k, fold == f] = columns[fold == f] @ by_option
    return effect
