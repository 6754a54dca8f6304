"""The gate of `posology evaluate`: is the policy's advantage shown on patients it never saw?"""

import numpy as np
from jaxtyping import Float64

from posology.causal.doubly_robust_scores import Nuisance
from posology.domain.cohort import TEST, Cohort, select_split
from posology.domain.policy import Policy
from posology.domain.safety import allowed_in_cohort
from posology.evaluation.effects.effect_study import EffectStudy
from posology.evaluation.effects.policy_values import USUAL_CARE, option_scores
from posology.evaluation.effects.reference import reference_outcome
from posology.evaluation.effects.verdict import CANNOT_JUDGE
from posology.evaluation.gate.advantage import (
    refuse_harm,
    require_budget,
    require_calibration,
    require_gain,
    require_no_more_harm,
    require_safety,
    require_support,
)
from posology.evaluation.gate.requirement import GateVerdict, Requirement
from posology.evaluation.intervals import (
    Interval,
    bootstrap_means,
    percentile_interval,
    weighted_ratio,
)
from posology.evaluation.off_policy.support import Refusal
from posology.evaluation.off_policy.trajectory_value import TrajectoryValue
from posology.evaluation.table1.predictions import Predictions
from posology.learners.features.rewards import follow_up_weights
from posology.workflows.effect_content import has_trajectories
from posology.workflows.effect_study import EffectResult, outcome_unit
from posology.workflows.evaluate import TruthEvaluation, ValueEvaluation
from posology.workflows.policies.choices import choice_probabilities, predict_effectiveness
from posology.workflows.trajectory_value import FIRST_CHOICE

NEVER = 1e-9
"""A forbidden option's probability above it counts as given."""


def judge(result: TruthEvaluation | ValueEvaluation, policy: Policy, seed: int = 0) -> GateVerdict:
    """Judge an evaluated policy; the same seed gives the same verdict.

    Required are a gain over usual care (or the study's reference), no more of any harm that the
    study names, no forbidden option, and calibration where probabilities are stated.
    """
    rng = np.random.default_rng(seed)
    if isinstance(result, TruthEvaluation):
        requirements = _of_truth(result, rng)
        cohort = result.test
    else:
        requirements = _of_records(result, policy, rng)
        cohort = select_split(result.effects.cohort, TEST)
    return GateVerdict((*requirements, _safety(policy, cohort)))


def _of_truth(result: TruthEvaluation, rng: np.random.Generator) -> list[Requirement]:
    """The gain in reward, exact for each decision; the reference is usual care, or a rule."""
    reference = _reference_of_truth(result)
    if reference is None:
        why = "its reward is not known, and the study has neither a control nor a rule"
        return [require_gain(None, USUAL_CARE, why)]
    name, other = reference
    rewards = result.test.potential_rewards.astype(np.float64)
    known = ~np.isnan(rewards).any(axis=1)
    if not known.any():
        return [require_gain(None, name, "no decision's rewards are all known")]
    mine = _first_choice(result.predictions["posology"].probabilities)
    gain = ((mine - other) * rewards)[known].sum(axis=1)
    return [require_gain(_mean(gain, result.test.subject[known], rng), name)]


def _reference_of_truth(result: TruthEvaluation) -> tuple[str, Float64[np.ndarray, "_ _"]] | None:
    """The study's control, else usual care, else the study's first rule.

    Usual care is no reference where the treatment given is by definition the best one.
    """
    study, test, options = result.test.study, result.test, len(result.test.study.formulary.names)
    if study.reference is not None:
        control = study.formulary.names.index(study.reference)
        return f"{study.reference} for all", np.eye(options)[[control] * len(test)]
    usual: Predictions | None = result.predictions.get("usual")
    if usual is not None and not np.array_equal(test.treatment, test.best_treatment):
        return USUAL_CARE, usual.probabilities
    for rule in study.rules:
        if rule.name in result.predictions:
            probability = result.predictions[rule.name].probabilities
            return f"the rule {rule.name}", _first_choice(probability)
    return None


def _of_records(
    result: ValueEvaluation, policy: Policy, rng: np.random.Generator
) -> list[Requirement]:
    effects = result.effects
    study, cohort = effects.estimates, effects.cohort
    if has_trajectories(cohort):
        requirements = [_trajectory_gain(result.trajectories), *_budgets(result)]
    else:
        requirements = [
            _single_gain(effects),
            require_support(study.rule_values[0].restricted_share),
        ]
    requirements += [
        _harm(name, nuisance, study, rng)
        for name, nuisance in effects.harms.items()
        if study.verdict.kind != CANNOT_JUDGE
    ]
    requirements += [refuse_harm(name, why.rstrip(".")) for name, why in study.not_estimable]
    calibration = _calibration(effects, policy, rng)
    return requirements if calibration is None else [*requirements, calibration]


