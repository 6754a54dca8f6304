"""The doubly robust value of following a policy, where records hold one outcome per decision."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float64, Int64

from posology.causal.doubly_robust_scores import Nuisance, fit_nuisance, select_nuisance_rows
from posology.causal.propensity import randomised_propensity
from posology.causal.trial import Mask, select_rows
from posology.domain.cohort import TEST, TRAIN, VALIDATION, Cohort, select_split
from posology.domain.policy import Policy
from posology.evaluation.effects.effect_study import analyse_effects
from posology.evaluation.effects.held_out_rule import HeldOutRule
from posology.evaluation.effects.judged_options import analysis_population
from posology.evaluation.effects.overlap import Overlap, assess_overlap
from posology.evaluation.effects.rule_values import RuleChoices
from posology.learners.baselines import baselines
from posology.learners.effects.cross_fitting import best_allowed_option
from posology.learners.effects.target_trial import StudyTrial, build_study_trial
from posology.workflows.effect_study import (
    EffectResult,
    allowed_and_judged,
    allowed_options,
    estimate_harms,
    estimating,
    guideline_choices,
    plan_analysis,
)
from posology.workflows.policies.choices import (
    AllowedMask,
    choose_among,
    predict_effectiveness,
)
from posology.workflows.progress import Progress

DETERMINISTIC = 0.999
"""A policy whose most probable option is always at least so probable is deterministic."""


@dataclass(frozen=True, slots=True)
class Comparators:
    """What a policy is compared with, beside guidelines and usual care."""

    baselines: bool = True
    """Whether classical models are fitted."""
    policies: Mapping[str, Policy] = field(default_factory=dict)
    """Other policies by name, such as predictions that another program made."""


CLASSICAL = Comparators()


@dataclass(frozen=True, slots=True)
class ValueSettings:
    """How a value is estimated."""

    max_decisions: int
    """The most decisions in addition to those of the test split."""
    seed: int
    """The same seed gives the same result."""
    beside: Comparators = CLASSICAL
    """What stands beside the policy."""


def estimate_policy_value(
    policy: Policy, cohort: Cohort, settings: ValueSettings, progress: Progress
) -> tuple[EffectResult, np.random.Generator]:
    """The value of the policy's first choice on the test split, next to classical models'.

    Propensities and expected outcomes are learned from all patients by cross-fitting; the best
    single option, like the policy, from patients outside the test split: those of the analysis
    population, in which its value is judged.

    Args:
        policy: fitted on the cohort's training and validation splits.
        cohort: decisions with the treatment given and its outcome.
        settings: how many decisions are used, and what stands beside the policy.
        progress: called with each step.

    Returns:
        The estimates, and the random generator in its state after them.
    """
    seed = settings.seed
    rng = np.random.default_rng(seed)
    progress("reading patients")
    everyone = build_study_trial(cohort, settings.max_decisions, rng, cohort.split == TEST)
    progress(f"{len(everyone.trial):,} decisions: propensities and outcomes")
    known = randomised_propensity(everyone.trial) if cohort.study.assignment.randomised else None
    nuisance = fit_nuisance(everyone.trial, rng, known)
    in_test = cohort.split[everyone.row] == TEST
    trial = _select_trial(everyone, in_test)
    allowed = allowed_options(cohort, trial)
    test_nuisance = select_nuisance_rows(nuisance, in_test)
    overlap = assess_overlap(trial.trial, test_nuisance.propensity, allowed)
    judged = allowed_and_judged(allowed, overlap)
    others = select_nuisance_rows(nuisance, ~in_test)
    single = best_allowed_option(others, _population_elsewhere(others, overlap), judged)
    choice = choose_among(policy, cohort, trial, (allowed, judged))
    unrestricted = choice.probability if choice.unrestricted is None else choice.unrestricted
    rule = HeldOutRule(
        fold=np.zeros(len(trial.trial), np.int64),
        predicted_effect=_effect_over_single(policy, cohort, trial, single),
        chosen=choice.probability.argmax(axis=1),
        best_single=single,
        personalised_folds=None,
        unrestricted=unrestricted.argmax(axis=1),
    )
    rules = guideline_choices(cohort, trial, allowed, judged)
    if choice.probability.max(axis=1).min() < DETERMINISTIC:
        rules = {"the policy as it draws": choice, **rules}
    if settings.beside.baselines:
        rules |= _classical_choices(cohort, trial, (allowed, judged), progress)
    for name, other in settings.beside.policies.items():
        rules[name] = choose_among(other, cohort, trial, (allowed, judged))
    harms, not_estimable = estimate_harms(cohort, everyone, nuisance, progress)
    harms = {name: select_nuisance_rows(scores, in_test) for name, scores in harms.items()}
    plan = replace(plan_analysis(cohort, trial, overlap), rules=rules, harms=harms)
    plan = replace(plan, not_estimable=not_estimable)
    estimates = analyse_effects(test_nuisance, rule, plan, rng, estimating(progress))
    result = EffectResult(cohort, trial, test_nuisance, estimates, seed, harms=harms, rules=rules)
    return result, rng


def _select_trial(trial: StudyTrial, keep: Mask) -> StudyTrial:
    """The same for some of its decisions."""
    return replace(
        trial,
        trial=select_rows(trial.trial, keep),
        row=trial.row[keep],
        is_followed_up=trial.is_followed_up[keep],
    )


def _population_elsewhere(others: Nuisance, overlap: Overlap) -> Mask:
    """The analysis population outside the test split, of the options that are judged in it."""
    options = overlap.is_judged if overlap.judged else ~overlap.is_judged
    everything = np.ones(others.propensity.probability.shape, dtype=bool)
    return analysis_population(others.propensity.probability, options, everything)


def _effect_over_single(
    policy: Policy, cohort: Cohort, trial: StudyTrial, single: Int64[np.ndarray, " decision"]
) -> Float64[np.ndarray, "decision treatment"]:
    """The effect of each option over the best single one, as the policy predicts it."""
    effectiveness = predict_effectiveness(policy, cohort, trial.row)
    reference = effectiveness[np.arange(len(single)), single]
    return np.subtract(effectiveness, reference[:, None])


def _classical_choices(
    cohort: Cohort, trial: StudyTrial, options: tuple[AllowedMask, AllowedMask], progress: Progress
) -> dict[str, RuleChoices]:
    """Choices of the classical models, fitted on the same patients as the policy.

    `options` are those that are allowed, and those of them that can be judged.
    """
    train, validation = (select_split(cohort, split) for split in (TRAIN, VALIDATION))
    guidelines, rules = {rule.name for rule in cohort.study.rules}, {}
    for name, make in baselines(train, validation):
        if name not in guidelines:
            progress(f"baseline: {name}")
            rules[name] = choose_among(make(), cohort, trial, options)
    return rules
