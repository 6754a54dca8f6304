import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from posology.evaluation import classification as ours

K = 4


def draw(seed: int, n: int, ties: bool):
    rng = np.random.default_rng(seed)
    scores = rng.dirichlet(np.ones(K), n)
    if ties:
        scores = np.round(scores, 1)
    best = rng.integers(-1, K, n).astype(np.int32)
    best[:K] = np.arange(K)  # each option is best for somebody
    return scores, best


samples = st.builds(draw, st.integers(0, 2**31), st.integers(6, 60), st.booleans())


@given(samples)
def test_the_five_figures_equal_scikit_learns(sample):
    scores, best = sample
    known = best >= 0
    truth, named = best[known], scores[known].argmax(axis=1)
    macro = {"average": "macro", "zero_division": 0}
    assert ours.accuracy(scores, best)[0] == pytest.approx(metrics.accuracy_score(truth, named))
    assert ours.precision(scores, best)[0] == pytest.approx(
        metrics.precision_score(truth, named, **macro)
    )
    assert ours.recall(scores, best)[0] == pytest.approx(
        metrics.recall_score(truth, named, **macro)
    )
    assert ours.f1(scores, best)[0] == pytest.approx(metrics.f1_score(truth, named, **macro))
    one_vs_rest = [metrics.roc_auc_score(truth == k, scores[known, k]) for k in range(K)]
    assert ours.auc(scores, best)[0] == pytest.approx(np.mean(one_vs_rest))
    assert np.array_equal(
        ours.confusion_matrix(scores, best), metrics.confusion_matrix(truth, named)
    )


@given(samples, st.integers(0, 2**31))
def test_a_weight_of_two_is_the_row_written_twice(sample, seed):
    scores, best = sample
    counts = np.random.default_rng(seed).integers(1, 4, len(best))
    row = np.repeat(np.arange(len(best)), counts)
    weights = counts[None, :].astype(float)
    for score in (ours.accuracy, ours.precision, ours.recall, ours.f1, ours.auc):
        repeated = score(scores[row], best[row])
        assert score(scores, best, weights) == pytest.approx(repeated)


def test_each_row_of_weights_is_a_replicate_of_its_own():
    scores, best = draw(1, 40, True)
    weights = np.random.default_rng(2).integers(0, 3, (5, 40)).astype(float)
    for score in (ours.accuracy, ours.precision, ours.recall, ours.f1, ours.auc):
        one_by_one = [score(scores, best, weights[i : i + 1])[0] for i in range(5)]
        assert score(scores, best, weights) == pytest.approx(one_by_one)


def test_an_option_that_is_best_for_nobody_is_not_averaged():
    scores = np.array([[0.9, 0.1, 0.0], [0.1, 0.9, 0.0], [0.0, 0.1, 0.9]])
    best = np.array([0, 1, 1], np.int32)
    assert ours.recall(scores, best)[0] == pytest.approx((1 + 0.5) / 2)
    assert ours.precision(scores, best)[0] == 1.0


def test_what_is_not_known_is_nan():
    nobody = np.full(3, -1, np.int32)
    for score in (ours.accuracy, ours.precision, ours.recall, ours.f1, ours.auc):
        assert np.isnan(score(np.ones((3, 2)), nobody)).all()
    assert ours.roc_curves(np.ones((3, 2)), nobody) == ()
    alike = np.zeros(3, np.int32)
    assert np.isnan(ours.auc(np.ones((3, 2)), alike)).all()
    assert ours.roc_curves(np.ones((3, 2)), alike) == ()


@given(samples)
def test_the_area_under_each_curve_is_its_auc(sample):
    curves = ours.roc_curves(*sample)
    for curve in curves:
        area = np.trapezoid(curve.true_positive_rate, curve.false_positive_rate)
        assert area == pytest.approx(curve.auc)
    assert np.mean([c.auc for c in curves]) == pytest.approx(ours.auc(*sample)[0])


def test_the_truth_itself_has_an_auc_of_1_by_its_lead_and_not_by_its_probability() -> None:
    # Ill patients have low chances whatever they take; the second option is best for both.
    truth = np.array([[0.1, 0.2], [0.8, 0.9], [0.6, 0.5], [0.3, 0.25]])
    best = truth.argmax(axis=1).astype(np.int32)
    assert ours.auc(truth, best)[0] < 0.8
    assert ours.auc(ours.log_odds_margin(truth), best)[0] == 1.0


def test_a_lead_is_over_the_best_other_option() -> None:
    told = np.array([[0.5, 0.8, 0.2], [0.4, 0.4, 0.4]])
    four = np.log(4)  # odds 1, 4 and 1/4
    expected = [[-four, four, -2 * four], [0.0, 0.0, 0.0]]
    np.testing.assert_allclose(ours.log_odds_margin(told), expected, atol=1e-12)
