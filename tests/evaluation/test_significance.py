import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from posology.evaluation import significance as sig
from posology.evaluation.classification import unit_weights, weighted_mean


def mean_of(x):
    return lambda weights: weighted_mean(x, np.ones(len(x), bool), weights)


def test_subjects_are_drawn_whole_and_as_many_as_there_are(rng):
    subject = np.array([7, 7, 7, 3, 3, 9], np.int64)
    drawn = np.concatenate(list(sig.resample_weights(subject, 50, rng)))
    assert drawn.shape == (50, 6)
    assert (drawn[:, 0] == drawn[:, 1]).all()
    assert (drawn[:, 3] == drawn[:, 4]).all()
    assert (drawn[:, [0, 3, 5]].sum(axis=1) == 3).all()


def test_blocks_of_any_size_hold_all_replicates(rng, monkeypatch):
    monkeypatch.setattr(sig, "_CELLS", 25)
    blocks = list(sig.resample_weights(np.arange(10), 7, rng))
    assert [len(b) for b in blocks] == [2, 2, 2, 1]


def test_same_generator_same_interval():
    x = np.random.default_rng(0).normal(size=50)
    spans = [
        sig.bootstrap_interval(mean_of(x), np.arange(50), np.random.default_rng(5))
        for _ in range(2)
    ]
    assert spans[0] == spans[1]


@pytest.mark.parametrize("way", ["percentile", "bca"])
def test_95_percent_intervals_hold_the_truth_in_about_95_percent_of_samples(way):
    rng = np.random.default_rng(1)
    samples, n, held = 400, 60, 0
    for _ in range(samples):
        x = rng.exponential(1.0, n)
        drawn = sig.bootstrap_replicates(mean_of(x), np.arange(n), rng, 400)
        if way == "percentile":
            span = sig.percentile_interval(x.mean(), drawn)
        else:
            span = sig.bca(mean_of(x), np.arange(n), drawn)
        held += span.low <= 1.0 <= span.high
    assert 0.90 <= held / samples <= 0.975  # skewed and small: a little under 95 % is known


def test_bca_equals_scipys(rng):
    from scipy.stats import bootstrap

    x = rng.exponential(1.0, 80)
    span = sig.bca(
        mean_of(x), np.arange(80), sig.bootstrap_replicates(mean_of(x), np.arange(80), rng, 9999)
    )
    theirs = bootstrap((x,), np.mean, method="BCa", n_resamples=9999, rng=rng).confidence_interval
    assert span.low == pytest.approx(theirs.low, abs=0.012)
    assert span.high == pytest.approx(theirs.high, abs=0.012)


def test_repeated_decisions_of_a_subject_widen_the_interval(rng):
    x = np.repeat(rng.normal(size=40), 5)
    apart = sig.bootstrap_interval(mean_of(x), np.arange(200), rng)
    together = sig.bootstrap_interval(mean_of(x), np.repeat(np.arange(40), 5), rng)
    ratio = (together.high - together.low) / (apart.high - apart.low)
    assert ratio == pytest.approx(np.sqrt(5), rel=0.15)


def test_undefined_replicates_are_left_out():
    span = sig.percentile_interval(0.5, np.array([np.nan, 0.4, 0.6]))
    assert 0.4 <= span.low < span.high <= 0.6
    assert np.isnan(sig.percentile_interval(np.nan, np.full(3, np.nan)).low)
    assert np.isnan(sig.paired_difference(np.nan, np.full(3, np.nan), np.ones(3)).p)


def test_a_paired_difference_that_is_nothing_is_found_in_about_5_percent():
    rng = np.random.default_rng(3)
    samples, n, found = 400, 80, 0
    for _ in range(samples):
        shared = rng.normal(size=n)
        a, b = shared + rng.normal(size=n), shared + rng.normal(size=n)
        drawn = np.concatenate(list(sig.resample_weights(np.arange(n), 400, rng)))
        test = sig.paired_difference(a.mean() - b.mean(), mean_of(a)(drawn), mean_of(b)(drawn))
        found += test.p < 0.05
    assert 0.02 <= found / samples <= 0.085


@given(st.integers(0, 2**31), st.integers(-2, 2))
def test_p_is_under_5_percent_exactly_where_the_interval_leaves_zero_out(seed, shift):
    rng = np.random.default_rng(seed)
    difference = rng.normal(shift, 1.0, 999)
    test = sig.paired_difference(float(shift), difference, np.zeros(999))
    if test.p < 0.045:
        assert test.low > 0 or test.high < 0
    if test.p > 0.055:
        assert test.low < 0 < test.high


def test_models_that_answer_alike_differ_by_nothing():
    alike = np.random.default_rng(0).normal(size=100)
    test = sig.paired_difference(0.0, alike, alike)
    assert (test.value, test.low, test.high, test.p) == (0.0, 0.0, 0.0, 1.0)


@given(st.integers(0, 25), st.integers(0, 25), st.integers(0, 5))
def test_mcnemar_is_the_binomial_test_of_the_decisions_that_differ(wins, losses, both):
    first = np.array([True] * wins + [False] * losses + [True] * both, bool)
    second = np.array([False] * wins + [True] * losses + [True] * both, bool)
    exact = binomtest(wins, wins + losses).pvalue if wins + losses else 1.0
    assert sig.mcnemar_p_value(first, second, mid_p=False) == pytest.approx(exact)
    mid = sig.mcnemar_p_value(first, second)
    assert mid <= exact + 1e-12
    if wins != losses:
        halved = exact - binom.pmf(min(wins, losses), wins + losses, 0.5)
        assert mid == pytest.approx(halved)


def test_mcnemar_finds_a_difference_that_is_nothing_in_about_5_percent():
    rng = np.random.default_rng(4)
    found = [sig.mcnemar_p_value(*(rng.random((2, 200)) < 0.7)) < 0.05 for _ in range(2000)]
    assert 0.035 <= np.mean(found) <= 0.06


@given(st.lists(st.floats(0, 1), min_size=0, max_size=12))
def test_holm_equals_statsmodels_or_its_definition(p):
    order = sorted(range(len(p)), key=lambda i: p[i])
    by_hand = [0.0] * len(p)
    for rank, i in enumerate(order):
        by_hand[i] = min(1.0, max((len(p) - r) * p[order[r]] for r in range(rank + 1)))
    assert sig.holm_adjust(p) == pytest.approx(tuple(by_hand))


def test_holm_equals_statsmodels():
    pytest.importorskip("statsmodels", reason="statsmodels is not installed")
    from statsmodels.stats.multitest import multipletests

    p = [0.01, 0.04, 0.03, 0.005, 0.5, 0.03]
    assert sig.holm_adjust(p) == pytest.approx(tuple(multipletests(p, method="holm")[1]))


def test_holm_leaves_what_was_not_tested_out_of_the_count():
    corrected = sig.holm_adjust([0.02, float("nan"), 0.03])
    assert corrected[0] == pytest.approx(0.04)
    assert np.isnan(corrected[1])


def test_one_replicate_of_ones_is_the_plain_mean():
    assert mean_of(np.array([1.0, 2.0, 6.0]))(unit_weights(3))[0] == 3.0
