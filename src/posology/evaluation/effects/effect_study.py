"""The effect study: average effects of the options, and the evaluation of a personalised rule.

Effects, values and harms are means of doubly robust scores over the analysis population: patients
for whom every option has a propensity of at least 5 %. A rule is evaluated only on patients it was
not learned from.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from posology.causal.doubly_robust_scores import Nuisance
from posology.causal.heterogeneity import SHARED_NOISE_FACTOR, Heterogeneity, heterogeneity_test
from posology.causal.trial import Column, Mask, Matrix, option_name, select_rows
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
    interval_tipping_gamma,
)
from posology.evaluation.effects.subgroup_gain import SubgroupGain, estimate_subgroup_gain
from posology.evaluation.effects.verdict import CANNOT_JUDGE, Unit, Verdict, decide_verdict
from posology.evaluation.intervals import Difference, Interval, widen_interval
from posology.evaluation.table1.subgroups import Subgroup

RULE = "posology's rule"
THRESHOLDS = 6
"""Number of thresholds of a decision curve; our choice."""


@dataclass(frozen=True, slots=True)
class ConfounderStrength:
    """How strong an unmeasured confounder must be to explain a difference away."""

    e_value: float
    e_value_limit: float
    """E-value of the interval's limit nearer to no effect; 1 if the interval includes no effect."""
    gamma: float
    """Factor on the odds of treatment at which the interval may include 0; 1 if it does already."""


@dataclass(frozen=True, slots=True)
class OptionEffect:
    """Average effect of an option, and the confounder strength that would explain it away."""

    effect: AverageEffect
    confounder_strength: ConfounderStrength


@dataclass(frozen=True, slots=True)
class Contrast:
    """Evaluation of the predicted benefit of one option against the best single one."""

    option: str
    comparator: str
    ranking: RankWeightedEffects
    calibration: BenefitCalibration
    c_for_benefit: Interval
    decision_curve: tuple[NetBenefit, ...]


@dataclass(frozen=True, slots=True)
class Harm:
    """Another outcome: effect of each option and of the rule."""

    options: tuple[AverageEffect, ...]
    rule: SecondaryOutcome


@dataclass(frozen=True, slots=True)
class Stability:
    """A refit of the rule on other folds, compared with the rule."""

    agreement: float
    """Share of patients for whom both choose the same option."""
    gain: Difference


@dataclass(frozen=True, slots=True)
class AnalysisPlan:
    """What to estimate besides the effects on the main outcome."""

    covariates: tuple[str, ...]
    rules: Mapping[str, Matrix]
    """Other rules to evaluate, such as guidelines: probabilities of the options."""
    subgroups: Sequence[Subgroup]
    harms: Mapping[str, Nuisance]
    """Other outcomes of the same decisions, each with its own models."""
    refitted_rules: Sequence[HeldOutRule]
    """The rule learned again on other folds."""
    unit: Unit
    is_binary: bool
    """Whether the outcome is a probability, so that risk ratios and numbers needed are defined."""


