"""Abstention: the value of a rule that leaves its least certain choices to clinicians.

The interval of a patient's effect is that of the mean effect of patients with the same recorded
covariates (causal/conditional_effects.py). The curve shows the value of the rule if a share of the
patients, the least certain first, is treated as in usual care.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64

from posology.causal.conditional_effects import conditional_effect_errors
from posology.causal.doubly_robust_scores import Nuisance
from posology.causal.trial import Column, Mask, Matrix, option_name
from posology.evaluation.effects.held_out_rule import EvaluatedRule
from posology.evaluation.effects.policy_values import ErrorFactors, RuleValue, option_scores
from posology.evaluation.effects.shared_noise import shared_noise_factor
from posology.evaluation.intervals import (
    Z_95,
    Difference,
    Interval,
    bootstrap_means,
    percentile_interval,
    widened_difference,
)

ABSTAINED_SHARES = tuple(i / 10 for i in range(11))
"""Shares of patients left to clinicians, the points of the curve."""


@dataclass(frozen=True, slots=True)
class OptionCertainty:
    """Share of patients whose 95 % interval of an option's effect excludes 0."""

    option: str
    comparator: str
    better_share: float
    worse_share: float
    median_width: float
    """Median width of the interval."""


@dataclass(frozen=True, slots=True)
class AbstentionPoint:
    """Value of the rule if a share of patients is left to clinicians."""

    abstained_share: float
    """Share left to clinicians, the least certain patients first."""
    value: Interval
    gain_over_usual_care: Difference
    """Gain over leaving every patient to clinicians."""
    gain_over_best_single: Difference
    """Gain over the best single option for all, chosen on other patients."""


@dataclass(frozen=True, slots=True)
class Abstention:
    """Certainty of individual choices, and the value of abstaining from the uncertain ones."""

    options: tuple[OptionCertainty, ...]
    curve: tuple[AbstentionPoint, ...]
    when_uncertain: AbstentionPoint
    """Clinicians choose for every patient without a significantly better option."""


def assess_abstention(
    nuisance: Nuisance, rule: EvaluatedRule, population: Mask, rng: np.random.Generator
) -> Abstention:
    """Evaluate how certain the rule's choices are, on patients it was not learned from."""
    single = rule.comparator
    error = conditional_effect_errors(nuisance, rule.effect, single, rng)
    effect = rule.effect - rule.effect[:, [single]]
    trial, options = nuisance.trial, []
    for k in (k for k in rule.supported_options if k != single):
        low, high = (effect[population, k] + side * Z_95 * error[population, k] for side in (-1, 1))
        options.append(
            OptionCertainty(
                option=option_name(trial, k),
                comparator=option_name(trial, single),
                better_share=float((low > 0).mean()),
                worse_share=float((high < 0).mean()),
                median_width=float(np.median(high - low)),
            )
        )
    z_scores = choice_z_scores(effect, error, rule)
    by_rule = option_scores(nuisance.scores, rule.chosen)
    abstained = [_least_certain(z_scores, population, share) for share in ABSTAINED_SHARES]
    abstained.append(z_scores < Z_95)
    outcomes = [np.where(mask, trial.outcome, by_rule) for mask in abstained]
    outcomes += [trial.outcome, option_scores(nuisance.scores, rule.best_single_by_fold)]
    columns = np.column_stack(outcomes)[population]
    draws = bootstrap_means(columns, trial.subject[population], rng)
    points = [
        _point(
            float(mask[population].mean()),
            columns.mean(axis=0),
            draws,
            column,
            _error_factors(nuisance, rule, mask, population),
        )
        for column, mask in enumerate(abstained)
    ]
    return Abstention(tuple(options), tuple(points[:-1]), points[-1])


def with_stated_ends(
    abstention: Abstention, rule: RuleValue, observed: RuleValue, is_usual_care: bool
) -> Abstention:
    """Its ends, the rule and usual care, with the intervals that the table of rules states.

    Args:
        abstention: whose points are resampled.
        rule: the row of the rule.
        observed: the row of treatment as observed.
        is_usual_care: whether the table's reference is usual care.
    """

    def stated(point: AbstentionPoint) -> AbstentionPoint:
        if point.abstained_share not in (0, 1):
            return point
        row = observed if point.abstained_share else rule
        over_usual = row.reference_gain if is_usual_care else point.gain_over_usual_care
        return AbstentionPoint(
            point.abstained_share,
            row.value if not math.isnan(row.value.value) else point.value,
            over_usual if not math.isnan(over_usual.value) else point.gain_over_usual_care,
            row.gain if not math.isnan(row.gain.value) else point.gain_over_best_single,
        )

    curve = tuple(stated(point) for point in abstention.curve)
    return replace(abstention, curve=curve, when_uncertain=stated(abstention.when_uncertain))


def choice_z_scores(effect: Matrix, error: Matrix, rule: EvaluatedRule) -> Column:
    """Effect of the chosen option over its closest alternative, in standard errors.

    The alternative is the comparator; if that is the chosen one, the best of the others. Predicted
    effects and choices are those of the rule's first run.
    """
    others = [k for k in rule.supported_options if k != rule.comparator]
    z = np.divide(effect, error, out=np.zeros(effect.shape), where=error > 0)
    against_others = -z[:, others].max(axis=1) if others else np.zeros(len(effect))
    chosen = np.atleast_2d(rule.chosen)[0]
    return np.where(chosen == rule.comparator, against_others, z[np.arange(len(chosen)), chosen])


def _least_certain(z_scores: Column, population: Mask, share: float) -> Mask:
    """The share of the population with the lowest z scores."""
    rows = np.flatnonzero(population)
    order = rows[np.argsort(z_scores[rows], kind="stable")]
    mask = np.zeros(len(z_scores), dtype=bool)
    mask[order[: round(share * len(rows))]] = True
    return mask


def _error_factors(
    nuisance: Nuisance, rule: EvaluatedRule, abstained: Mask, population: Mask
) -> ErrorFactors:
    """Factors on the errors of the gains over the best single option and over usual care."""
    if rule.gain_error_factor == 1:
        return 1.0, 1.0
    outcome, subject = nuisance.trial.outcome, nuisance.trial.subject[population]
    over_single, over_usual = [], []
    runs = zip(np.atleast_2d(rule.chosen), np.atleast_2d(rule.best_single_by_fold), strict=True)
    for chosen, single in runs:
        value = np.where(abstained, outcome, option_scores(nuisance.scores, chosen))
        over_single.append((value - option_scores(nuisance.scores, single))[population])
        over_usual.append((value - outcome)[population])
    return (
        shared_noise_factor(np.mean(over_single, axis=0), over_single, subject),
        shared_noise_factor(np.mean(over_usual, axis=0), over_usual, subject),
    )


def _point(
    share: float,
    means: Float64[np.ndarray, " rule"],
    draws: Float64[np.ndarray, "replicate rule"],
    column: int,
    factors: ErrorFactors,
) -> AbstentionPoint:
    """The last two columns are observed treatment and the best single option."""
    value, value_draws = float(means[column]), draws[:, column]
    over_single, over_usual = (
        widened_difference(
            float(means[column] - means[other]), value_draws - draws[:, other], factor
        )
        for other, factor in zip((-1, -2), factors, strict=True)
    )
    return AbstentionPoint(share, percentile_interval(value, value_draws), over_usual, over_single)
