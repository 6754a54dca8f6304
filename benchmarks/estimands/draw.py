"""One draw of a world through the product's own path, and what came of it, as named numbers.

Names are `estimate|WHAT|OPTION` (minus the truth), `covers|WHAT` and `errs|WHAT` (shares, mostly 0
or 1), and `gains`, whether the verdict claims that a rule gains.
"""

import datetime
from zlib import crc32

import numpy as np

from benchmarks.estimands.claims import Drawn, Found, average_claims, harm_claims, rule_claims
from benchmarks.estimands.courses import Courses, draw_courses
from benchmarks.estimands.hazards import hazard_errors
from benchmarks.estimands.records import ZERO, events_of, study_of
from benchmarks.estimands.truth import Truth, expected
from benchmarks.estimands.worlds import World
from posology.causal.nested_nuisance import fit_nested_nuisance
from posology.causal.trial import assign_folds
from posology.cohorts.build import build_cohort
from posology.domain.cohort import Cohort
from posology.evaluation.effects.overlap import assess_overlap
from posology.learners.effects.target_trial import build_study_trial
from posology.workflows.effect_study import allowed_options


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
    nested = fit_nested_nuisance(trial.trial, assign_folds(trial.trial, rng))
    nuisance = nested.overall
    allowed = allowed_options(cohort, trial)
    overlap = assess_overlap(trial.trial, nuisance.propensity, allowed)
    found["outside"] = overlap.excluded_share
    found["options not judged"] = world.options - len(overlap.judged)
    if not overlap.judged:
        return found
    true = expected(world, courses)[rows][trial.row]
    here = Drawn(world, truth, cohort, trial, nuisance, overlap, true)
    found |= average_claims(here, rng) | harm_claims(here, rng)
    return found | (rule_claims(here, nested, allowed, rng) if depth > 1 else {})


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
