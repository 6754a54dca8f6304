"""One draw of a world through the product's own path, and what came of it, as named numbers.

Names are `estimate|WHAT|OPTION` (minus the truth), `covers|WHAT` and `errs|WHAT` (shares, mostly 0
or 1), and `gains`, whether the verdict claims that a rule gains.
"""

import datetime
from dataclasses import dataclass
from zlib import crc32

import numpy as np

from benchmarks.estimands.courses import Courses, draw_courses
from benchmarks.estimands.hazards import hazard_errors
from benchmarks.estimands.records import ZERO, events_of, study_of
from benchmarks.estimands.truth import Truth, expected
from benchmarks.estimands.worlds import World
from posology.causal.doubly_robust_scores import Nuisance, fit_nuisance
from posology.causal.trial import Mask, Matrix
from posology.cohorts.build import build_cohort
from posology.domain.cohort import Cohort
from posology.evaluation.effects.effect_study import AnalysisPlan, analyse_effects
from posology.evaluation.effects.held_out_rule import EvaluatedRule, HeldOutRule
from posology.evaluation.effects.overlap import assess_overlap
from posology.evaluation.effects.policy_values import (
    AverageEffect,
    estimate_average_effects,
    estimate_rule_values,
)
from posology.evaluation.effects.subgroup_gain import estimate_subgroup_gain
from posology.evaluation.effects.verdict import GAIN, Unit
from posology.evaluation.intervals import Difference, Interval
from posology.evaluation.table1.subgroups import Subgroup, find_subgroups
from posology.learners.effects.cross_fitting import estimate_held_out_effects
from posology.learners.effects.target_trial import (
    StudyTrial,
    build_secondary_trials,
    build_study_trial,
)
from posology.workflows.effect_study import allowed_options

Found = dict[str, float]


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """One draw: what the product made of it, and what is true of the same decisions."""

    world: World
    truth: Truth
    cohort: Cohort
    trial: StudyTrial
    nuisance: Nuisance
    expected: Matrix
    """True expected outcome of each of the trial's decisions under each option."""

    @property
    def population(self) -> Mask:
        """The product's analysis population."""
        return assess_overlap(self.nuisance.trial, self.nuisance.propensity).population

    @property
    def values(self) -> np.ndarray:
        """True values of the options in the analysis population.

        They are those of everybody, but for the share outside it, whose part is taken from the
        drawn patients.
        """
        everybody = np.array([self.truth.value[k] for k in range(self.world.options)])
        left_out = self.expected[self.population].mean(axis=0) - self.expected.mean(axis=0)
        return everybody + left_out


def draw(world: World, truth: Truth, number: tuple[int, int], depth: int) -> Found:
    """Draw patients, build their cohort, estimate as `posology effect` does, compare with truth.

    Args:
        world: where the patients come from.
        truth: of the world.
        number: seed and number of the draw; the same ones give the same result.
        depth: 0 labels and hazards; 1 effects, values and harms too; 2 a learned rule too.
    """
    rng = np.random.default_rng([*number, crc32(world.name.encode())])
    courses = draw_courses(world, world.patients, rng)
    cohort = build_cohort(events_of(world, courses), study_of(world))
    rows = rows_of(courses, cohort)
    found = label_errors(cohort, truth) | hazard_errors(world, courses, cohort, rows)
    if depth == 0:
        return found
    trial = build_study_trial(cohort, 10**6, rng)
    nuisance = fit_nuisance(trial.trial, rng)
    here = Drawn(world, truth, cohort, trial, nuisance, expected(world, courses)[rows][trial.row])
    found |= average_claims(here, rng) | harm_claims(here, rng)
    return found | (rule_claims(here, rng) if depth > 1 else {})


def rows_of(courses: Courses, cohort: Cohort) -> np.ndarray:
    """The row of each of the cohort's decisions among the courses."""
    first = (ZERO - datetime.date(1970, 1, 1)).days
    key = np.floor((courses.zero + first) * 1440 + 1e-6) + 1e8 * courses.patient
    subject = cohort.history.subject_id[cohort.subject] - 1
    return np.searchsorted(key, np.asarray(cohort.time) * 1440 + 1e8 * subject - 0.5)


def label_errors(cohort: Cohort, truth: Truth) -> Found:
    """Mean of the known labels of each option, weighted as for learners, minus the truth."""
    known = cohort.outcome_observed & ~np.isnan(cohort.effective)
    weight = known.astype(np.float64)
    if cohort.censoring_weight is not None:
        weight *= cohort.censoring_weight
    found: Found = {}
    for k in range(len(cohort.study.formulary.treatments)):
        rows = (cohort.treatment == k) & (weight > 0)
        mean = np.average(cohort.effective[rows].astype(np.float64), weights=weight[rows])
        found[f"estimate|label|{k}"] = float(mean) - truth.label[k]
    return found


