from dataclasses import replace

import numpy as np
import pytest

from posology.causal.missing_outcomes import complete_trial
from posology.causal.restricted_mean import restricted_mean_time
from posology.domain.cohort import CENSORED, OUTCOME, UNLESS, WINDOW_END
from posology.domain.study import Cost, PredictionTarget
from posology.errors import UserError
from posology.learners.effects.secondary_trials import build_secondary_trials
from posology.learners.effects.target_trial import build_study_trial
from tests.builders.small_cohorts import small_cohort


@pytest.fixture
def cohort():
    made = small_cohort(0, 300, best_known=False)
    outcome = replace(made.study.outcome, kind="value_in_range")
    return replace(made, study=replace(made.study, outcome=outcome))


def asked(cohort, most: int = 1000):
    return build_study_trial(cohort, most, np.random.default_rng(0))


def test_the_outcome_is_the_chance_of_being_effective(cohort) -> None:
    found = asked(cohort)
    np.testing.assert_array_equal(found.trial.outcome, cohort.effective)
    np.testing.assert_array_equal(found.trial.treatment, cohort.treatment)
    assert found.is_binary
    assert found.trial.option_names == ("low", "medium", "high")
    assert len(found.covariates) == found.trial.covariates.shape[1]
    assert "signal" in found.covariates
    assert not [name for name in found.covariates if name.startswith("LATER")]


def test_decisions_without_a_treatment_are_left_out_and_lost_outcomes_made_good(cohort) -> None:
    treatment = cohort.treatment.copy()
    treatment[:10] = -1
    lost = np.arange(300) >= 250
    effective = np.where(lost, np.nan, cohort.effective).astype(np.float32)
    found = asked(replace(cohort, treatment=treatment, effective=effective, outcome_observed=~lost))
    np.testing.assert_array_equal(found.row, np.arange(10, 300))
    assert np.isfinite(found.trial.outcome).all()
    assert found.is_followed_up.sum() == 240


def test_no_more_decisions_than_asked_and_whole_subjects(cohort) -> None:
    pairs = replace(cohort, subject=np.repeat(np.arange(150), 2))
    found = asked(pairs, 101)
    assert len(found.trial) == 100
    assert (np.bincount(found.trial.subject)[np.unique(found.trial.subject)] == 2).all()


def test_time_to_an_event_becomes_a_restricted_mean(cohort) -> None:
    rng = np.random.default_rng(1)
    event, end = rng.exponential(60, 300), rng.exponential(200, 300)
    waited = np.minimum(np.minimum(event, end), 90.0).astype(np.float32)
    seen = (event <= end) & (event < 90)
    effective = np.where(seen, 0.0, np.where(waited >= 90, 1.0, np.nan)).astype(np.float32)
    study = replace(cohort.study, outcome=replace(cohort.study.outcome, kind="time_to_event"))
    timed = replace(
        cohort,
        study=study,
        outcome=waited,
        effective=effective,
        outcome_observed=~np.isnan(effective),
    )
    found = asked(timed)
    assert not found.is_binary
    days = complete_trial(found.trial, np.random.default_rng(0)).outcome
    for k in range(3):
        mine = cohort.treatment == k
        mean = restricted_mean_time(waited[mine].astype(np.float64), seen[mine], 90.0)
        assert days[mine].mean() == pytest.approx(mean, rel=0.15)


def test_harms_and_costs_are_trials_of_their_own(cohort) -> None:
    bled = (np.arange(300) % 7 == 0).astype(np.float32)
    cost = Cost(("BLEED",), 0.5, 90.0)
    study = replace(
        cohort.study,
        diagnosis=(PredictionTarget("bleeding", ("BLEED",), 90.0),),
        reward=replace(cohort.study.reward, costs=(cost,)),
    )
    reward = (cohort.effective - 0.5 * bled).astype(np.float32)
    harmed = replace(cohort, study=study, diagnosis=bled[:, None], reward=reward)
    found = build_secondary_trials(harmed, asked(harmed)).trials
    np.testing.assert_array_equal(found["bleeding"].outcome, bled)
    np.testing.assert_allclose(found["cost of harms, in units of the reward"].outcome, 0.5 * bled)


def test_harms_that_are_hardly_known_are_named_with_the_reason(cohort) -> None:
    """Before, a harm unknown in over 80 % of the decisions left the result without a word."""
    rare = np.where(np.arange(300) < 45, np.arange(300) % 2, np.nan).astype(np.float32)
    never = np.zeros(300, np.float32)
    study = replace(
        cohort.study,
        diagnosis=(
            PredictionTarget("bleeding", ("BLEED",), 90.0),
            PredictionTarget("stroke", ("STROKE",), 90.0),
        ),
    )
    harmed = replace(cohort, study=study, diagnosis=np.stack([rare, never], axis=1))
    found = build_secondary_trials(harmed, asked(harmed))
    assert not found.trials
    assert found.not_estimable == {
        "bleeding": "known of 45 of 300 decisions only; more than 20% are needed",
        "stroke": "0 in all 300 decisions where it is known",
    }


def test_an_early_stop_is_told_from_an_outcome_that_was_followed_up(cohort) -> None:
    """Follow-up of the trial is that of the cohort's resolved days, not of `outcome_observed`."""
    by = np.tile([CENSORED, OUTCOME, UNLESS, WINDOW_END], 75).astype(np.int8)
    known = np.isin(by, (OUTCOME, UNLESS))
    days = np.arange(300, dtype=np.float32)
    lost = replace(
        cohort,
        effective=np.where(known, cohort.effective, np.nan).astype(np.float32),
        outcome_observed=known,
        resolved_days=days,
        resolved_by=by,
    )
    follow_up = asked(lost).trial.follow_up
    assert follow_up is not None
    np.testing.assert_array_equal(follow_up.days, days)
    np.testing.assert_array_equal(follow_up.is_resolved, by != CENSORED)
    np.testing.assert_array_equal(follow_up.is_known, known)
    np.testing.assert_array_equal(follow_up.needs_measurement, np.isin(by, (OUTCOME, WINDOW_END)))
    assert follow_up.measured_from == lost.study.outcome.from_days


def test_a_study_of_right_doses_is_refused() -> None:
    with pytest.raises(UserError, match="treatment ever failed"):
        asked(small_cohort(0, 60, best_known=True))


def test_a_study_without_outcomes_is_refused(cohort) -> None:
    with pytest.raises(UserError, match="no decision has both a treatment and an outcome"):
        asked(replace(cohort, outcome_observed=np.zeros(300, bool)))
