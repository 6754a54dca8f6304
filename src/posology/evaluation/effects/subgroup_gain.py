"""Value of the rule, and calibration of its predicted effects, in each subgroup of patients.

Predictions that are right on average may be wrong in one subgroup: subgroups are compared by their
doubly robust effects.
"""

from dataclasses import dataclass

import numpy as np

from posology.causal.doubly_robust_scores import Nuisance
from posology.causal.trial import Mask, option_name
from posology.evaluation.effects.held_out_rule import EvaluatedRule
from posology.evaluation.effects.policy_values import estimate_gain
from posology.evaluation.intervals import Difference, Interval, bootstrap_means, percentile_interval
from posology.evaluation.table1.subgroups import MIN_SUBGROUP_SIZE, Subgroup

_UNKNOWN = float("nan")


@dataclass(frozen=True, slots=True)
class SubgroupBenefit:
    """Predicted and observed effect of one option against the best single one, in one subgroup."""

    option: str
    comparator: str
    predicted: float
    observed: Interval


@dataclass(frozen=True, slots=True)
class SubgroupGain:
    """The rule in one subgroup; NaN and no benefits if it has too few patients."""

    family: str
    group: str
    n: int
    in_population: int
    """Number of its patients in the analysis population."""
    differing_share: float
    """Share of patients for whom the rule differs from the best single option."""
    gain: Difference
    value: Interval
    """Mean outcome under the rule."""
    benefits: tuple[SubgroupBenefit, ...]


def estimate_subgroup_gain(
    nuisance: Nuisance,
    rule: EvaluatedRule,
    group: Subgroup,
    population: Mask,
    rng: np.random.Generator,
) -> SubgroupGain:
    """Evaluate the rule in one subgroup of the population."""
    members = group.mask & population
    n, in_population = int(group.mask.sum()), int(members.sum())
    if in_population < MIN_SUBGROUP_SIZE:
        gain, value = Difference(*[_UNKNOWN] * 4), Interval(*[_UNKNOWN] * 3)
        return SubgroupGain(
            group.family, group.name, n, in_population, _UNKNOWN, gain, value, benefits=()
        )
    trial, single = nuisance.trial, rule.best_single
    differing = float((rule.chosen != rule.best_single_by_fold)[members].mean())
    gain = estimate_gain(nuisance, rule.chosen, rule.best_single_by_fold, rng, members)
    scores = nuisance.scores[members]
    columns = scores - scores[:, [single]]
    columns[:, single] = scores[np.arange(in_population), rule.chosen[members]]
    draws = bootstrap_means(columns, trial.subject[members], rng)
    observed = [
        percentile_interval(float(columns[:, k].mean()), draws[:, k])
        for k in range(columns.shape[1])
    ]
    predicted = (rule.effect - rule.effect[:, [single]])[members].mean(axis=0)
    benefits = tuple(
        SubgroupBenefit(
            option=option_name(trial, k),
            comparator=option_name(trial, single),
            predicted=float(predicted[k]),
            observed=observed[k],
        )
        for k in rule.supported_options
        if k != single
    )
    return SubgroupGain(
        group.family, group.name, n, in_population, differing, gain, observed[single], benefits
    )
