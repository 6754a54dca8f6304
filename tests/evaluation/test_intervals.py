import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, ttest_1samp

from posology.evaluation import intervals
from posology.evaluation.intervals import (
    MAX_CLUSTERS,
    Interval,
    assign_clusters,
    bootstrap_interval,
    bootstrap_means,
    bootstrap_replicates,
    jackknife_difference,
    leave_one_out_weights,
    paired_difference,
    percentile_interval,
    resample_weights,
    simultaneous_differences,
    unit_weights,
    weighted_mean,
    widen_interval,
    wilson_interval,
)


def mean_of(x):
    return lambda weights: weighted_mean(x, np.ones(len(x), bool), weights)


def test_resamples_draw_whole_subjects_and_as_many_as_there_are(rng):
    subject = np.array([7, 7, 7, 3, 3, 9], np.int64)
    weights = np.concatenate(list(resample_weights(subject, 50, rng)))
    assert weights.shape == (50, 6)
    assert (weights[:, 0] == weights[:, 1]).all()
    assert (weights[:, 3] == weights[:, 4]).all()
    assert (weights[:, [0, 3, 5]].sum(axis=1) == 3).all()


def test_above_2000_subjects_random_groups_are_drawn_with_the_same_standard_error(rng):
    """5,000 subjects of two decisions: the standard error of the mean is that of their sums."""
    subject = rng.permutation(np.arange(5000).repeat(2))
    x = rng.exponential(size=5000)[subject] + rng.normal(size=10_000)
    draws = bootstrap_means(x[:, None], subject, rng)[:, 0]
    of_subject = np.bincount(subject, x - x.mean())
    assert draws.std() == pytest.approx(np.sqrt((of_subject**2).sum()) / 10_000, rel=0.06)
    assert draws.mean() == pytest.approx(x.mean(), abs=4 * draws.std() / np.sqrt(2000))
    weights = next(resample_weights(subject, 1, rng))[0]
    assert (weights == np.bincount(subject, weights)[subject] / 2).all(), "a subject stays whole"
    assert len(np.unique(assign_clusters(subject, rng))) == MAX_CLUSTERS


def test_blocks_hold_all_replicates(rng, monkeypatch):
    monkeypatch.setattr(intervals, "_CELLS", 25)
    blocks = list(resample_weights(np.arange(10), 7, rng))
    assert [len(b) for b in blocks] == [2, 2, 2, 1]


def test_same_generator_same_interval():
    x = np.random.default_rng(0).normal(size=50)
    both = [
        bootstrap_interval(mean_of(x), np.arange(50), np.random.default_rng(5)) for _ in range(2)
    ]
    assert both[0] == both[1]


def test_95_percent_intervals_cover_the_truth_in_about_95_percent_of_samples():
    rng = np.random.default_rng(1)
    samples, n, covered = 400, 60, 0
    for _ in range(samples):
        x = rng.exponential(1.0, n)
        replicates = bootstrap_replicates(mean_of(x), np.arange(n), rng, 400)
        interval = percentile_interval(x.mean(), replicates)
        covered += interval.low <= 1.0 <= interval.high
    assert 0.90 <= covered / samples <= 0.975  # skewed and small: a little under 95 % is known


def test_repeated_decisions_of_a_subject_widen_the_interval(rng):
    x = np.repeat(rng.normal(size=40), 5)
    independent = bootstrap_interval(mean_of(x), np.arange(200), rng)
    clustered = bootstrap_interval(mean_of(x), np.repeat(np.arange(40), 5), rng)
    ratio = (clustered.high - clustered.low) / (independent.high - independent.low)
    assert ratio == pytest.approx(np.sqrt(5), rel=0.15)


def test_means_of_columns_equal_the_mean_of_each_column_on_the_same_resamples():
    columns = np.random.default_rng(0).normal(size=(40, 2))
    together = bootstrap_means(columns, np.arange(40), np.random.default_rng(1), 20)
    for k in (0, 1):
        alone = bootstrap_replicates(
            mean_of(columns[:, k]), np.arange(40), np.random.default_rng(1), 20
        )
        assert together[:, k] == pytest.approx(alone)


