"""How sure what is said of one patient is, and what is lost or won by not choosing where it is not.

An interval of a patient's effect is of the mean effect of patients alike in what was recorded
(causal/conditional_effects.py). Where no option is surely the better one, "the clinician's choice"
is an answer: the curve says what the rule is worth if so many patients, the least sure first, are
treated as they would have been without it.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from posology.causal.conditional_effects import conditional_effect_errors
from posology.causal.doubly_robust_scores import Nuisance
from posology.causal.trial import Column, Mask, Matrix, option_name
from posology.evaluation.effects.held_out_rule import EvaluatedRule
from posology.evaluation.intervals import (
    Z_95,
    Difference,
    Interval,
    bootstrap_means,
    paired_difference,
    percentile_interval,
)

ABSTAINED_SHARES = tuple(i / 10 for i in range(11))
"""Points of the curve."""


@dataclass(frozen=True, slots=True)
class OptionCertainty:
    """Of one option against the best single one: of how many patients its interval leaves out 0."""

    option: str
    comparator: str
    better_share: float
    worse_share: float
    median_width: float
    """Of the interval, its median."""


@dataclass(frozen=True, slots=True)
class AbstentionPoint:
    """The rule, but for a share of patients whom clinicians treat as they do."""

    abstained_share: float
    """That share; of the curve's points, the least sure first."""
    value: Interval
    gain_over_usual_care: Difference
    """Beyond leaving everybody to clinicians."""
    gain_over_best_single: Difference
    """Beyond the best single option for all, as other patients chose it."""


@dataclass(frozen=True, slots=True)
class Abstention:
    """What can be said of single patients; empty of points where nothing may be judged."""

    options: tuple[OptionCertainty, ...]
    curve: tuple[AbstentionPoint, ...]
    when_uncertain: AbstentionPoint
    """Where clinicians choose whenever no option is surely better than the others."""


def assess_abstention(
    nuisance: Nuisance, rule: EvaluatedRule, population: Mask, rng: np.random.Generator
) -> Abstention:
    """Judge what is said of patients who are not the ones it was learned from."""
    single = rule.best_single
    error = conditional_effect_errors(nuisance, rule.effect, single, rng)
    effect = rule.effect - rule.effect[:, [single]]
    trial, options = nuisance.trial, []
    for k in (k for k in rule.supported_options if k != single):
        low, high = (effect[population, k] + side * Z_95 * error[population, k] for side in (-1, 1))
        width = float(np.median(high - low))
        found = float((low > 0).mean()), float((high < 0).mean()), width
        options.append(OptionCertainty(option_name(trial, k), option_name(trial, single), *found))
    surety = choice_z_scores(effect, error, rule)
    rows = np.arange(len(trial))
    follow = nuisance.scores[rows, rule.chosen]
    lefts = [_least(surety, population, share) for share in ABSTAINED_SHARES] + [surety < Z_95]
    columns = [np.where(left, trial.outcome, follow) for left in lefts]
    columns += [trial.outcome, nuisance.scores[rows, rule.best_single_by_fold]]
    judged = np.column_stack(columns)[population]
    draws = bootstrap_means(judged, trial.subject[population], rng)
    points = [
        _point(float(left[population].mean()), judged.mean(axis=0), draws, at)
        for at, left in enumerate(lefts)
    ]
    return Abstention(tuple(options), tuple(points[:-1]), points[-1])


def choice_z_scores(effect: Matrix, error: Matrix, rule: EvaluatedRule) -> Column:
    """Standard errors by which the chosen option is better: than the best single one, or, if it is
    that one, than the other that comes nearest to it."""
    others = [k for k in rule.supported_options if k != rule.best_single]
    ahead = np.divide(effect, error, out=np.zeros(effect.shape), where=error > 0)
    nearest = -ahead[:, others].max(axis=1) if others else np.zeros(len(effect))
    chosen = rule.chosen
    return np.where(chosen == rule.best_single, nearest, ahead[np.arange(len(chosen)), chosen])


def _least(surety: Column, keep: Mask, share: float) -> Mask:
    """The least sure share of the patients kept; none of the others."""
    rows = np.flatnonzero(keep)
    order = rows[np.argsort(surety[rows], kind="stable")]
    left = np.zeros(len(surety), dtype=bool)
    left[order[: round(share * len(rows))]] = True
    return left


def _point(
    left: float,
    means: Float64[np.ndarray, " rule"],
    draws: Float64[np.ndarray, "replicate rule"],
    at: int,
) -> AbstentionPoint:
    return AbstentionPoint(
        left,
        percentile_interval(float(means[at]), draws[:, at]),
        paired_difference(float(means[at] - means[-2]), draws[:, at], draws[:, -2]),
        paired_difference(float(means[at] - means[-1]), draws[:, at], draws[:, -1]),
    )
