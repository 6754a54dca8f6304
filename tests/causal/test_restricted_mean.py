import numpy as np
import pytest

from posology.causal.restricted_mean import pseudo_values, restricted_mean_time
from posology.errors import UserError

RNG = np.random.default_rng(0)


def test_without_censoring_pseudo_values_are_the_times() -> None:
    time = RNG.exponential(2.0, 80)
    every_event = np.ones(80, dtype=bool)
    one = np.zeros(80, np.int64)
    horizon = 3.0
    assert time.max() > horizon
    values = pseudo_values(time, every_event, horizon, one)
    np.testing.assert_allclose(values, np.minimum(time, horizon), atol=1e-9)


def test_kaplan_meier_area_by_hand() -> None:
    time, event = np.array([1.0, 2.0, 3.0, 4.0]), np.array([True, False, True, False])
    # 1 until 1; 3/4 until 3; 3/4 * 1/2 until 4
    assert restricted_mean_time(time, event, 4.0) == pytest.approx(1 + 0.75 * 2 + 0.375)
    assert restricted_mean_time(time, event, 2.5) == pytest.approx(1 + 0.75 * 1.5)


def test_pseudo_values_average_to_the_truth_under_censoring() -> None:
    n, horizon = 4000, 2.0
    arm = RNG.integers(0, 2, n)
    death = RNG.exponential(np.where(arm == 1, 3.0, 1.0))
    cut = RNG.exponential(np.where(arm == 1, 4.0, 9.0))
    time, event = np.minimum(death, cut), death <= cut
    values = pseudo_values(time, event, horizon, arm)
    for k, rate in ((0, 1.0), (1, 1 / 3)):
        truth = (1 - np.exp(-rate * horizon)) / rate
        assert values[arm == k].mean() == pytest.approx(truth, abs=0.05)
        naive = np.minimum(time, horizon)[arm == k].mean()
        assert abs(naive - truth) > abs(values[arm == k].mean() - truth)


def test_a_horizon_beyond_all_follow_up_is_an_error() -> None:
    time, event = np.array([1.0, 2.0]), np.array([True, True])
    with pytest.raises(
        UserError, match="option 0: no patient was followed for 5, the longest for 2"
    ):
        pseudo_values(time, event, 5.0, np.zeros(2, np.int64))
