"""All that is asked of interventions and of a rule that chooses among them, in one answer.

Effects, values and harms are means of doubly robust scores over the stated population: patients for
whom every option was a possibility. Nobody is judged by a rule that was learned from them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from posology.causal.doubly_robust_scores import Nuisance
from posology.causal.heterogeneity import SHARED_NOISE_FACTOR, Heterogeneity, heterogeneity_test
from posology.causal.trial import Column, Matrix, option_name, select_rows
from posology.evaluation.effects.abstention import Abstention, assess_abstention
from posology.evaluation.effects.benefit import (
    BenefitCalibration,
    NetBenefit,
    RankWeightedEffects,
    SecondaryOutcome,
    c_for_benefit,
    calibrate_benefit,
    decision_curve,
    number_needed_to_treat,
    rank_weighted_effects,
    secondary_outcomes,
)
from posology.evaluation.effects.held_out_rule import EvaluatedRule, HeldOutRule, align_fold_means
from posology.evaluation.effects.overlap import (
    Balance,
    ExcludedComparison,
    assess_balance,
    compare_excluded,
)
from posology.evaluation.effects.policy_values import (
    AverageEffect,
    RuleValue,
    estimate_average_effects,
    estimate_gain,
    estimate_rule_values,
    one_hot_probabilities,
)
from posology.evaluation.effects.sensitivity import (
    approximate_risk_ratio,
    e_value,
    e_value_limit,
    tipping_gamma,
)
from posology.evaluation.effects.subgroup_gain import SubgroupGain, estimate_subgroup_gain
from posology.evaluation.effects.verdict import CANNOT_JUDGE, Unit, Verdict, decide_verdict
from posology.evaluation.intervals import Difference, Interval, widen_interval
from posology.evaluation.table1.subgroups import Subgroup

RULE = "posology's rule"
THRESHOLDS = 6
"""Points of a decision curve; our choice."""


@dataclass(frozen=True, slots=True)
class ConfounderStrength:
    """How strong a hidden reason must be to explain a difference away."""

    e_value: float
    e_value_limit: float
    """E-value of the interval's limit nearer to nothing; 1 where it holds nothing."""
    gamma: float
    """Factor on the odds of treatment at which the difference may be nothing."""


@dataclass(frozen=True, slots=True)
class OptionEffect:
    """An intervention as such: its average effect, and what would explain it away."""

    effect: AverageEffect
    confounder_strength: ConfounderStrength


@dataclass(frozen=True, slots=True)
class Contrast:
    """One option against the best single one: are those said to gain the ones who gain."""

    option: str
    comparator: str
    ranking: RankWeightedEffects
    calibration: BenefitCalibration
    c_for_benefit: Interval
    decision_curve: tuple[NetBenefit, ...]


@dataclass(frozen=True, slots=True)
class Harm:
    """Another outcome: under each option, and under the rule."""

    options: tuple[AverageEffect, ...]
    rule: SecondaryOutcome


@dataclass(frozen=True, slots=True)
class Stability:
    """The same rule learned on other folds."""

    agreement: float
    """Share of patients for whom it says the same option."""
    gain: Difference


@dataclass(frozen=True, slots=True)
class AnalysisPlan:
    """What is asked beside the main outcome."""

    covariates: tuple[str, ...]
    rules: Mapping[str, Matrix]
    """Guidelines: probabilities of the options."""
    subgroups: Sequence[Subgroup]
    harms: Mapping[str, Nuisance]
    refitted_rules: Sequence[HeldOutRule]
    unit: Unit
    is_binary: bool
    """Whether the outcome is a chance, so that ratios and numbers needed mean something."""


@dataclass(frozen=True, slots=True, eq=False)
class EffectStudy:
    """What the report says; empty where nothing can be judged."""

    verdict: Verdict
    personalised_folds: int | None
    heterogeneity: Heterogeneity
    option_effects: tuple[OptionEffect, ...]
    rule_values: tuple[RuleValue, ...]
    rule_confounder_strength: ConfounderStrength | None
    number_needed_to_treat: Interval | None
    contrasts: tuple[Contrast, ...]
    harms: tuple[Harm, ...]
    abstention: Abstention | None
    subgroups: tuple[SubgroupGain, ...]
    stability: tuple[Stability, ...]
    balance: tuple[Balance, ...]
    excluded: tuple[ExcludedComparison, ...]