def covers(span: Interval | Difference, truth: float) -> float:
    """Whether an interval holds the truth."""
    return float(span.low - 1e-12 <= truth <= span.high + 1e-12)


def average_claims(here: Drawn, rng: np.random.Generator) -> Found:
    """Values of single options and of usual care, effects of each option over the first."""
    values, population = here.values, here.population
    effects = estimate_average_effects(here.nuisance, 0, rng, population)
    found = _effect_claims("effect", effects, values - values[0], here.world)
    rows = estimate_rule_values(here.nuisance, {}, 0, rng, population)[: here.world.options]
    for k, row in enumerate(rows):
        found[f"estimate|value|{k}"] = float(row.value.value - values[k])
    found["covers|value"] = _share(
        [covers(row.value, float(v)) for row, v in zip(rows, values, strict=True)]
    )
    for group in find_subgroups(here.cohort):
        if (group.family, group.name) == ("x2", "x2"):
            found |= _group_claims(here, group, rng)
    return found | {"outside": float(1 - population.mean())}


def _effect_claims(
    what: str, effects: tuple[AverageEffect, ...], true: np.ndarray, world: World
) -> Found:
    """Intervals hold the truth all at once, and no p value is below .05, which they promise."""
    found = {
        f"estimate|{what}|{k}": float(row.effect.value - true[k])
        for k, row in enumerate(effects, 1)
    }
    all_cover = all(covers(row.effect, float(true[k])) for k, row in enumerate(effects, 1))
    found[f"covers|{what}"] = float(all_cover)
    if world.effect == "null":
        found[f"errs|{what}"] = float(any(row.effect.p < 0.05 for row in effects))
    return found


def _group_claims(here: Drawn, group: Subgroup, rng: np.random.Generator) -> Found:
    n = len(here.trial.trial)
    nobody, supported = np.zeros(n, np.int64), list(range(here.world.options))
    rule = EvaluatedRule(np.zeros((n, here.world.options)), nobody, nobody, 0, supported)
    group = Subgroup(group.family, group.name, group.mask[here.trial.row])
    said = estimate_subgroup_gain(here.nuisance, rule, group, here.population, rng)
    members = group.mask & here.population
    left_out = here.expected[members].mean(axis=0) - here.expected[group.mask].mean(axis=0)
    values = np.array([here.truth.group[k] for k in supported]) + left_out
    true = values - values[0]
    each = [covers(b.observed, float(true[k])) for k, b in enumerate(said.benefits, 1)]
    return {"covers|effect in a group": _share(each)}


def harm_claims(here: Drawn, rng: np.random.Generator) -> Found:
    """Effects on the harm."""
    true = np.array([here.truth.harm[k] for k in range(here.world.options)])
    found: Found = {}
    for trial in build_secondary_trials(here.cohort, here.trial, rng).values():
        nuisance = fit_nuisance(trial, rng, here.nuisance.propensity)
        effects = estimate_average_effects(nuisance, 0, rng, here.population)
        found |= _effect_claims("harm", effects, true - true[0], here.world)
    return found


def rule_claims(here: Drawn, rng: np.random.Generator) -> Found:
    """What is said of a rule that is learned from the same patients, as `posology effect` does."""
    trial, population = here.trial.trial, here.population
    allowed = allowed_options(here.cohort, here.trial)
    learned = estimate_held_out_effects(trial, allowed, population, rng)
    rule = HeldOutRule(
        learned.fold, learned.effects, learned.chosen, learned.best_single, learned.personal_folds
    )
    unit = Unit(here.trial.unit)
    plan = AnalysisPlan(here.trial.covariates, {}, [], {}, [], unit, here.trial.is_binary)
    said = analyse_effects(here.nuisance, rule, plan, rng)
    rows = np.arange(len(trial))
    gained = here.expected[rows, rule.chosen] - here.expected[rows, rule.best_single]
    found = {
        "gains": float(said.verdict.kind == GAIN),
        "judged": float(said.verdict.gain is not None),
    }
    if said.verdict.gain is not None:
        true = float(gained[population].mean())
        found["estimate|gain|rule"] = said.verdict.gain.value - true
        found["covers|gain"] = covers(said.verdict.gain, true)
        found["differs"] = float((rule.chosen != rule.best_single)[population].mean())
    if here.world.effect == "null":
        found["errs|heterogeneity"] = float(said.heterogeneity.p < 0.05)
        found["errs|gate"] = learned.personal_folds / 5
    return found


def _share(each: list[float]) -> float:
    return float(np.mean(each))
