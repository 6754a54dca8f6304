"""The rule in each group of patients: what it is worth, and whether what is said of them is seen.

Nobody should be served worse than others, and a prediction that holds on average may be wrong of
one group and right of the next. Groups are compared by what was seen of them, doubly robust.
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
    """One option against the best single one, in one group: what is said, and what was seen."""

    option: str
    comparator: str
    predicted: float
    observed: Interval


@dataclass(frozen=True, slots=True)
class SubgroupGain:
    """The rule in one group of patients; NaN, and no benefits, where too few to be judged."""

    family: str
    group: str
    n: int
    in_population: int
    """In the stated population."""
    differing_share: float
    """Share for whom the rule is not the best single option."""
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
    """Judge the rule in one group of the patients kept."""
    mine = group.mask & population
    n, kept = int(group.mask.sum()), int(mine.sum())
    if kept < MIN_SUBGROUP_SIZE:
        nothing = Difference(*[_UNKNOWN] * 4), Interval(*[_UNKNOWN] * 3)
        return SubgroupGain(group.family, group.name, n, kept, _UNKNOWN, *nothing, ())
    differs = float((rule.chosen != rule.best_single_by_fold)[mine].mean())
    found = estimate_gain(nuisance, rule.chosen, rule.best_single_by_fold, rng, mine)
    others = [k for k in rule.supported_options if k != rule.best_single]
    scores = nuisance.scores[mine]
    columns = scores - scores[:, [rule.best_single]]
    columns[:, rule.best_single] = scores[np.arange(kept), rule.chosen[mine]]
    draws = bootstrap_means(columns, nuisance.trial.subject[mine], rng)
    spans = [
        percentile_interval(float(columns[:, k].mean()), draws[:, k])
        for k in range(columns.shape[1])
    ]
    told = (rule.effect - rule.effect[:, [rule.best_single]])[mine].mean(axis=0)
    against = option_name(nuisance.trial, rule.best_single)
    benefits = tuple(
        SubgroupBenefit(option_name(nuisance.trial, k), against, float(told[k]), spans[k])
        for k in others
    )
    return SubgroupGain(
        group.family, group.name, n, kept, differs, found, spans[rule.best_single], benefits
    )
