import numpy as np
import pytest

from posology.causal.boosted_trees import MAX_BINS, bin_columns
from posology.causal.censoring import (
    cumulative_hazard,
    fit_censoring,
    pool_follow_up,
    with_inputs,
)
from posology.causal.left_out import LeftOut
from posology.causal.trial import FollowUp, Trial, assign_folds
from tests.builders.followed_trials import left_by_the_ill


def test_with_equal_ratios_the_survival_is_kaplan_and_meier_s() -> None:
    days = np.array([1.0, 2.0, 2.0, 2.0, 3.0, 4.0])
    censored = np.array([True, True, True, False, False, True])
    times, hazard = cumulative_hazard(days, censored, np.ones(6))
    np.testing.assert_array_equal(times, [1.0, 2.0, 4.0])
    # resolved on day 2: no longer at risk of censoring on it; the last one is censored alone
    np.testing.assert_allclose(np.exp(-hazard[:3]), [1.0, 5 / 6, 5 / 6 * 2 / 4])
    assert 0 < np.exp(-hazard[3]) <= 5 / 6 * 2 / 4 / 2


def test_who_leaves_is_learned_for_each_option() -> None:
    trial, _ = left_by_the_ill(2500, 0)
    assert trial.follow_up is not None
    fold = assign_folds(trial, np.random.default_rng(0))
    model = fit_censoring(with_inputs(trial, trial.follow_up), LeftOut(fold))[0]
    x, b = trial.covariates[:, 0], trial.treatment == 1
    ratio = np.log(model.hazard_ratio)
    assert np.polyfit(x[b], ratio[b], 1)[0] == pytest.approx(1.5, abs=0.25)
    assert np.polyfit(x[~b], ratio[~b], 1)[0] == pytest.approx(0.0, abs=0.25)
    days = np.full(len(x), 100.0)
    followed = 1 / model.inverse_probability(trial.treatment, days, days < 0)
    moderate = b & (np.abs(x) < 1)
    truth = np.exp(-99 * np.exp(1.5 * x) / 250)
    np.testing.assert_allclose(followed[moderate], truth[moderate], atol=0.1)


def test_bins_keep_the_order_and_what_is_missing() -> None:
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.normal(size=2000), rng.integers(0, 3, 2000)]).astype(float)
    X[:5, 0] = np.nan
    binned = bin_columns(X)
    np.testing.assert_array_equal(binned[:, 1], X[:, 1])
    np.testing.assert_array_equal(np.isnan(binned), np.isnan(X))
    known = binned[5:, 0]
    assert len(np.unique(known)) == MAX_BINS
    assert (np.diff(known[np.argsort(X[5:, 0])]) >= -1e-12).all()
    assert np.abs(known - X[5:, 0]).mean() < 0.03


def test_who_had_one_outcome_is_still_seen_to_leave() -> None:
    """Three patients; the second outcome tells that the first left, and the third stayed longer."""
    first = np.array([True, False, True])
    second = np.array([False, False, True])
    nobody = np.zeros(3, bool)
    pooled = pool_follow_up(
        [
            FollowUp(np.array([20.0, 50.0, 90.0]), first, first, nobody),
            FollowUp(np.array([80.0, 50.0, 365.0]), second, second, nobody),
        ]
    )
    np.testing.assert_array_equal(pooled.days, [80.0, 50.0, 365.0])
    np.testing.assert_array_equal(pooled.is_resolved, [False, False, True])


def test_trees_do_not_learn_by_heart_who_was_censored() -> None:
    """Third and fourth decisions are cut by the study's end, first and second never; in every
    group, known outcomes over the probability to be followed stand for all decisions."""
    rng = np.random.default_rng(0)
    n, options = 1600, 8
    number = rng.integers(1, 5, n)
    X = np.column_stack([number, rng.normal(size=(n, 3))])
    event = np.minimum(rng.exponential(300, n), 180)
    end = np.where(number > 2, rng.uniform(0, 400, n), np.inf)
    resolved = event < end
    follow_up = FollowUp(np.minimum(event, end), resolved, resolved, np.zeros(n, bool))
    trial = Trial(X, rng.integers(0, options, n), event, np.arange(n), options, (), follow_up)
    fold = assign_folds(trial, rng)
    weight = np.zeros(n)
    for f, model in fit_censoring(with_inputs(trial, follow_up), LeftOut(fold)).items():
        inverse = model.inverse_probability(trial.treatment, follow_up.days, resolved)
        weight[fold == f] = (inverse * resolved)[fold == f]
    for group in (number <= 2, number > 2):
        assert weight[group].mean() == pytest.approx(1.0, abs=0.15)
