import numpy as np
import pytest

from posology.causal.missing_outcomes import complete_trial
from posology.causal.restricted_mean import restricted_mean_time, restricted_times
from posology.causal.trial import Trial
from posology.errors import UserError

RNG = np.random.default_rng(0)


def test_without_censoring_restricted_times_are_the_times() -> None:
    time, horizon = RNG.exponential(2.0, 80), 3.0
    assert time.max() > horizon
    days, follow_up = restricted_times(time, np.ones(80, bool), horizon, np.zeros(80, np.int64))
    np.testing.assert_array_equal(days, np.minimum(time, horizon))
    assert follow_up.is_known.all()


def test_who_was_followed_to_the_horizon_is_known() -> None:
    time, event = np.array([1.0, 2.0, 5.0]), np.array([True, False, False])
    days, follow_up = restricted_times(time, event, 3.0, np.zeros(3, np.int64))
    np.testing.assert_array_equal(days, [1.0, 2.0, 3.0])
    np.testing.assert_array_equal(follow_up.is_known, [True, False, True])
    np.testing.assert_array_equal(follow_up.days, days)


def test_kaplan_meier_area_by_hand() -> None:
    time, event = np.array([1.0, 2.0, 3.0, 4.0]), np.array([True, False, True, False])
    # 1 until 1; 3/4 until 3; 3/4 * 1/2 until 4
    assert restricted_mean_time(time, event, 4.0) == pytest.approx(1 + 0.75 * 2 + 0.375)
    assert restricted_mean_time(time, event, 2.5) == pytest.approx(1 + 0.75 * 1.5)


def test_completed_times_average_to_the_truth_and_to_kaplan_meier_s() -> None:
    n, horizon = 4000, 2.0
    arm = RNG.integers(0, 2, n)
    death = RNG.exponential(np.where(arm == 1, 3.0, 1.0))
    cut = RNG.exponential(np.where(arm == 1, 4.0, 9.0))
    time, event = np.minimum(death, cut), death <= cut
    days, follow_up = restricted_times(time, event, horizon, arm)
    trial = Trial(np.zeros((n, 1)), arm, days, np.arange(n), 2, follow_up=follow_up)
    values = complete_trial(trial, np.random.default_rng(0)).outcome
    for k, rate in ((0, 1.0), (1, 1 / 3)):
        truth = (1 - np.exp(-rate * horizon)) / rate
        assert values[arm == k].mean() == pytest.approx(truth, abs=0.05)
        by_curve = restricted_mean_time(time[arm == k], event[arm == k], horizon)
        assert values[arm == k].mean() == pytest.approx(by_curve, abs=0.005)


def test_a_horizon_beyond_all_follow_up_is_an_error() -> None:
    time, event = np.array([1.0, 2.0]), np.array([True, True])
    with pytest.raises(
        UserError, match="option 0: no patient was followed for 5, the longest for 2"
    ):
        restricted_times(time, event, 5.0, np.zeros(2, np.int64))
