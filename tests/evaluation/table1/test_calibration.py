import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from posology.evaluation.table1 import calibration as cal


def sample(seed, n=200, stretch=1.0, shift=0.0):
    rng = np.random.default_rng(seed)
    logit = rng.normal(0, 1.5, n)
    happened = rng.random(n) < 1 / (1 + np.exp(-logit))
    return 1 / (1 + np.exp(-(stretch * logit + shift))), happened


@given(st.integers(0, 2**31))
def test_ece_equals_a_plain_loop(seed):
    p, hit = sample(seed, 60)
    total = 0.0
    for b in range(10):
        inside = [i for i in range(60) if min(int(p[i] * 10), 9) == b]
        if inside:
            total += abs(np.mean(p[inside]) - np.mean(hit[inside])) * len(inside) / 60
    assert cal.expected_calibration_error(p, hit)[0] == pytest.approx(total)


def test_slope_and_intercept_equal_unpenalised_logistic_regression():
    from sklearn.linear_model import LogisticRegression

    p, hit = sample(0, stretch=2.0, shift=0.7)
    x = np.log(p / (1 - p))[:, None]
    fitted = LogisticRegression(C=np.inf, tol=1e-10).fit(x, hit)
    assert cal.calibration_slope(p, hit)[0] == pytest.approx(fitted.coef_[0, 0], abs=1e-5)
    shift = cal.calibration_intercept(p, hit)[0]
    assert np.mean(1 / (1 + np.exp(-(x[:, 0] + shift)))) == pytest.approx(hit.mean())


def test_weights_are_repeated_rows():
    p, hit = sample(3, 80)
    counts = np.random.default_rng(1).integers(0, 3, (4, 80))
    for statistic in (
        cal.calibration_slope,
        cal.calibration_intercept,
        cal.expected_calibration_error,
    ):
        together = statistic(p, hit, counts.astype(float))
        for r in range(4):
            row = np.repeat(np.arange(80), counts[r])
            assert together[r] == pytest.approx(statistic(p[row], hit[row])[0])


def test_a_perfect_separation_has_no_slope():
    p = np.array([0.1, 0.2, 0.8, 0.9])
    assert np.isnan(cal.calibration_slope(p, p > 0.5)[0])


def test_one_constant_probability_has_no_slope_but_an_intercept():
    hit = np.array([True, False, False, False])
    assert np.isnan(cal.calibration_slope(np.full(4, 0.5), hit)[0])
    assert cal.calibration_intercept(np.full(4, 0.5), hit)[0] == pytest.approx(np.log(1 / 3))


def test_true_probabilities_are_found_calibrated(rng):
    p, hit = sample(5, 1500)
    both = np.column_stack([1 - p, p])
    best = hit.astype(np.int32)
    best[:100] = -1
    found = cal.assess_calibration(both, best, np.arange(1500), rng, 300)
    assert [c.treatment for c in found] == [0, 1]
    for c in found:
        assert c.slope.low < 1 < c.slope.high
        assert c.intercept.low < 0 < c.intercept.high
        assert sum(b.n for b in c.bins) == 1400


def test_probabilities_twice_too_extreme_have_slope_one_half(rng):
    p, hit = sample(6, 3000, stretch=2.0)
    assert cal.calibration_slope(p, hit)[0] == pytest.approx(0.5, abs=0.06)


def test_bins_give_the_observed_share_inside_wilsons_interval():
    p, hit = sample(7, 500)
    for b in cal.reliability_bins(p, hit):
        assert b.low <= b.observed <= b.high
        assert b.n > 0


def test_wilson_equals_scipys():
    from scipy.stats import binomtest

    for hits, n in [(0, 5), (3, 10), (50, 60), (7, 7)]:
        theirs = binomtest(hits, n).proportion_ci(method="wilson")
        assert cal.wilson(hits, n) == pytest.approx((theirs.low, theirs.high), abs=1e-6)


def test_brier_is_zero_for_certain_truth_and_two_for_certain_error():
    certain = np.eye(3)
    assert cal.brier(certain, np.arange(3, dtype=np.int32))[0] == 0.0
    assert cal.brier(certain, np.array([1, 2, 0], np.int32))[0] == 2.0