def test_undefined_replicates_are_left_out():
    interval = percentile_interval(0.5, np.array([np.nan, 0.4, 0.6]))
    assert 0.4 <= interval.low < interval.high <= 0.6
    assert np.isnan(percentile_interval(np.nan, np.full(3, np.nan)).low)
    assert np.isnan(paired_difference(np.nan, np.full(3, np.nan), np.ones(3)).p)


def test_a_difference_of_zero_is_significant_in_about_5_percent_of_samples():
    rng = np.random.default_rng(3)
    samples, n, significant = 400, 80, 0
    for _ in range(samples):
        shared = rng.normal(size=n)
        a, b = shared + rng.normal(size=n), shared + rng.normal(size=n)
        weights = np.concatenate(list(resample_weights(np.arange(n), 400, rng)))
        test = paired_difference(a.mean() - b.mean(), mean_of(a)(weights), mean_of(b)(weights))
        significant += test.p < 0.05
    assert 0.02 <= significant / samples <= 0.085


@given(st.integers(0, 2**31), st.integers(-2, 2))
def test_p_is_under_5_percent_exactly_if_the_interval_excludes_zero(seed, shift):
    rng = np.random.default_rng(seed)
    difference = rng.normal(shift, 1.0, 999)
    test = paired_difference(float(shift), difference, np.zeros(999))
    if test.p < 0.045:
        assert test.low > 0 or test.high < 0
    if test.p > 0.055:
        assert test.low < 0 < test.high


def test_equal_models_have_no_difference():
    equal = np.random.default_rng(0).normal(size=100)
    test = paired_difference(0.0, equal, equal)
    assert (test.value, test.low, test.high, test.p) == (0.0, 0.0, 0.0, 1.0)


def test_unit_weights_give_the_plain_mean():
    assert mean_of(np.array([1.0, 2.0, 6.0]))(unit_weights(3))[0] == 3.0


def test_a_widened_interval_keeps_its_estimate_and_moves_both_limits():
    assert widen_interval(Interval(1.0, 0.0, 3.0), 2.0) == Interval(1.0, -1.0, 5.0)


@pytest.mark.parametrize(("successes", "n"), [(0, 5), (3, 10), (50, 60), (7, 7)])
def test_wilson_interval_equals_scipys(successes, n):
    theirs = binomtest(successes, n).proportion_ci(method="wilson")
    assert wilson_interval(successes, n) == pytest.approx((theirs.low, theirs.high), abs=1e-6)


def test_simultaneous_intervals_are_wider_and_leave_out_what_is_undefined():
    rng = np.random.default_rng(0)
    draws = rng.normal(2.2, 1.0, (4000, 5))
    alone = simultaneous_differences(np.array([2.2]), draws[:, :1])[0]
    together = simultaneous_differences(np.full(5, 2.2), draws)
    assert alone.high - 2.2 == pytest.approx(1.96, rel=0.05)
    assert together[0].high - 2.2 == pytest.approx(2.57, rel=0.05)  # max |t| of 5 independent ones
    draws[:, 1] = np.nan
    draws[:100, 2] = np.nan
    values = np.array([2.2, np.nan, 2.2, 2.2, 2.2])
    first, undefined, partly, *_ = simultaneous_differences(values, draws)
    assert np.isnan([undefined.low, undefined.high, undefined.p]).all()
    assert first.low < partly.value < first.high


def test_simultaneous_p_agrees_with_the_interval():
    rng = np.random.default_rng(1)
    draws = rng.normal(size=(2000, 3))
    for value in np.linspace(2.0, 3.0, 11):
        shift = np.array([value, 0.0, 0.0])
        (first, *_) = simultaneous_differences(shift, draws + shift)
        assert (first.low > 0) == (first.p <= 0.05 + 1 / 2001)


def test_the_jackknife_of_a_mean_over_equal_sites_is_the_t_interval_of_their_means():
    x = np.random.default_rng(0).normal(size=(6, 10))
    site = np.repeat(np.arange(6), 10)
    without_one = mean_of(x.ravel())(leave_one_out_weights(site))
    found = jackknife_difference(float(x.mean()), without_one)
    theirs = ttest_1samp(x.mean(axis=1), 0.0)
    limits = theirs.confidence_interval()
    assert (found.low, found.high, found.p) == pytest.approx((*limits, theirs.pvalue))


def test_one_site_has_no_interval():
    found = jackknife_difference(0.5, np.array([np.nan]))
    assert np.isnan([found.low, found.high, found.p]).all()