@dataclass(frozen=True, slots=True, eq=False)
class EffectStudy:
    """Results of the study; empty where the verdict is that it cannot be judged."""

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
    """Estimate each option's effect and evaluate the rule, on patients it was not learned from."""
    verdict = decide_verdict(nuisance, rule.chosen, rule.best_single, rng, plan.unit)
    population, can_judge = verdict.overlap.population, verdict.kind != CANNOT_JUDGE
    gain = None
    if can_judge:
        gain = estimate_gain(nuisance, rule.chosen, rule.best_single, rng, population)
    evaluated = EvaluatedRule(
        effect=align_fold_means(rule.predicted_effect, rule.fold),
        chosen=rule.chosen,
        best_single_by_fold=rule.best_single,
        best_single=verdict.best_single_index,
        supported_options=_supported_options(verdict),
    )
    option_effects = _option_effects(nuisance, plan, verdict, rng)
    rule_values = _rule_values(nuisance, rule, plan, verdict, rng)
    study = EffectStudy(
        verdict=verdict,
        personalised_folds=rule.personalised_folds,
        heterogeneity=_heterogeneity(nuisance, evaluated, rule, population),
        option_effects=option_effects,
        rule_values=rule_values,
        rule_confounder_strength=None,
        number_needed_to_treat=None,
        contrasts=(),
        harms=(),
        abstention=None,
        subgroups=(),
        stability=(),
        balance=assess_balance(
            nuisance.trial, nuisance.propensity, plan.covariates, verdict.overlap
        ),
        excluded=compare_excluded(nuisance.trial, population, plan.covariates),
    )
    if gain is None:
        return study
    return replace(
        study,
        rule_confounder_strength=_rule_confounder_strength(nuisance, rule, plan, verdict, rng),
        number_needed_to_treat=number_needed_to_treat(gain) if plan.is_binary else None,
        contrasts=_contrasts(nuisance, rule, verdict, rng),
        harms=_harms(rule, plan, verdict, rng),
        abstention=_abstention(nuisance, evaluated, population, rng),
        subgroups=tuple(
            estimate_subgroup_gain(nuisance, evaluated, group, population, rng)
            for group in plan.subgroups
        ),
        stability=tuple(
            Stability(
                float((other.chosen == rule.chosen)[population].mean()),
                estimate_gain(nuisance, other.chosen, other.best_single, rng, population),
            )
            for other in plan.refitted_rules
        ),
    )


def _abstention(
    nuisance: Nuisance, rule: EvaluatedRule, population: Mask, rng: np.random.Generator
) -> Abstention | None:
    if rule.best_single not in rule.supported_options:
        return None
    return assess_abstention(nuisance, rule, population, rng)


def _heterogeneity(
    nuisance: Nuisance, evaluated: EvaluatedRule, rule: HeldOutRule, population: Mask
) -> Heterogeneity:
    if not population.any():
        return Heterogeneity(0.0, float("inf"), 1.0)
    return heterogeneity_test(
        evaluated.effect[population],
        nuisance.outcome_residual[population],
        nuisance.treatment_residual[population],
        nuisance.trial.subject[population],
        folds_share_noise=rule.personalised_folds is not None,
    )


def _supported_options(verdict: Verdict) -> list[int]:
    """Options with enough overlap to be evaluated."""
    if not verdict.overlap.population.any():
        return []
    return [k for k, option in enumerate(verdict.overlap.options) if not option.lacks_overlap]


def _option_effects(
    nuisance: Nuisance, plan: AnalysisPlan, verdict: Verdict, rng: np.random.Generator
) -> tuple[OptionEffect, ...]:
    """Average effect of each option against the best single one, in the analysis population."""
    trial, population = nuisance.trial, verdict.overlap.population
    supported, single = _supported_options(verdict), verdict.best_single_index
    if single not in supported:
        return ()
    baseline = float(nuisance.scores[population, single].mean())
    others = [k for k in range(trial.n_options) if k != single]
    effects = estimate_average_effects(nuisance, single, rng, population, is_selected=True)
    rows = []
    for k, effect in zip(others, effects, strict=True):
        if k not in supported:
            continue
        better, worse = (k, single) if effect.effect.value > 0 else (single, k)
        for_all = np.full(len(trial), better, np.int64)
        gamma = interval_tipping_gamma(nuisance, for_all, worse, effect.effect, rng, population)
        strength = _confounder_strength(effect.effect, baseline, plan, trial.outcome, gamma)
        rows.append(OptionEffect(effect, strength))
    return tuple(rows)


def _confounder_strength(
    difference: Difference, baseline: float, plan: AnalysisPlan, outcome: Column, gamma: float
) -> ConfounderStrength:
    """E-values of a difference from the mean outcome `baseline`."""
    differences = (difference.value, difference.low, difference.high)
    if plan.is_binary:
        value, low, high = (max((baseline + d) / max(baseline, 1e-3), 1e-3) for d in differences)
    else:
        value, low, high = (approximate_risk_ratio(d, float(outcome.std())) for d in differences)
    return ConfounderStrength(e_value(value), e_value_limit(low, high), gamma)


