"""What the learners of effects are given where follow-up ends early."""

from dataclasses import replace

import numpy as np
import pytest

from posology.causal.missing_outcomes import complete_trial
from posology.domain.cohort import CENSORED, OUTCOME, WINDOW_END, Cohort
from posology.domain.study import Cost
from posology.learners.effects.follow_up import (
    concatenate_follow_up,
    follow_up_of,
    harm_costs,
    outcome_follow_up,
)
from posology.learners.effects.policy import build_trial
from posology.learners.features.tabular import FeatureSpec, build_feature_spec
from posology.learners.outcome_models.logistic import LogisticLearner
from tests.builders.small_cohorts import small_cohort

FREE = 0.8
"""Share without the event in the window, under every option."""


def left_at_different_rates(n: int) -> Cohort:
    """Options are alike; 90 % leave `high` in a year, 40 % `medium`, hardly anybody `low`."""
    made = small_cohort(0, n, best_known=False)
    rng = np.random.default_rng(0)
    event = rng.exponential(365 / -np.log(FREE), n)
    gone = np.array([0.01, 0.4, 0.9])[made.treatment]
    leave = rng.exponential(365 / -np.log(1 - gone))
    settled = np.minimum(event, 365.0)
    known = settled <= leave
    by = np.where(known, np.where(event < 365, OUTCOME, WINDOW_END), CENSORED).astype(np.int8)
    effective = np.where(known, (event >= 365).astype(float), np.nan).astype(np.float32)
    stays = (1 - gone) ** (settled / 365)
    outcome = replace(made.study.outcome, kind="time_to_event", within_days=365.0)
    return replace(
        made,
        study=replace(made.study, outcome=outcome),
        outcome=np.minimum(settled, leave).astype(np.float32),
        effective=effective,
        outcome_observed=known,
        resolved_days=np.minimum(settled, leave).astype(np.float32),
        resolved_by=by,
        censoring_weight=np.where(known, 1 / stays, 0.0).astype(np.float32),
    )


def first_columns(cohort: Cohort) -> FeatureSpec:
    spec = build_feature_spec(cohort)
    return FeatureSpec(spec.code[:3], spec.kind[:3])


def test_effects_are_learned_from_everybody_not_from_those_followed_to_the_end() -> None:
    """Before, labels of an option that many leave said .7 where .8 is true."""
    cohort = left_at_different_rates(1500)
    known, left = cohort.outcome_observed, cohort.treatment == 2
    assert cohort.effective[known & left].mean() < FREE - 0.12
    trial = build_trial(cohort, first_columns(cohort))
    assert len(trial) == len(cohort)
    completed = complete_trial(trial, np.random.default_rng(0)).outcome
    for k in range(3):
        assert completed[trial.treatment == k].mean() == pytest.approx(FREE, abs=0.06)


def test_a_regression_weighs_what_it_knows() -> None:
    cohort = left_at_different_rates(2500)
    everyone = np.ones((len(cohort), 3), bool)

    def predicted(trained: Cohort) -> np.ndarray:
        policy = LogisticLearner(inverse_penalties=(0.003,)).fit(trained, trained)
        p = policy.predict_effectiveness(cohort.history, cohort.last_step, everyone)
        return p.mean(axis=(0, 2))

    assert predicted(replace(cohort, censoring_weight=None))[2] < FREE - 0.1
    np.testing.assert_allclose(predicted(cohort), FREE, atol=0.05)


def test_costs_are_known_where_their_own_window_was_followed() -> None:
    cohort = left_at_different_rates(40)
    reward = replace(cohort.study.reward, costs=(Cost(("BLEED",), 0.5, 90.0),))
    cost = np.where(np.arange(40) < 30, 0.5, np.nan).astype(np.float32)
    by = np.where(np.arange(40) < 30, WINDOW_END, CENSORED).astype(np.int8)
    days = np.arange(40, dtype=np.float32)
    priced = replace(
        cohort,
        study=replace(cohort.study, reward=reward),
        cost=cost,
        cost_days=days,
        cost_resolved_by=by,
    )
    found, found_days, found_by = harm_costs(priced, np.arange(5, 40))
    np.testing.assert_array_equal(found, cost[5:])
    follow_up = follow_up_of(~np.isnan(found), found_days, found_by)
    np.testing.assert_array_equal(follow_up.is_resolved, np.arange(5, 40) < 30)
    np.testing.assert_array_equal(follow_up.days, days[5:])


def test_two_cohorts_are_followed_as_one() -> None:
    cohort = left_at_different_rates(30)
    every = outcome_follow_up(cohort, np.arange(30))
    parts = [outcome_follow_up(cohort, rows) for rows in (np.arange(12), np.arange(12, 30))]
    whole = concatenate_follow_up(*parts)
    np.testing.assert_array_equal(whole.days, every.days)
    np.testing.assert_array_equal(whole.is_known, every.is_known)
