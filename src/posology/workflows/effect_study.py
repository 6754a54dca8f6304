"""Average effects of a study's options, and whether choosing by the patient adds to them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from rich.console import Group
from rich.text import Text

from posology.artifact import Artifact
from posology.causal.doubly_robust_scores import Nuisance, fit_other_outcomes
from posology.causal.nested_nuisance import PAIRS, NestedNuisance, fit_nested_nuisance
from posology.causal.propensity import Propensity, randomised_propensity
from posology.causal.trial import assign_folds
from posology.domain.cohort import Cohort
from posology.domain.safety import allowed_in_cohort
from posology.evaluation.effects.effect_study import AnalysisPlan, EffectStudy, analyse_effects
from posology.evaluation.effects.held_out_rule import HeldOutRule
from posology.evaluation.effects.overlap import Overlap, assess_overlap
from posology.evaluation.effects.policy_values import (
    AS_RANDOMISED,
    USUAL_CARE,
    one_hot_probabilities,
)
from posology.evaluation.effects.reference import Reference
from posology.evaluation.effects.rule_values import RuleChoices
from posology.evaluation.effects.verdict_sentence import Unit
from posology.evaluation.intervals import REPLICATES
from posology.evaluation.table1.subgroups import find_subgroups
from posology.learners.effects.cross_fitting import HeldOutEffects, estimate_held_out_effects
from posology.learners.effects.secondary_trials import build_secondary_trials
from posology.learners.effects.target_trial import (
    StudyTrial,
    build_study_trial,
)
from posology.learners.guidelines.formula import build_rule_policy
from posology.report.effects.content import EffectContent, RawData
from posology.report.effects.terminal import render_effects
from posology.report.text import Scale
from posology.workflows.effect_arms import describe_raw_data
from posology.workflows.effect_content import Provenance, build_page, effect_rows
from posology.workflows.policies.choices import AllowedMask
from posology.workflows.policies.elsewhere import (
    check_elsewhere,
    choices_elsewhere,
    elsewhere_name,
)
from posology.workflows.progress import Progress, no_progress
from posology.workflows.results import Row, render_text, rows_to_table

SIMPLE = "a simple rule: lines, always personal"


@dataclass(frozen=True, slots=True, eq=False)
class EffectResult:
    """Estimates of effects and values, and the decisions they were estimated on."""

    cohort: Cohort
    trial: StudyTrial
    nuisance: Nuisance
    estimates: EffectStudy
    seed: int
    model: str | None = None
    """Digest of the saved policy that was evaluated; None of a rule learned here."""
    records: Mapping[str, Any] | None = None
    """Flow from the records to the cohort, for the page, if it is known."""
    harms: Mapping[str, Nuisance] = field(default_factory=dict)
    """Models of each harm or cost of the same decisions."""
    rules: Mapping[str, RuleChoices] = field(default_factory=dict)
    """The choices of guidelines and other rules that were evaluated beside it."""
    policies: Mapping[str, str] = field(default_factory=dict)
    """Digest of each policy among them that was fitted elsewhere, by its name."""

    @property
    def raw(self) -> RawData:
        """The analysis population by arm, before any adjustment."""
        verdict = self.estimates.verdict
        return describe_raw_data(self.cohort, self.trial, verdict.overlap, verdict.comparator)

    @property
    def rows(self) -> list[Row]:
        """Every figure: the verdict, then values, effects, overlap, ranking, harms."""
        return effect_rows(self.cohort.study.name, self.estimates, self.raw)

    def to_frame(self) -> pa.Table:
        """The rows as an Arrow table."""
        return rows_to_table(self.rows)

    def summary(self) -> str:
        """The verdict and its tables as text."""
        return render_text(self.__rich__())

    def report(self, path: str | Path) -> None:
        """Write the page, one HTML file."""
        from posology.report.effects.page import write_effect_page  # only a page draws

        write_effect_page(self.page, Path(path))

    @property
    def page(self) -> EffectContent:
        """The page's content."""
        propensity = self.nuisance.propensity.model
        source = Provenance(propensity, self.seed, self.model, self.records)
        return build_page(self.cohort, self.trial, self.estimates, source)

    def __rich__(self) -> Group:
        scale = Scale(self.trial.unit, 100.0 if self.trial.is_binary else 1.0)
        verdict = Text(self.estimates.verdict.sentence, style="bold")
        warnings = [Text(f"Warning: {text}") for text in self.cohort.warnings]
        return Group(verdict, *warnings, render_effects(self.estimates, self.raw, scale))


