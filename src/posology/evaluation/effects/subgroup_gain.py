"""The rule in each group of patients: what it is worth, and whether what is said of them is seen.

Nobody should be served worse than others, and a prediction that holds on average may be wrong of
one group and right of the next. Groups are compared by what was seen of them, doubly robust.
"""

from dataclasses import dataclass

import numpy as np

from posology.causal.doubly_robust_scores import Nuisance
from posology.causal.trial import Keep, name
from posology.evaluation.effects.held_out_rule import Said
from posology.evaluation.effects.policy_values import gain, mean_draws
from posology.evaluation.significance import Difference, Interval, percentile_interval
from posology.evaluation.table1.subgroups import MIN_SUBGROUP_SIZE, Subgroup

_UNKNOWN = float("nan")


@dataclass(frozen=True, slots=True)
class GroupBenefit:
    """One option against the best single one, in one group: what is said, and what was seen."""

    option: str
    against: str
    said: float
    seen: Interval


@dataclass(frozen=True, slots=True)
class GroupGain:
    """The rule in one group of patients; NaN, and no benefits, where too few to be judged."""

    family: str
    group: str
    n: int
    kept: int
    """In the stated population."""
    differs: float
    """Share for whom the rule is not the best single option."""
    gain: Difference
    value: Interval
    """Mean outcome under the rule."""
    benefits: tuple[GroupBenefit, ...]


def group_gain(
    nuisance: Nuisance, said: Said, group: Subgroup, keep: Keep, rng: np.random.Generator
) -> GroupGain:
    """Judge the rule in one group of the patients kept."""
    mine = group.mask & keep
    n, kept = int(group.mask.sum()), int(mine.sum())
    if kept < MIN_SUBGROUP_SIZE:
        nothing = Difference(*[_UNKNOWN] * 4), Interval(*[_UNKNOWN] * 3)
        return GroupGain(group.family, group.name, n, kept, _UNKNOWN, *nothing, ())
    differs = float((said.chosen != said.reference)[mine].mean())
    found = gain(nuisance, said.chosen, said.reference, rng, mine)
    others = [k for k in said.speaks if k != said.single]
    scores = nuisance.scores[mine]
    columns = scores - scores[:, [said.single]]
    columns[:, said.single] = scores[np.arange(kept), said.chosen[mine]]
    draws = mean_draws(columns, nuisance.trial.subject[mine], rng)
    spans = [
        percentile_interval(float(columns[:, k].mean()), draws[:, k])
        for k in range(columns.shape[1])
    ]
    told = (said.effect - said.effect[:, [said.single]])[mine].mean(axis=0)
    against = name(nuisance.trial, said.single)
    benefits = tuple(
        GroupBenefit(name(nuisance.trial, k), against, float(told[k]), spans[k]) for k in others
    )
    return GroupGain(
        group.family, group.name, n, kept, differs, found, spans[said.single], benefits
    )
