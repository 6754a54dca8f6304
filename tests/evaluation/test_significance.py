import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from posology.evaluation.significance import holm_adjust, mcnemar_p_value


@given(st.integers(0, 25), st.integers(0, 25), st.integers(0, 5))
def test_mcnemar_equals_the_binomial_test_of_the_discordant_decisions(wins, losses, both):
    first = np.array([True] * wins + [False] * losses + [True] * both, bool)
    second = np.array([False] * wins + [True] * losses + [True] * both, bool)
    exact = binomtest(wins, wins + losses).pvalue if wins + losses else 1.0
    assert mcnemar_p_value(first, second, mid_p=False) == pytest.approx(exact)
    mid = mcnemar_p_value(first, second)
    assert mid <= exact + 1e-12
    if wins != losses:
        halved = exact - binom.pmf(min(wins, losses), wins + losses, 0.5)
        assert mid == pytest.approx(halved)


def test_mcnemar_rejects_a_true_null_hypothesis_in_about_5_percent():
    rng = np.random.default_rng(4)
    rejected = [mcnemar_p_value(*(rng.random((2, 200)) < 0.7)) < 0.05 for _ in range(2000)]
    assert 0.035 <= np.mean(rejected) <= 0.06


@given(st.lists(st.floats(0, 1), min_size=0, max_size=12))
def test_holm_equals_its_definition(p):
    order = sorted(range(len(p)), key=lambda i: p[i])
    by_hand = [0.0] * len(p)
    for rank, i in enumerate(order):
        by_hand[i] = min(1.0, max((len(p) - r) * p[order[r]] for r in range(rank + 1)))
    assert holm_adjust(p) == pytest.approx(tuple(by_hand))


def test_holm_equals_statsmodels():
    pytest.importorskip("statsmodels", reason="statsmodels is not installed")
    from statsmodels.stats.multitest import multipletests

    p = [0.01, 0.04, 0.03, 0.005, 0.5, 0.03]
    assert holm_adjust(p) == pytest.approx(tuple(multipletests(p, method="holm")[1]))


def test_holm_does_not_count_nan():
    corrected = holm_adjust([0.02, float("nan"), 0.03])
    assert corrected[0] == pytest.approx(0.04)
    assert np.isnan(corrected[1])