def _single_gain(effects: EffectResult) -> Requirement:
    """The doubly robust gain of the first choice, its interval over patients."""
    study, unit = effects.estimates, outcome_unit(effects.trial)
    verdict, mine = study.verdict, study.rule_values[0]
    if verdict.kind == CANNOT_JUDGE:
        return require_gain(None, verdict.reference_name, verdict.headline)
    gain = mine.reference_gain
    if np.isnan(gain.value):
        why = mine.reason or "too few patients would be treated differently"
        return require_gain(None, verdict.reference_name, why)
    found = Interval(gain.value, gain.low, gain.high)
    return require_gain(found, verdict.reference_name, unit=unit)


def _trajectory_gain(value: TrajectoryValue | None) -> Requirement:
    """The gain of the first choice by the first estimator that may be stated."""
    if value is None:
        why = "no trajectory of the test split was followed so long"
        return require_gain(None, USUAL_CARE, why)
    estimates = [each for each in value.estimates if each.policy == FIRST_CHOICE]
    for each in estimates:
        if each.gain is not None:
            return require_gain(each.gain, USUAL_CARE)
    refused = [each.result.reason for each in estimates if isinstance(each.result, Refusal)]
    return require_gain(None, USUAL_CARE, refused[0] if refused else "")


def _budgets(result: ValueEvaluation) -> list[Requirement]:
    """Each harm budget of the study; one that cannot be judged does not hold."""
    budgets, value = result.effects.cohort.study.budgets, result.trajectories
    if value is None:
        why = "no trajectory was followed so long"
        return [refuse_harm(budget.name, why) for budget in budgets]
    return [require_budget(found) for found in value.budgets]


def _harm(
    name: str, nuisance: Nuisance, study: EffectStudy, rng: np.random.Generator
) -> Requirement:
    verdict = study.verdict
    included = verdict.overlap.population
    mine = option_scores(nuisance.scores, verdict.chosen_by_run)
    change = (mine - reference_outcome(nuisance, verdict.reference))[included]
    interval = _mean(change, nuisance.trial.subject[included], rng)
    return require_no_more_harm(name, interval, verdict.reference_name)


def _calibration(
    effects: EffectResult, policy: Policy, rng: np.random.Generator
) -> Requirement | None:
    """Of the options given; None where what is predicted is no probability of their outcome.

    Known outcomes stand for those that follow-up did not reach: events come earlier than their
    absence, so that unweighted they would be too many.
    """
    cohort, trial = effects.cohort, effects.trial
    effective = cohort.effective[trial.row].astype(np.float64)
    weight = follow_up_weights(cohort)[trial.row].astype(np.float64)
    known = ~np.isnan(effective) & (weight > 0)
    if not trial.is_binary or has_trajectories(cohort) or not known.any():
        return None
    predicted = predict_effectiveness(policy, cohort, trial.row)
    given = predicted[np.arange(len(trial.row)), trial.trial.treatment]
    gap = (given - effective)[known]
    return require_calibration(_mean(gap, trial.trial.subject[known], rng, weight[known]))


def _safety(policy: Policy, cohort: Cohort) -> Requirement:
    allowed, rows = allowed_in_cohort(cohort), np.arange(len(cohort))
    probability = choice_probabilities(policy, cohort, rows, allowed)
    forbidden = int(((probability > NEVER) & ~allowed).any(axis=1).sum())
    return require_safety(forbidden, len(cohort), _rules(cohort))


def _rules(cohort: Cohort) -> int:
    return len(cohort.study.safety) + len(cohort.study.safety_packs.rules)


def _first_choice(
    probability: Float64[np.ndarray, "decision treatment"],
) -> Float64[np.ndarray, "decision treatment"]:
    return np.eye(probability.shape[1])[probability.argmax(axis=1)]


def _mean(
    values: Float64[np.ndarray, " decision"],
    subject: np.ndarray,
    rng: np.random.Generator,
    weight: Float64[np.ndarray, " decision"] | None = None,
) -> Interval:
    """A mean over decisions with its interval over patients."""
    weight = np.ones(len(values)) if weight is None else weight
    draws = bootstrap_means(np.column_stack([weight * values, weight]), subject, rng)
    return percentile_interval(
        float(np.average(values, weights=weight)), weighted_ratio(draws[:, 0], draws[:, 1])
    )
