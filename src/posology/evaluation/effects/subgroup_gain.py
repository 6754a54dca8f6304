"""Value of the rule, and calibration of its predicted effects, in each subgroup of patients.

Predictions that are right on average may be wrong in one subgroup: subgroups are compared by their
doubly robust effects.
"""

from dataclasses import dataclass, replace

import numpy as np

from posology.causal.doubly_robust_scores import Nuisance
from posology.causal.trial import Mask, option_name
from posology.evaluation.effects.held_out_rule import EvaluatedRule
from posology.evaluation.effects.overlap import count_patients
from posology.evaluation.effects.policy_values import estimate_gain, option_scores
from posology.evaluation.effects.restricted_rule import count_differently_treated
from posology.evaluation.intervals import Difference, Interval, bootstrap_means, percentile_interval
from posology.evaluation.table1.subgroups import MIN_SUBGROUP_SIZE, Subgroup

_UNKNOWN = float("nan")


@dataclass(frozen=True, slots=True)
class SubgroupBenefit:
    """Predicted and observed effect of one option against the comparator, in one subgroup."""

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
    """Number of its decisions."""
    in_population: int
    """Number of its decisions in the analysis population."""
    patients: int
    patients_in_population: int
    differing_share: float
    """Share of decisions at which the rule differs from the best single option."""
    gain: Difference
    """Over the best single option; NaN also where too few patients would be treated differently."""
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
    trial, single = nuisance.trial, rule.comparator
    members = group.mask & population
    counted, judged = count_patients(trial, group.mask), count_patients(trial, members)
    unknown = SubgroupGain(
        family=group.family,
        group=group.name,
        n=counted.decisions,
        in_population=judged.decisions,
        patients=counted.patients,
        patients_in_population=judged.patients,
        differing_share=_UNKNOWN,
        gain=Difference(*[_UNKNOWN] * 4),
        value=Interval(*[_UNKNOWN] * 3),
        benefits=(),
    )
    if judged.patients < MIN_SUBGROUP_SIZE:
        return unknown
    scores = nuisance.scores[members]
    columns = scores - scores[:, [single]]
    columns[:, single] = option_scores(scores, rule.chosen[..., members])
    draws = bootstrap_means(columns, trial.subject[members], rng)
    observed = [
        percentile_interval(float(columns[:, k].mean()), draws[:, k])
        for k in range(columns.shape[1])
    ]
    predicted = (rule.effect - rule.effect[:, [single]])[members].mean(axis=0)
    return replace(
        unknown,
        differing_share=float((rule.chosen != rule.best_single_by_fold)[..., members].mean()),
        gain=_gain(nuisance, rule, members, rng),
        value=observed[single],
        benefits=tuple(
            SubgroupBenefit(
                option=option_name(trial, k),
                comparator=option_name(trial, single),
                predicted=float(predicted[k]),
                observed=observed[k],
            )
            for k in rule.supported_options
            if k != single
        ),
    )


def _gain(
    nuisance: Nuisance, rule: EvaluatedRule, members: Mask, rng: np.random.Generator
) -> Difference:
    """Gain in the subgroup; NaN where too few of its patients would be treated differently."""
    single = rule.best_single_by_fold
    differing = count_differently_treated(nuisance, rule.chosen, single, members)
    if differing.patients and not differing.is_enough:
        return Difference(*[_UNKNOWN] * 4)
    return estimate_gain(nuisance, rule.chosen, single, rng, members, rule.gain_error_factor)
