"""The content of an effect page with simulated patients."""

from dataclasses import replace
from functools import cache

import numpy as np

from posology.causal.doubly_robust_scores import Nuisance
from posology.domain.study import Outcome
from posology.evaluation.arms.baseline import describe_arms
from posology.evaluation.arms.event_curves import describe_event_times
from posology.evaluation.arms.raw_outcomes import describe_outcome
from posology.evaluation.effects.effect_study import AnalysisPlan, EffectStudy, analyse_effects
from posology.evaluation.effects.held_out_rule import HeldOutRule
from posology.evaluation.effects.policy_values import AS_RANDOMISED
from posology.evaluation.effects.reference import Reference
from posology.evaluation.effects.verdict_sentence import Unit
from posology.evaluation.table1.subgroups import Subgroup
from posology.report.effects.content import EffectContent, FlowStep, RawData
from tests.builders.known_effects import draw_nuisance
from tests.builders.small_cohorts import STUDY

COVARIATES = ("age, years", "female", *"cdefgh")
N = 600


@cache
def effect_content(scenario: str = "rct", is_trial: bool = False) -> EffectContent:
    """600 patients of a scenario of `two_options`; one subgroup's name needs escaping."""
    nuisance, truth = draw_nuisance(scenario, N, 0)
    effect = truth.expected - truth.expected[:, [1]]
    best = truth.expected.argmax(axis=1)
    rule = HeldOutRule(np.arange(N) % 5, effect, best, np.ones(N, np.int64), 5)
    subgroups = [
        Subgroup("sex", "<female>", np.arange(N) < 300),
        Subgroup("sex", "male", np.arange(N) > 590),
    ]
    harms = {"bleeding": nuisance}
    plan = AnalysisPlan(COVARIATES, {}, subgroups, harms, [rule], Unit("points"), False)
    if is_trial:
        plan = replace(plan, is_randomised=True, reference=Reference(None, AS_RANDOMISED))
    results = analyse_effects(nuisance, rule, plan, np.random.default_rng(0))
    return EffectContent(
        study=replace(STUDY, purpose="To choose.", limits="Not for children."),
        results=results,
        estimand="Mean points within 90 days of the decision.",
        evidence="600 patients.",
        warnings=("Nothing says when follow-up ends.",),
        flow=(
            FlowStep("patients in the records", "700"),
            FlowStep("left out: no option given", "100", is_loss=True),
            FlowStep("patients in the analysis", "600"),
        ),
        raw=raw_data(nuisance, results),
        excluded=results.excluded,
        covariates=COVARIATES,
        unit="points",
        is_binary=False,
        propensity_model="shares",
    )


def raw_data(nuisance: Nuisance, results: EffectStudy) -> RawData:
    """The analysis population of the nuisance's trial by arm."""
    trial, kept = nuisance.trial, results.verdict.overlap.population
    treatment, subject = trial.treatment[kept], trial.subject[kept]
    single = results.verdict.comparator
    arms = (treatment, subject)
    harm = (trial.outcome[kept] > 0).astype(np.float64)
    return RawData(
        decisions=int(kept.sum()),
        patients=int(kept.sum()),
        baseline=describe_arms(trial.covariates[kept], COVARIATES, treatment, 2),
        outcome=describe_outcome("points", trial.outcome[kept], arms, trial.option_names, single),
        harms={"bleeding": describe_outcome("bleeding", harm, arms, trial.option_names, single)},
    )


def time_content() -> EffectContent:
    """A randomised trial of the time to an event: curves, and nothing about confounding."""
    content = effect_content(is_trial=True)
    rng, n = np.random.default_rng(0), content.raw.decisions
    treatment = np.arange(n) % 2
    days = np.minimum(rng.exponential(200 + 100 * treatment), 365.0)
    curves = describe_event_times(days, days < 365, treatment, ("old", "new"), (365.0, 1))
    randomised = replace(content.study.assignment, randomised=True)
    outcome = Outcome(("DEATH",), "d", "time_to_event", 365.0)
    return replace(
        content,
        study=replace(content.study, assignment=randomised, outcome=outcome),
        raw=replace(content.raw, outcome=None, curves=curves),
    )
