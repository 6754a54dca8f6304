from dataclasses import replace

import numpy as np

from posology.causal.missing_outcomes import (
    complete_outcomes,
    complete_trial,
    with_completed_outcomes,
)
from posology.causal.outcome_regression import fit_outcome_regression
from posology.causal.trial import FollowUp, Trial, assign_folds
from tests.builders.followed_trials import left_by_the_ill, rarely_measured, stopped_early

RNG = np.random.default_rng


def sick_are_lost(n: int, seed: int) -> tuple[Trial, np.ndarray]:
    """Nobody knows when: the mean of those who stayed is too high by about 0.3."""
    rng = RNG(seed)
    x, t = rng.normal(size=(n, 2)), rng.integers(0, 2, n)
    outcome = x[:, 0] + 0.5 * t + rng.normal(0, 0.5, n)
    stays = rng.random(n) < 1 / (1 + np.exp(-(0.5 + 1.2 * x[:, 0])))
    follow_up = FollowUp(stays.astype(float), stays, stays, np.zeros(n, bool))
    hidden = np.where(stays, outcome, 9e9)
    return Trial(x, t, hidden, np.arange(n), 2, (), follow_up), outcome


def arm_errors(trial: Trial, truth: np.ndarray) -> np.ndarray:
    """Of each arm's mean completed outcome, against the full outcomes of the same patients."""
    completed = complete_trial(trial, RNG(0)).outcome
    arms = [trial.treatment == k for k in (0, 1)]
    return np.array([completed[mine].mean() - truth[mine].mean() for mine in arms])


def test_completed_outcomes_average_to_the_full_outcomes() -> None:
    trial, truth = sick_are_lost(2000, 0)
    known = trial.follow_up.is_known
    assert truth[known].mean() - truth.mean() > 0.25
    np.testing.assert_allclose(arm_errors(trial, truth), 0.0, atol=0.09)


def test_a_stop_makes_nothing_known_too_early() -> None:
    """By the probability that the outcome is known, the arm left more comes out .058 too low."""
    trial, truth = stopped_early(3000, 1)
    left_more, other = arm_errors(trial, truth)
    assert abs(left_more - other) < 0.015
    assert abs(left_more) < 0.015


def test_restricted_times_where_the_ill_leave_one_option() -> None:
    """Kaplan-Meier pseudo-values say 34 to 38 days too many for the option that the ill leave."""
    trial, truth = left_by_the_ill(3000, 0)
    known, b = trial.follow_up.is_known, trial.treatment == 1
    assert abs(trial.outcome[b & known].mean() - truth[b].mean()) > 5
    np.testing.assert_allclose(arm_errors(trial, truth), 0.0, atol=5.0)


def test_numbers_that_were_not_measured() -> None:
    trial, truth = rarely_measured(3000, 1)
    known, b = trial.follow_up.is_known, trial.treatment == 1
    assert abs(trial.outcome[b & known].mean() - truth[b].mean()) > 0.05
    np.testing.assert_allclose(arm_errors(trial, truth), 0.0, atol=0.035)


def test_unobserved_outcomes_are_not_read() -> None:
    trial, _ = stopped_early(200, 1)
    other = replace(trial, outcome=np.where(trial.follow_up.is_known, trial.outcome, -7.0))
    first, second = (complete_trial(t, RNG(3)) for t in (trial, other))
    np.testing.assert_array_equal(first.outcome, second.outcome)
    assert first.follow_up is None


def test_fully_observed_outcomes_are_unchanged() -> None:
    trial, truth = stopped_early(50, 2)
    everyone = np.ones(50, bool)
    follow_up = FollowUp(trial.follow_up.days, everyone, everyone, ~everyone)
    known = replace(trial, outcome=truth, follow_up=follow_up)
    assert complete_outcomes(known, assign_folds(known, RNG(0))) is None
    assert complete_trial(known, RNG(0)).outcome is truth


def test_a_fold_s_outcomes_move_no_other_patient_s() -> None:
    """Before, moving the judged fold by 3 moved the others' completed outcomes by up to .38."""
    trial, _ = stopped_early(300, 3)
    fold = assign_folds(trial, RNG(0))
    moved = replace(trial, outcome=np.where(fold == 2, trial.outcome + 3, trial.outcome))
    first, second = complete_outcomes(trial, fold), complete_outcomes(moved, fold)
    assert first is not None
    assert second is not None
    before, after = first.outcome[2], second.outcome[2]
    np.testing.assert_array_equal(before[fold != 2], after[fold != 2])
    assert np.abs(before[fold == 2] - after[fold == 2]).max() > 1
    regressions = [
        fit_outcome_regression(with_completed_outcomes(t, fold, y), fold, y)
        for t, y in ((trial, first), (moved, second))
    ]
    trees = [regression.boosted_mean for regression in regressions]
    np.testing.assert_array_equal(trees[0][fold == 2], trees[1][fold == 2])
    assert not np.allclose(trees[0][fold != 2], trees[1][fold != 2])


def test_the_trees_that_correct_outcomes_are_the_expectations_under_each_option() -> None:
    """Others, of the corrected outcomes, were fitted for that."""
    trial, _ = stopped_early(300, 3)
    fold = assign_folds(trial, RNG(0))
    completed = complete_outcomes(trial, fold)
    assert completed is not None
    known = with_completed_outcomes(trial, fold, completed)
    boosted = fit_outcome_regression(known, fold, completed).boosted_mean
    np.testing.assert_array_equal(boosted, completed.expected[fold, np.arange(300)])
    assert np.ptp(boosted, axis=1).max() > 0