def effect_study(
    cohort: Cohort,
    max_decisions: int = 20_000,
    repeats: int = 1,
    seed: int = 0,
    progress: Progress = no_progress,
    policy: Artifact | None = None,
) -> EffectResult:
    """Estimate the effects of a study's options, and the value of a rule learned from its patients.

    Each patient is evaluated by a rule learned from other patients.

    Args:
        cohort: decisions with the treatment given and its outcome.
        max_decisions: above it, patients are sampled at random.
        repeats: how often the rule is learned again on other folds, to show its stability and to
            estimate how far noise decides; without any, intervals of its gain are the widest.
        seed: the same seed gives the same result.
        progress: called with each step.
        policy: fitted for the same study in another hospital; judged beside the rule.
    """
    rng = np.random.default_rng(seed)
    progress("reading patients")
    if policy is not None:
        check_elsewhere(policy, cohort)
    trial = build_study_trial(cohort, max_decisions, rng)
    allowed = allowed_options(cohort, trial)
    known = randomised_propensity(trial.trial) if cohort.study.assignment.randomised else None
    nested = _fit_nested(trial, known, rng, progress, f"{len(trial.trial):,} decisions")
    nuisance = nested.overall
    overlap = assess_overlap(trial.trial, nuisance.propensity, allowed)
    judged, population = allowed_and_judged(allowed, overlap), overlap.population
    runs = [estimate_held_out_effects(nested, judged, population, _learning("the rule", progress))]
    for number in range(1, repeats + 1):
        name = f"the rule again, {number} of {repeats}"
        nested = _fit_nested(trial, known, rng, progress, name)
        runs.append(
            estimate_held_out_effects(nested, judged, population, _learning(name, progress))
        )
    harms, not_estimable = estimate_harms(cohort, trial, nuisance, progress)
    linear, *again = (one_hot_probabilities(r.linear_choice, trial.trial.n_options) for r in runs)
    simple = RuleChoices(linear, refits=tuple(again))
    rules = guideline_choices(cohort, trial, allowed, judged) | {SIMPLE: simple}
    policies: dict[str, str] = {}
    if policy is not None:
        name = elsewhere_name(policy)
        rules[name] = choices_elsewhere(policy, cohort, trial, (allowed, judged))
        policies[name] = policy.digest
    repeated = [held_out_rule(run) for run in runs[1:]]
    plan = replace(
        plan_analysis(cohort, trial, overlap),
        rules=rules,
        harms=harms,
        not_estimable=not_estimable,
        refitted_rules=repeated,
    )
    estimates = analyse_effects(nuisance, held_out_rule(runs[0]), plan, rng, estimating(progress))
    result = EffectResult(cohort, trial, nuisance, estimates, seed, harms=harms)
    return replace(result, rules=rules, policies=policies)


def _fit_nested(
    trial: StudyTrial,
    propensity: Propensity | None,
    rng: np.random.Generator,
    progress: Progress,
    title: str,
) -> NestedNuisance:
    """Nuisance models in folds drawn anew, with progress."""

    def report(what: str, done: int) -> None:
        progress(f"{title}: {what}", done, PAIRS)

    return fit_nested_nuisance(trial.trial, assign_folds(trial.trial, rng), propensity, report)


def _learning(title: str, progress: Progress) -> Callable[[int], None]:
    """Progress of a rule that is learned without each two folds."""

    def report(done: int) -> None:
        progress(f"{title}: effects", done, PAIRS)

    return report


def estimating(progress: Progress) -> Callable[[str], None]:
    """Progress of the estimation, which resamples patients for every interval."""

    def report(step: str) -> None:
        progress(f"estimating, {REPLICATES:,} resamples: {step}")

    return report


def allowed_options(cohort: Cohort, trial: StudyTrial) -> AllowedMask:
    """The options that safety allows at each decision of the trial."""
    return allowed_in_cohort(cohort)[trial.row]


def estimate_harms(
    cohort: Cohort, trial: StudyTrial, nuisance: Nuisance, progress: Progress
) -> tuple[dict[str, Nuisance], dict[str, str]]:
    """Doubly robust scores of each harm or cost of the same decisions.

    Also the harms of which nothing can be said, and why.
    """
    secondary = build_secondary_trials(cohort, trial)
    progress(f"other outcomes: {', '.join(secondary.trials) or 'none'}")
    return fit_other_outcomes(nuisance, secondary.trials), secondary.not_estimable


def allowed_and_judged(allowed: AllowedMask, overlap: Overlap) -> AllowedMask:
    """The allowed options that can be judged; without one, as outside the population, the allowed.

    If no option can be judged, the allowed ones. A forbidden option is never among them.
    """
    if not overlap.judged:
        return allowed
    judged = allowed & overlap.is_judged
    has_none = ~judged.any(axis=1)
    judged[has_none] = allowed[has_none]
    return judged


def outcome_unit(trial: StudyTrial) -> Unit:
    """Of the outcome's differences: of a goal, percentage points."""
    return Unit(trial.unit, 100.0 if trial.is_binary else 1.0)


def plan_analysis(cohort: Cohort, trial: StudyTrial, overlap: Overlap) -> AnalysisPlan:
    """What the study file says about the analysis; rules, harms and refits are to be added."""
    study, names = cohort.study, cohort.study.formulary.names
    randomised = study.assignment.randomised
    return AnalysisPlan(
        covariates=trial.covariates,
        rules={},
        subgroups=[replace(g, mask=g.mask[trial.row]) for g in find_subgroups(cohort)],
        harms={},
        refitted_rules=(),
        unit=outcome_unit(trial),
        is_binary=trial.is_binary,
        is_randomised=randomised,
        reference=Reference(
            None if study.reference is None else names.index(study.reference),
            AS_RANDOMISED if randomised else USUAL_CARE,
        ),
        overlap=overlap,
    )


def guideline_choices(
    cohort: Cohort, trial: StudyTrial, allowed: AllowedMask, judged: AllowedMask
) -> dict[str, RuleChoices]:
    """Probability of each option under each of the study's rules."""
    steps = np.asarray(cohort.last_step[trial.row])
    choices = {}
    for rule in cohort.study.rules:
        choose = build_rule_policy(rule, cohort).choice_probabilities
        choices[f"guideline: {rule.name}"] = RuleChoices(
            choose(cohort.history, steps, judged), choose(cohort.history, steps, allowed)
        )
    return choices


def held_out_rule(effects: HeldOutEffects) -> HeldOutRule:
    """What is evaluated of predictions by models of other patients."""
    return HeldOutRule(
        effects.fold, effects.effects, effects.chosen, effects.best_single, effects.personal_folds
    )