def analyse_effects(
    nuisance: Nuisance, rule: HeldOutRule, plan: AnalysisPlan, rng: np.random.Generator
) -> EffectStudy:
    """Judge each option, and the rule, on patients from whom the rule was not learned."""
    trial, said = (
        nuisance.trial,
        decide_verdict(nuisance, rule.chosen, rule.best_single, rng, plan.unit),
    )
    keep = said.overlap.population
    judged = said.kind != CANNOT_JUDGE
    gained = estimate_gain(nuisance, rule.chosen, rule.best_single, rng, keep) if judged else None
    effect = align_fold_means(rule.predicted_effect, rule.fold)
    told = EvaluatedRule(
        effect, rule.chosen, rule.best_single, said.best_single_index, _speaks(said)
    )
    return EffectStudy(
        verdict=said,
        personalised_folds=rule.personalised_folds,
        heterogeneity=_varies(nuisance, told, keep, rule.personalised_folds is not None),
        option_effects=_effects(nuisance, plan, said, rng),
        rule_values=_values(nuisance, rule, plan, said, rng),
        rule_confounder_strength=_rule_strength(nuisance, rule, plan, said) if judged else None,
        number_needed_to_treat=number_needed_to_treat(gained)
        if gained is not None and plan.is_binary
        else None,
        contrasts=_contrasts(nuisance, rule, said, rng) if judged else (),
        harms=_harms(rule, plan, said, rng) if judged else (),
        abstention=_patients(nuisance, told, keep, rng) if judged else None,
        subgroups=tuple(
            estimate_subgroup_gain(nuisance, told, g, keep, rng) for g in plan.subgroups
        )
        if judged
        else (),
        stability=tuple(
            Stability(
                float((other.chosen == rule.chosen)[keep].mean()),
                estimate_gain(nuisance, other.chosen, other.best_single, rng, keep),
            )
            for other in plan.refitted_rules
        )
        if judged
        else (),
        balance=assess_balance(trial, nuisance.propensity, plan.covariates),
        excluded=compare_excluded(trial, keep, plan.covariates),
    )


def _patients(
    nuisance: Nuisance, told: EvaluatedRule, keep: np.ndarray, rng: np.random.Generator
) -> Abstention | None:
    if told.best_single not in told.supported_options:
        return None
    return assess_abstention(nuisance, told, keep, rng)


def _varies(
    nuisance: Nuisance, told: EvaluatedRule, keep: np.ndarray, shared: bool
) -> Heterogeneity:
    if not keep.any():
        return Heterogeneity(0.0, float("inf"), 1.0)
    effect, left, surprise = (
        told.effect[keep],
        nuisance.outcome_residual[keep],
        nuisance.treatment_residual[keep],
    )
    return heterogeneity_test(effect, left, surprise, shared)


def _speaks(said: Verdict) -> list[int]:
    """Options of which something may be said."""
    if not said.overlap.population.any():
        return []
    return [k for k, option in enumerate(said.overlap.options) if not option.lacks_overlap]


def _effects(
    nuisance: Nuisance, asked: AnalysisPlan, said: Verdict, rng: np.random.Generator
) -> tuple[OptionEffect, ...]:
    """Of each option against the best single one, in the stated population."""
    trial, keep, speaks = nuisance.trial, said.overlap.population, _speaks(said)
    single = said.best_single_index
    if single not in speaks:
        return ()
    base = float(nuisance.scores[keep, single].mean())
    others = [k for k in range(trial.n_options) if k != single]
    found = estimate_average_effects(nuisance, single, rng, keep)
    rows = []
    for k, effect in zip(others, found, strict=True):
        if k not in speaks:
            continue
        pair = (k, single) if effect.effect.value > 0 else (single, k)
        better = np.full(len(trial), pair[0], np.int64)
        gamma = tipping_gamma(nuisance, better, pair[1], keep)
        rows.append(
            OptionEffect(effect, _strength(effect.effect, base, asked, trial.outcome, gamma))
        )
    return tuple(rows)


