import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from posology.evaluation.table1 import calibration as cal


def sample(seed, n=200, stretch=1.0, shift=0.0):
    rng = np.random.default_rng(seed)
    logit = rng.normal(0, 1.5, n)
    observed = rng.random(n) < 1 / (1 + np.exp(-logit))
    return 1 / (1 + np.exp(-(stretch * logit + shift))), observed


@given(st.integers(0, 2**31))
def test_ece_equals_a_plain_loop(seed):
    p, observed = sample(seed, 60)
    total = 0.0
    for b in range(10):
        inside = [i for i in range(60) if min(int(p[i] * 10), 9) == b]
        if inside:
            total += abs(np.mean(p[inside]) - np.mean(observed[inside])) * len(inside) / 60
    assert cal.expected_calibration_error(p, observed)[0] == pytest.approx(total)


def test_slope_and_intercept_equal_unpenalised_logistic_regression():
    from sklearn.linear_model import LogisticRegression

    p, observed = sample(0, stretch=2.0, shift=0.7)
    x = np.log(p / (1 - p))[:, None]
    fitted = LogisticRegression(C=np.inf, tol=1e-10).fit(x, observed)
    assert cal.calibration_slope(p, observed)[0] == pytest.approx(fitted.coef_[0, 0], abs=1e-5)
    shift = cal.calibration_intercept(p, observed)[0]
    assert np.mean(1 / (1 + np.exp(-(x[:, 0] + shift)))) == pytest.approx(observed.mean())


def test_a_weight_counts_a_row_that_often():
    p, observed = sample(3, 80)
    counts = np.random.default_rng(1).integers(0, 3, (4, 80))
    for statistic in (
        cal.calibration_slope,
        cal.calibration_intercept,
        cal.expected_calibration_error,
    ):
        together = statistic(p, observed, counts.astype(float))
        for r in range(4):
            row = np.repeat(np.arange(80), counts[r])
            assert together[r] == pytest.approx(statistic(p[row], observed[row])[0])


def test_a_perfect_separation_has_no_slope():
    p = np.array([0.1, 0.2, 0.8, 0.9])
    assert np.isnan(cal.calibration_slope(p, p > 0.5)[0])


def test_one_constant_probability_has_no_slope_but_an_intercept():
    observed = np.array([True, False, False, False])
    assert np.isnan(cal.calibration_slope(np.full(4, 0.5), observed)[0])
    assert cal.calibration_intercept(np.full(4, 0.5), observed)[0] == pytest.approx(np.log(1 / 3))


def test_true_probabilities_are_calibrated(rng):
    p, observed = sample(5, 1500)
    both = np.column_stack([1 - p, p])
    best = observed.astype(np.int32)
    best[:100] = -1
    calibrations = cal.assess_calibration(both, best, np.arange(1500), rng, 300)
    assert [c.treatment for c in calibrations] == [0, 1]
    for c in calibrations:
        assert c.slope.low < 1 < c.slope.high
        assert c.intercept.low < 0 < c.intercept.high
        assert sum(b.n for b in c.bins) == 1400


def test_probabilities_twice_too_extreme_have_slope_one_half(rng):
    p, observed = sample(6, 3000, stretch=2.0)
    assert cal.calibration_slope(p, observed)[0] == pytest.approx(0.5, abs=0.06)


def test_the_observed_share_of_a_bin_lies_inside_its_interval():
    p, observed = sample(7, 500)
    for b in cal.reliability_bins(p, observed):
        assert b.low <= b.observed <= b.high
        assert b.n > 0


def test_intervals_of_held_out_sites_are_over_sites(rng):
    """Eight sites whose outcomes are shifted: intervals over patients are far too narrow."""
    site = np.repeat(np.arange(8), 100)
    p, observed = sample(8, 800)
    observed = observed ^ ((site % 2 == 0) & (rng.random(800) < 0.6) & ~observed)
    both, best = np.column_stack([1 - p, p]), observed.astype(np.int32)
    subject = np.arange(800)
    widths = []
    for sites in (None, site):
        *_, one = cal.assess_calibration(both, best, subject, rng, 200, sites)
        widths.append(one.intercept.high - one.intercept.low)
        widths.append(np.mean([b.high - b.low for b in one.bins]))
    assert widths[2] > 2 * widths[0]
    assert widths[3] > 1.15 * widths[1]


def test_the_points_of_a_curve_count_patients_not_decisions():
    """Ten decisions a patient, all alike, are one."""
    p, observed = sample(9, 60)
    once = cal.reliability_bins(p, observed)
    patient = np.repeat(np.arange(60), 10)
    repeated = cal.reliability_bins(p[patient], observed[patient], patient)
    for one, many in zip(once, repeated, strict=True):
        assert (many.observed, many.n) == (pytest.approx(one.observed), 10 * one.n)
        assert many.high - many.low > 0.9 * (one.high - one.low)
