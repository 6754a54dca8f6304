"""Raw shares count no decision of which only an event could become known."""

from dataclasses import replace

import numpy as np

from posology.causal.propensity import randomised_propensity
from posology.evaluation.effects.overlap import assess_overlap
from posology.learners.effects.target_trial import build_study_trial
from posology.workflows.effect_arms import describe_flow, describe_raw_data
from tests.builders.followed_worlds import draw_patients, followed_cohort

RISK = 'kind = "does_not_occur"\ncodes = ["EVENT"]\nunit = ""\nwithin_days = 365\n'
DIAGNOSIS = '[[diagnosis]]\nname = "event"\ncodes = ["EVENT"]\nwithin_days = 365\n'


def test_events_that_count_for_nothing_are_in_no_raw_share() -> None:
    patients = draw_patients(400, 1, "independent", 0.0, 0.0)
    cohort = followed_cohort(patients, RISK, DIAGNOSIS)
    assert cohort.censoring_weight is not None
    assert cohort.diagnosis_weight is not None
    assert cohort.diagnosis is not None
    bad = np.flatnonzero(cohort.outcome_observed & (cohort.effective == 0))[:25]
    late = np.isin(np.arange(len(cohort)), bad)
    weight = np.where(late, 0, cohort.censoring_weight).astype(np.float32)
    of_harm = np.where(late[:, None], 0, cohort.diagnosis_weight).astype(np.float32)
    trial = build_study_trial(cohort, len(cohort), np.random.default_rng(0))
    overlap = assess_overlap(trial.trial, randomised_propensity(trial.trial))
    all_known = describe_raw_data(cohort, trial, overlap, comparator=0)
    cohort = replace(cohort, censoring_weight=weight, diagnosis_weight=of_harm)
    raw = describe_raw_data(cohort, trial, overlap, comparator=0)
    for before, after in (
        (all_known.outcome, raw.outcome),
        (all_known.harms["event"], raw.harms["event"]),
    ):
        assert before is not None
        assert after is not None
        assert sum(a.known for a in before.arms) - sum(a.known for a in after.arms) == 25
    steps = " ".join(step.text for step in describe_flow(cohort, trial, overlap))
    assert "(25 of them too late in the records for raw shares)" in steps
