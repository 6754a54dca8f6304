import numpy as np
import pytest

from posology.causal.restricted_mean import restricted_mean_time
from posology.evaluation.arms.event_curves import describe_event_times


def test_a_curve_by_hand() -> None:
    """Kaplan and Meier's product, with two censored patients."""
    days = np.array([1.0, 2.0, 2.0, 3.0, 4.0])
    event = np.array([True, True, False, True, False])
    found = describe_event_times(days, event, np.zeros(5, np.int64), ("only",), (4.0, 0))
    (curve,) = found.curves
    assert (curve.patients, curve.events) == (5, 3)
    assert curve.days == (0.0, 1.0, 2.0, 3.0, 4.0)
    assert curve.share == pytest.approx((1.0, 0.8, 0.6, 0.3, 0.3))
    assert found.ticks == (0.0, 1.0, 2.0, 3.0, 4.0)
    assert curve.at_risk == (5, 5, 4, 2, 1)
    assert curve.restricted_mean == pytest.approx(1 + 0.8 + 0.6 + 0.3)
    assert all(a <= s <= b for a, s, b in zip(curve.low, curve.share, curve.high, strict=True))


def test_the_restricted_mean_and_its_error_without_censoring_are_those_of_the_mean() -> None:
    rng = np.random.default_rng(0)
    treatment = np.repeat([0, 1], 400)
    days = np.minimum(rng.exponential(50 + 30 * treatment), 100.0)
    found = describe_event_times(days, days < 100, treatment, ("a", "b"), (100.0, 0))
    for k, curve in enumerate(found.curves):
        arm = days[treatment == k]
        assert curve.restricted_mean == pytest.approx(arm.mean())
        assert curve.standard_error == pytest.approx(arm.std() / 20, rel=0.01)
    difference = found.differences[1]
    assert difference.value == pytest.approx(days[400:].mean() - days[:400].mean())
    assert difference.low > 0


def test_under_censoring_it_is_the_restricted_mean_of_the_analysis() -> None:
    rng = np.random.default_rng(1)
    event, end = rng.exponential(60, 300), rng.exponential(200, 300)
    end[0], event[0] = 90.0, 95.0
    days = np.minimum(np.minimum(event, end), 90.0)
    seen = (event <= end) & (event < 90)
    found = describe_event_times(days, seen, np.zeros(300, np.int64), ("only",), (90.0, 0))
    expected = restricted_mean_time(days, seen, 90.0)
    assert found.curves[0].restricted_mean == pytest.approx(expected)
