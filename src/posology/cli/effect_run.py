"""What `posology effect` computes, in order."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from posology.causal.propensity import by_lot
from posology.causal.scores import Nuisance, fit_nuisance
from posology.causal.trial import Matrix
from posology.domain.cohort import Cohort
from posology.domain.safety import allowed as allowed_by
from posology.evaluation.doubly_robust import as_probabilities
from posology.evaluation.effect_study import Asked, EffectStudy, HeldOutRule, judge
from posology.evaluation.subgroups import groups_of
from posology.evaluation.verdict import Unit
from posology.learners.effect_folds import HeldOutEffects, held_out_effects
from posology.learners.effect_trial import StudyTrial, other_outcomes, study_trial
from posology.learners.rules import rule_policy

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
    steps = np.asarray(cohort.last_step[asked.row])
    allowed = allowed_by(cohort.study, cohort.profile, cohort.history, steps)
    allowed[~allowed.any(axis=1)] = True  # the cohort left such decisions out
    told(f"{len(asked.trial):,} decisions: propensities and outcomes")
    chances = by_lot(asked.trial) if cohort.study.given.randomised else None
    nuisance = fit_nuisance(asked.trial, rng, chances)
    runs = []
    for number in range(1 + again):
        which = "the rule" if not number else f"the rule again, {number} of {again}"

        def fold(at: int, which: str = which) -> None:
            told(f"{which}: fold {at} of 5")

        runs.append(held_out_effects(asked.trial, allowed, rng, fold, chances))
    harms = {}
    for name, trial in other_outcomes(cohort, asked, rng).items():
        told(f"beside it: {name}")
        harms[name] = fit_nuisance(trial, rng, nuisance.propensity)
    told("judging, 2,000 resamples")
    question = Asked(
        covariates=asked.covariates,
        rules={
            **_guidelines(cohort, asked, allowed),
            SIMPLE: as_probabilities(runs[0].simple, asked.trial.options),
        },
        groups=[replace(g, mask=g.mask[asked.row]) for g in groups_of(cohort)],
        harms=harms,
        again=[_rule(run) for run in runs[1:]],
        unit=Unit(asked.unit, 100.0 if asked.binary else 1.0),
        binary=asked.binary,
    )
    return Judged(asked, nuisance, judge(nuisance, _rule(runs[0]), question, rng))


def _rule(said: HeldOutEffects) -> HeldOutRule:
    return HeldOutRule(said.fold, said.said, said.chosen, said.single, said.personal)


def _guidelines(cohort: Cohort, asked: StudyTrial, allowed: np.ndarray) -> dict[str, Matrix]:
    steps = np.asarray(cohort.last_step[asked.row])
    return {
        f"guideline: {rule.name}": rule_policy(rule, cohort).probabilities(
            cohort.history, steps, allowed
        )
        for rule in cohort.study.rules
    }