def _strength(
    difference: Difference, base: float, asked: AnalysisPlan, outcome: Column, gamma: float
) -> ConfounderStrength:
    figures = (difference.value, difference.low, difference.high)
    if asked.is_binary:
        value, low, high = (max((base + d) / max(base, 1e-3), 1e-3) for d in figures)
    else:
        value, low, high = (approximate_risk_ratio(d, float(outcome.std())) for d in figures)
    return ConfounderStrength(e_value(value), e_value_limit(low, high), gamma)


def _rule_strength(
    nuisance: Nuisance, rule: HeldOutRule, asked: AnalysisPlan, said: Verdict
) -> ConfounderStrength | None:
    if said.gain is None:
        return None
    rows, keep = np.arange(len(rule.chosen)), said.overlap.population
    base = float(nuisance.scores[rows, rule.best_single][keep].mean())
    gamma = tipping_gamma(nuisance, rule.chosen, rule.best_single, keep)
    return _strength(said.gain, base, asked, nuisance.trial.outcome, gamma)


def _values(
    nuisance: Nuisance,
    rule: HeldOutRule,
    asked: AnalysisPlan,
    said: Verdict,
    rng: np.random.Generator,
) -> tuple[RuleValue, ...]:
    trial, speaks = nuisance.trial, _speaks(said)
    if not speaks:
        return ()
    silent = {f"{option_name(trial, k)} for all" for k in range(trial.n_options) if k not in speaks}
    rules = {RULE: one_hot_probabilities(rule.chosen, trial.n_options), **asked.rules}
    rows = estimate_rule_values(nuisance, rules, rule.best_single, rng, said.overlap.population)
    mute = {RULE} if said.kind == CANNOT_JUDGE else set()
    return tuple(row for row in rows if row.rule not in silent | mute)


def _contrasts(
    nuisance: Nuisance, rule: HeldOutRule, said: Verdict, rng: np.random.Generator
) -> tuple[Contrast, ...]:
    keep, single = said.overlap.population, said.best_single_index
    trial, scores = select_rows(nuisance.trial, keep), nuisance.scores[keep]
    predicted = align_fold_means(rule.predicted_effect[keep], rule.fold[keep])
    rows = []
    for k in _speaks(said):
        if k == single:
            continue
        benefit = scores[:, k] - scores[:, single]
        told = predicted[:, k] - predicted[:, single]
        top = max(float(np.quantile(told, 0.95)), 1e-3 * float(np.abs(told).max()), 1e-9)
        thresholds = tuple(float(t) for t in np.linspace(0, top, THRESHOLDS))
        ranked = rank_weighted_effects(told, benefit, trial.subject, rng)
        line = calibrate_benefit(told, benefit, trial.subject, rng)
        if rule.personalised_folds is not None:  # learned from these patients, fold by fold
            ranked = RankWeightedEffects(
                widen_interval(ranked.autoc, SHARED_NOISE_FACTOR),
                widen_interval(ranked.qini, SHARED_NOISE_FACTOR),
            )
            line = replace(line, slope=widen_interval(line.slope, SHARED_NOISE_FACTOR))
        rows.append(Contrast(
            option_name(trial, k), option_name(trial, single), ranked, line,
            c_for_benefit(trial, told, k, single, rng),
            decision_curve(told, benefit, thresholds, trial.subject, rng),
        ))  # fmt: skip
    return tuple(rows)


def _harms(
    rule: HeldOutRule, asked: AnalysisPlan, said: Verdict, rng: np.random.Generator
) -> tuple[Harm, ...]:
    keep, single = said.overlap.population, said.best_single_index
    return tuple(
        Harm(estimate_average_effects(nuisance, single, rng, keep), row)
        for nuisance, row in zip(
            asked.harms.values(),
            secondary_outcomes(asked.harms, rule.chosen, rule.best_single, rng, keep),
            strict=True,
        )
    )
