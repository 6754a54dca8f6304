from dataclasses import replace

import numpy as np
import pytest

from posology.causal.restricted_mean import restricted_mean_time
from posology.domain.study import Cost, PredictionTarget
from posology.errors import UserError
from posology.learners.effects.target_trial import build_secondary_trials, build_study_trial
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
    for k in range(3):
        mine = cohort.treatment == k
        mean = restricted_mean_time(waited[mine].astype(np.float64), seen[mine], 90.0)
        assert found.trial.outcome[mine].mean() == pytest.approx(mean, rel=0.02)


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
    found = build_secondary_trials(harmed, asked(harmed), np.random.default_rng(0))
    np.testing.assert_array_equal(found["bleeding"].outcome, bled)
    np.testing.assert_allclose(found["cost of harms, in the reward's unit"].outcome, 0.5 * bled)


def test_a_study_of_right_doses_is_refused() -> None:
    with pytest.raises(UserError, match="treatment ever failed"):
        asked(small_cohort(0, 60, best_known=True))


def test_a_study_without_outcomes_is_refused(cohort) -> None:
    with pytest.raises(UserError, match="no decision has both a treatment and an outcome"):
        asked(replace(cohort, outcome_observed=np.zeros(300, bool)))
