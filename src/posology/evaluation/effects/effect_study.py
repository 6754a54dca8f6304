"""The effect study: average effects of the options, and the evaluation of a personalised rule.

Effects, values and harms are means of doubly robust scores over the analysis population: patients
for whom every option that can be judged has a propensity of at least 5 %. A rule is evaluated only
on patients it was not learned from.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from posology.causal.doubly_robust_scores import Nuisance
from posology.causal.heterogeneity import SHARED_NOISE_FACTOR, Heterogeneity, heterogeneity_test
from posology.causal.trial import Mask, option_name, select_rows
from posology.evaluation.effects.abstention import Abstention, assess_abstention, with_stated_ends
from posology.evaluation.effects.benefit import (
    BenefitCalibration,
    NetBenefit,
    RankWeightedEffects,
    SecondaryOutcome,
    c_for_benefit,
    calibrate_benefit,
    decision_curve,
    rank_weighted_effects,
    secondary_outcomes,
)
from posology.evaluation.effects.held_out_rule import EvaluatedRule, HeldOutRule, align_fold_means
from posology.evaluation.effects.number_needed import NumberNeeded, number_needed_to_treat
from posology.evaluation.effects.option_effects import (
    ConfounderStrength,
    OptionEffect,
    OutcomeKind,
    assess_rule_confounding,
    estimate_option_effects,
)
from posology.evaluation.effects.overlap import (
    Balance,
    ExcludedComparison,
    Overlap,
    assess_balance,
    compare_excluded,
)
from posology.evaluation.effects.policy_values import (
    AverageEffect,
    RuleValue,
    estimate_average_effects,
    estimate_gain,
    gain_per_patient,
)
from posology.evaluation.effects.reference import OBSERVED, Reference
from posology.evaluation.effects.restricted_rule import RestrictedRule
from posology.evaluation.effects.rule_values import RuleChoices, judge_rules
from posology.evaluation.effects.shared_noise import shared_noise_factor
from posology.evaluation.effects.subgroup_gain import SubgroupGain, estimate_subgroup_gain
from posology.evaluation.effects.verdict import CANNOT_JUDGE, Question, Verdict, decide_verdict
from posology.evaluation.effects.verdict_sentence import Unit
from posology.evaluation.intervals import Difference, Interval, widen_interval
from posology.evaluation.table1.subgroups import Subgroup

RULE = "posology's rule"
THRESHOLDS = 6
"""Number of thresholds of a decision curve; our choice."""


@dataclass(frozen=True, slots=True)
class Contrast:
    """Evaluation of the predicted benefit of one option against the comparator."""

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
    rules: Mapping[str, RuleChoices]
    """Other rules to evaluate, such as guidelines."""
    subgroups: Sequence[Subgroup]
    harms: Mapping[str, Nuisance]
    """Other outcomes of the same decisions, each with its own models."""
    refitted_rules: Sequence[HeldOutRule]
    """The rule learned again on other folds; values and gains are means of all runs."""
    unit: Unit
    is_binary: bool
    """Whether the outcome is a probability, so that risk ratios and numbers needed are defined."""
    is_randomised: bool = False
    """Whether treatment was randomised: nothing confounds it, and observed is not usual care."""
    reference: Reference = OBSERVED
    """What options and rules are compared with."""
    overlap: Overlap | None = None
    """Computed already, with the options that safety rules allow; None: from the propensities."""
    not_estimable: Mapping[str, str] = field(default_factory=dict)
    """Harms and costs of which nothing can be said, and why."""


@dataclass(frozen=True, slots=True, eq=False)
class EffectStudy:
    """Results of the study; empty where the verdict is that it cannot be judged."""

    verdict: Verdict
    personalised_folds: int | None
    heterogeneity: Heterogeneity
    option_effects: tuple[OptionEffect, ...]
    rule_values: tuple[RuleValue, ...]
    rule_confounder_strength: ConfounderStrength | None
    number_needed_to_treat: NumberNeeded | None
    contrasts: tuple[Contrast, ...]
    harms: tuple[Harm, ...]
    abstention: Abstention | None
    subgroups: tuple[SubgroupGain, ...]
    stability: tuple[Stability, ...]
    balance: tuple[Balance, ...]
    excluded: tuple[ExcludedComparison, ...]
    not_estimable: tuple[tuple[str, str], ...] = ()
    """Harms and costs of which nothing can be said, and why."""


def analyse_effects(
    nuisance: Nuisance,
    rule: HeldOutRule,
    plan: AnalysisPlan,
    rng: np.random.Generator,
    on_step: Callable[[str], None] = lambda step: None,  # noqa: ARG005
) -> EffectStudy:
    """Estimate each option's effect and evaluate the rule, on patients it was not learned from.

    Args:
        on_step: called with what is estimated next, for progress.
    """
    refits = None if rule.personalised_folds is None else plan.refitted_rules
    question = Question(plan.unit, plan.reference, plan.overlap, rule.unrestricted, refits)
    on_step("the verdict")
    verdict = decide_verdict(nuisance, rule.chosen, rule.best_single, rng, question)
    kind = OutcomeKind(plan.is_binary, plan.is_randomised)
    population = verdict.overlap.population
    evaluated = EvaluatedRule(
        effect=align_fold_means(rule.predicted_effect, rule.fold),
        chosen=verdict.chosen_by_run,
        best_single_by_fold=verdict.best_single_by_run,
        comparator=verdict.comparator,
        supported_options=verdict.overlap.judged,
        gain_error_factor=verdict.gain_error_factor,
    )
    on_step("effects of the options")
    effects = estimate_option_effects(nuisance, verdict, kind, rng)
    on_step("values of rules")
    study = EffectStudy(
        verdict=verdict,
        personalised_folds=rule.personalised_folds,
        heterogeneity=_heterogeneity(nuisance, evaluated, rule, population),
        option_effects=effects,
        rule_values=judge_rules(nuisance, verdict, RULE, plan.rules, rng),
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
        not_estimable=tuple(plan.not_estimable.items()),
    )
    if verdict.kind == CANNOT_JUDGE:
        return study
    return _analyse_further(study, _Analysis(nuisance, rule, evaluated, plan), rng, on_step)


@dataclass(frozen=True, slots=True, eq=False)
class _Analysis:
    """What is analysed."""

    nuisance: Nuisance
    rule: HeldOutRule
    evaluated: EvaluatedRule
    plan: AnalysisPlan


def _analyse_further(
    study: EffectStudy,
    analysis: _Analysis,
    rng: np.random.Generator,
    on_step: Callable[[str], None],
) -> EffectStudy:
    """The study with all that is estimated only where it can be judged."""
    nuisance, plan, verdict = analysis.nuisance, analysis.plan, study.verdict
    kind = OutcomeKind(plan.is_binary, plan.is_randomised)
    population = verdict.overlap.population
    number = None
    if plan.is_binary and verdict.gain is not None:
        number = number_needed_to_treat(verdict.gain)
    on_step("hidden confounders")
    strength = assess_rule_confounding(nuisance, verdict, kind, rng)
    on_step("predicted benefit")
    contrasts = _contrasts(nuisance, analysis.rule, verdict, rng)
    on_step("other outcomes")
    harms = _harms(plan, verdict, rng)
    on_step("uncertain choices")
    abstention = with_stated_ends(
        assess_abstention(nuisance, analysis.evaluated, population, rng),
        study.rule_values[0],
        study.rule_values[-1],
        is_usual_care=verdict.reference.option is None,
    )
    on_step("subgroups and refits")
    return replace(
        study,
        rule_confounder_strength=strength,
        number_needed_to_treat=number,
        contrasts=contrasts,
        harms=harms,
        abstention=abstention,
        subgroups=tuple(
            estimate_subgroup_gain(nuisance, analysis.evaluated, group, population, rng)
            for group in plan.subgroups
        ),
        stability=tuple(
            _stability(nuisance, refit, verdict, rng) for refit in verdict.refits or ()
        ),
    )


def _stability(
    nuisance: Nuisance, refit: RestrictedRule, verdict: Verdict, rng: np.random.Generator
) -> Stability:
    population = verdict.overlap.population
    gains = [
        gain_per_patient(nuisance.scores, run.chosen, run.best_single)[population]
        for run in (refit, *verdict.runs)
    ]
    factor = shared_noise_factor(gains[0], gains[1:], nuisance.trial.subject[population])
    return Stability(
        float((refit.chosen == verdict.rule.chosen)[population].mean()),
        estimate_gain(nuisance, refit.chosen, refit.best_single, rng, population, factor),
    )


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


def _contrasts(
    nuisance: Nuisance, rule: HeldOutRule, verdict: Verdict, rng: np.random.Generator
) -> tuple[Contrast, ...]:
    population, single = verdict.overlap.population, verdict.comparator
    trial, scores = select_rows(nuisance.trial, population), nuisance.scores[population]
    effect = align_fold_means(rule.predicted_effect[population], rule.fold[population])
    rows = []
    for k in verdict.overlap.judged:
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


def _harms(plan: AnalysisPlan, verdict: Verdict, rng: np.random.Generator) -> tuple[Harm, ...]:
    population = verdict.overlap.population
    of_rule = secondary_outcomes(
        plan.harms,
        verdict.chosen_by_run,
        verdict.best_single_by_run,
        rng,
        population,
        verdict.gain_error_factor,
    )
    return tuple(
        Harm(
            estimate_average_effects(
                nuisance, verdict.comparator, rng, population, options=verdict.overlap.judged
            ),
            row,
        )
        for nuisance, row in zip(plan.harms.values(), of_rule, strict=True)
    )
