"""Whole trajectories over a fixed time: those who died are not the only ones."""

from dataclasses import replace

import numpy as np
import pytest

from posology.causal.trial import Trial
from posology.domain.cohort import Cohort
from posology.learners.effects.target_trial import StudyTrial
from posology.workflows.trajectory_follow_up import (
    choose_horizon,
    is_complete_trajectory,
    trajectory_weights,
)
from tests.builders.small_cohorts import small_cohort

REVIEWS, EVERY, WINDOW = 6, 120.0, 110.0


def followed_patients(
    n: int, ill_leave: bool, first_leaves: float = 10
) -> tuple[Cohort, np.ndarray, np.ndarray]:
    """Six reviews in 730 days; three in ten are ill, respond rarely, and die.

    Of those with a low x, who respond less too, two thirds leave from day `first_leaves` on. Also
    x, and everybody's return.
    """
    rng = np.random.default_rng(0)
    ill, x = rng.random(n) < 0.3, rng.integers(0, 2, n).astype(float)
    death = np.where(ill, rng.uniform(200, 700, n), np.inf)
    leaves = ill_leave & (x == 0) & (rng.random(n) < 0.67)
    leave = np.where(leaves, rng.uniform(first_leaves, 730, n), 730.0)
    day = np.tile(EVERY * np.arange(REVIEWS), (n, 1))
    good = rng.random((n, REVIEWS)) < np.where(ill, 0.2, 0.5 + 0.4 * x)[:, None]
    good &= day + 100 < death[:, None]
    there = day < np.minimum(death, leave)[:, None]
    known = there & (np.minimum(day + 95, death[:, None]) <= leave[:, None])
    subject = np.nonzero(there)[0]
    rows, last = len(subject), np.append(np.diff(subject) > 0, True)
    made = small_cohort(0, rows, best_known=False)
    outcome = replace(made.study.outcome, kind="value_in_range", within_days=WINDOW)
    end = np.minimum(death, leave)[subject]
    cohort = replace(
        made,
        study=replace(made.study, outcome=outcome),
        subject=subject.astype(np.int64),
        time=day[there] + 14_000.0,
        treatment=np.zeros(rows, np.int32),
        reward=np.where(known, good, np.nan)[there].astype(np.float32),
        days_followed=(end - day[there]).astype(np.float32),
        trajectory_ended=last & (death <= leave)[subject],
    )
    return cohort, x, (good & (day < death[:, None])).sum(axis=1)


def usual_care(cohort: Cohort, x: np.ndarray, known_at_first: bool = True) -> float:
    """Mean return of the complete trajectories, weighted; is x known at the first decision?"""
    everyone = np.ones(len(cohort), bool)
    horizon = choose_horizon(cohort, everyone)
    assert horizon == pytest.approx(730.0)
    keep = is_complete_trajectory(cohort, horizon)
    row = np.arange(len(cohort))
    seen = np.where(known_at_first | (cohort.time > 14_000.0), x[cohort.subject], 0.5)
    trial = Trial(seen[:, None], cohort.treatment.astype(np.int64), row * 0.0, cohort.subject, 1)
    kind, code = np.zeros(1, np.int8), np.zeros(1, np.int32)
    study_trial = StudyTrial(trial, row, ("x",), "", True, everyone, kind, code)
    weight = trajectory_weights(cohort, study_trial, keep, horizon, np.random.default_rng(0))
    _, patient = np.unique(cohort.subject[keep], return_inverse=True)
    return float(np.average(np.bincount(patient, cohort.reward[keep]), weights=weight))


def test_who_lives_on_is_not_left_out() -> None:
    """Before, only those who died counted: .57 for 2.80 in the audit's world."""
    cohort, x, returns = followed_patients(1500, ill_leave=False)
    died = np.isin(cohort.subject, cohort.subject[cohort.trajectory_ended])
    patients = len(np.unique(cohort.subject[died]))
    assert cohort.reward[died].sum() / patients < 0.7
    assert usual_care(cohort, x) == pytest.approx(returns.mean())


def test_who_stays_stands_for_those_alike_who_leave() -> None:
    cohort, x, returns = followed_patients(3000, ill_leave=True)
    horizon = choose_horizon(cohort, np.ones(len(cohort), bool))
    keep = is_complete_trajectory(cohort, horizon)
    complete = np.unique(cohort.subject[keep])
    assert 1500 < len(complete) < 2300
    unweighted = cohort.reward[keep].sum() / len(complete)
    assert abs(unweighted - returns.mean()) > 0.15
    assert usual_care(cohort, x) == pytest.approx(returns.mean(), abs=0.1)


def test_who_leaves_for_what_happened_after_the_first_decision_is_stood_for_too() -> None:
    """x shows at the second review only; before, the value was that of those who stayed."""
    cohort, x, returns = followed_patients(3000, ill_leave=True, first_leaves=EVERY + 10)
    value = usual_care(cohort, x, known_at_first=False)
    assert value == pytest.approx(returns.mean(), abs=0.1)


def test_decisions_whose_reward_comes_after_the_horizon_do_not_count() -> None:
    cohort, _, _ = followed_patients(300, ill_leave=False)
    keep = is_complete_trajectory(cohort, 500.0)
    start = 14_000.0
    assert keep.any()
    assert (cohort.time[keep] - start + WINDOW <= 500.0 + 1).all()
    alive = ~np.isin(cohort.subject, cohort.subject[cohort.trajectory_ended])
    assert keep[alive & (cohort.time - start + WINDOW + 1 <= 500.0)].all()
    assert not is_complete_trajectory(cohort, 731.0)[alive].any()