def _rule_confounder_strength(
    nuisance: Nuisance,
    rule: HeldOutRule,
    plan: AnalysisPlan,
    verdict: Verdict,
    rng: np.random.Generator,
) -> ConfounderStrength | None:
    if verdict.gain is None:
        return None
    rows, population = np.arange(len(rule.chosen)), verdict.overlap.population
    baseline = float(nuisance.scores[rows, rule.best_single][population].mean())
    gamma = interval_tipping_gamma(
        nuisance, rule.chosen, rule.best_single, verdict.gain, rng, population
    )
    return _confounder_strength(verdict.gain, baseline, plan, nuisance.trial.outcome, gamma)


def _rule_values(
    nuisance: Nuisance,
    rule: HeldOutRule,
    plan: AnalysisPlan,
    verdict: Verdict,
    rng: np.random.Generator,
) -> tuple[RuleValue, ...]:
    """Values of the rules, without those that cannot be judged."""
    trial, supported = nuisance.trial, _supported_options(verdict)
    if not supported:
        return ()
    rules = {RULE: one_hot_probabilities(rule.chosen, trial.n_options), **plan.rules}
    population = verdict.overlap.population
    rows = estimate_rule_values(nuisance, rules, rule.best_single, rng, population)
    hidden = {
        f"{option_name(trial, k)} for all" for k in range(trial.n_options) if k not in supported
    }
    if verdict.kind == CANNOT_JUDGE:
        hidden.add(RULE)
    return tuple(row for row in rows if row.rule not in hidden)


def _contrasts(
    nuisance: Nuisance, rule: HeldOutRule, verdict: Verdict, rng: np.random.Generator
) -> tuple[Contrast, ...]:
    population, single = verdict.overlap.population, verdict.best_single_index
    trial, scores = select_rows(nuisance.trial, population), nuisance.scores[population]
    effect = align_fold_means(rule.predicted_effect[population], rule.fold[population])
    rows = []
    for k in _supported_options(verdict):
        if k == single:
            continue
        benefit = scores[:, k] - scores[:, single]
        predicted = effect[:, k] - effect[:, single]
        top = max(float(np.quantile(predicted, 0.95)), 1e-3 * float(np.abs(predicted).max()), 1e-9)
        thresholds = tuple(float(t) for t in np.linspace(0, top, THRESHOLDS))
        ranking = rank_weighted_effects(predicted, benefit, trial.subject, rng)
        calibration = calibrate_benefit(predicted, benefit, trial.subject, rng)
        if rule.personalised_folds is not None:
            ranking, calibration = _widen_for_shared_noise(ranking, calibration)
        rows.append(
            Contrast(
                option=option_name(trial, k),
                comparator=option_name(trial, single),
                ranking=ranking,
                calibration=calibration,
                c_for_benefit=c_for_benefit(trial, predicted, k, single, rng),
                decision_curve=decision_curve(predicted, benefit, thresholds, trial.subject, rng),
            )
        )
    return tuple(rows)


def _widen_for_shared_noise(
    ranking: RankWeightedEffects, calibration: BenefitCalibration
) -> tuple[RankWeightedEffects, BenefitCalibration]:
    """Widen intervals by the noise that folds of a cross-fitted rule share.

    Resampling patients with fixed predictions does not include it (causal/heterogeneity.py).
    """
    ranking = RankWeightedEffects(
        widen_interval(ranking.autoc, SHARED_NOISE_FACTOR),
        widen_interval(ranking.qini, SHARED_NOISE_FACTOR),
    )
    slope = widen_interval(calibration.slope, SHARED_NOISE_FACTOR)
    return ranking, replace(calibration, slope=slope)


def _harms(
    rule: HeldOutRule, plan: AnalysisPlan, verdict: Verdict, rng: np.random.Generator
) -> tuple[Harm, ...]:
    population, single = verdict.overlap.population, verdict.best_single_index
    of_rule = secondary_outcomes(plan.harms, rule.chosen, rule.best_single, rng, population)
    return tuple(
        Harm(estimate_average_effects(nuisance, single, rng, population), row)
        for nuisance, row in zip(plan.harms.values(), of_rule, strict=True)
    )
