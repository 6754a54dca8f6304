"""What `posology effect` computes, in order."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool

from posology.causal.doubly_robust_scores import Nuisance, fit_nuisance
from posology.causal.propensity import randomised_propensity
from posology.causal.trial import Matrix
from posology.domain.cohort import Cohort
from posology.domain.safety import allowed as allowed_by
from posology.evaluation.effects.effect_study import AnalysisPlan, EffectStudy, analyse_effects
from posology.evaluation.effects.held_out_rule import HeldOutRule
from posology.evaluation.effects.policy_values import one_hot_probabilities
from posology.evaluation.effects.verdict import Unit
from posology.evaluation.table1.subgroups import find_subgroups
from posology.learners.effects.cross_fitting import HeldOutEffects, held_out_effects
from posology.learners.effects.target_trial import StudyTrial, other_outcomes, study_trial
from posology.learners.guidelines.formula import rule_policy

SIMPLE = "a simple rule: lines, always personal"


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """What was found, and on whom."""

    asked: StudyTrial
    nuisance: Nuisance
    found: EffectStudy


def run(
    cohort: Cohort,
    most: int,
    again: int,
    rng: np.random.Generator,
    told: Callable[[str], None],
) -> Judged:
    """Judge the study's options and a rule learned from its own patients."""
    told("reading patients")
    asked = study_trial(cohort, most, rng)
    allowed = permitted(cohort, asked)
    told(f"{len(asked.trial):,} decisions: propensities and outcomes")
    chances = randomised_propensity(asked.trial) if cohort.study.given.randomised else None
    nuisance = fit_nuisance(asked.trial, rng, chances)
    runs = []
    for number in range(1 + again):
        which = "the rule" if not number else f"the rule again, {number} of {again}"

        def fold(at: int, which: str = which) -> None:
            told(f"{which}: fold {at} of 5")

        runs.append(held_out_effects(asked.trial, allowed, rng, fold, chances))
    harms = harms_of(cohort, asked, nuisance, rng, told)
    told("judging, 2,000 resamples")
    simple = {SIMPLE: one_hot_probabilities(runs[0].simple, asked.trial.n_options)}
    rules = guidelines(cohort, asked, allowed) | simple
    beside = question(cohort, asked, rules, harms, [_rule(run) for run in runs[1:]])
    return Judged(asked, nuisance, analyse_effects(nuisance, _rule(runs[0]), beside, rng))


def permitted(cohort: Cohort, asked: StudyTrial) -> Bool[np.ndarray, "decision treatment"]:
    """What safety lets a rule choose at each decision asked."""
    steps = np.asarray(cohort.last_step[asked.row])
    allowed = allowed_by(cohort.study, cohort.profile, cohort.history, steps)
    allowed[~allowed.any(axis=1)] = True  # the cohort left such decisions out
    return allowed


def harms_of(
    cohort: Cohort,
    asked: StudyTrial,
    nuisance: Nuisance,
    rng: np.random.Generator,
    told: Callable[[str], None],
) -> dict[str, Nuisance]:
    """Each harm or cost, an outcome of its own of the same decisions."""
    harms = {}
    for name, trial in other_outcomes(cohort, asked, rng).items():
        told(f"beside it: {name}")
        harms[name] = fit_nuisance(trial, rng, nuisance.propensity)
    return harms


def question(
    cohort: Cohort,
    asked: StudyTrial,
    rules: Mapping[str, Matrix],
    harms: Mapping[str, Nuisance],
    again: Sequence[HeldOutRule],
) -> AnalysisPlan:
    """What is asked beside the main outcome."""
    return AnalysisPlan(
        covariates=asked.covariates,
        rules=rules,
        subgroups=[replace(g, mask=g.mask[asked.row]) for g in find_subgroups(cohort)],
        harms=harms,
        refitted_rules=again,
        unit=Unit(asked.unit, 100.0 if asked.binary else 1.0),
        is_binary=asked.binary,
    )


def _rule(said: HeldOutEffects) -> HeldOutRule:
    return HeldOutRule(said.fold, said.said, said.chosen, said.single, said.personal)


def guidelines(cohort: Cohort, asked: StudyTrial, allowed: np.ndarray) -> dict[str, Matrix]:
    """The study's rules, as probabilities of the options."""
    steps = np.asarray(cohort.last_step[asked.row])
    return {
        f"guideline: {rule.name}": rule_policy(rule, cohort).choice_probabilities(
            cohort.history, steps, allowed
        )
        for rule in cohort.study.rules
    }


def say(judged: Judged) -> None:
    """The verdict and its tables on the screen."""
    from rich.markup import escape

    from posology.cli.progress import CONSOLE
    from posology.report.effects.terminal import show
    from posology.report.effects.text import Scale

    sentence = judged.found.verdict.sentence
    CONSOLE.print(f"[bold]{escape(sentence)}[/]", highlight=False, soft_wrap=True)
    CONSOLE.print(
        show(judged.found, Scale(judged.asked.unit, 100.0 if judged.asked.binary else 1.0))
    )
