import numpy as np
import pytest

from posology.causal.missing_outcomes import adjust_missing_outcomes
from posology.causal.trial import Trial


def drawn(n: int, seed: int):
    """The sick are lost: the mean of those who stayed is too high by about 0.3."""
    rng = np.random.default_rng(seed)
    x, t = rng.normal(size=(n, 2)), rng.integers(0, 2, n)
    outcome = x[:, 0] + 0.5 * t + rng.normal(0, 0.5, n)
    stays = rng.random(n) < 1 / (1 + np.exp(-(0.5 + 1.2 * x[:, 0])))
    return Trial(x, t, outcome, np.arange(n), 2), stays


def test_adjusted_outcomes_average_to_the_full_outcomes() -> None:
    trial, stays = drawn(4000, 0)
    assert trial.outcome[stays].mean() - trial.outcome.mean() > 0.25
    made = adjust_missing_outcomes(trial, stays, np.random.default_rng(0))
    assert made.mean() == pytest.approx(trial.outcome.mean(), abs=0.06)
    for k in (0, 1):
        mine = trial.treatment == k
        assert made[mine].mean() == pytest.approx(trial.outcome[mine].mean(), abs=0.09)


def test_unobserved_outcomes_are_not_read() -> None:
    trial, stays = drawn(300, 1)
    hidden = Trial(
        trial.covariates, trial.treatment, np.where(stays, trial.outcome, 9e9), trial.subject, 2
    )
    first = adjust_missing_outcomes(trial, stays, np.random.default_rng(3))
    np.testing.assert_array_equal(
        first, adjust_missing_outcomes(hidden, stays, np.random.default_rng(3))
    )


def test_fully_observed_outcomes_are_unchanged() -> None:
    trial, _ = drawn(50, 2)
    assert (
        adjust_missing_outcomes(trial, np.ones(50, bool), np.random.default_rng(0)) is trial.outcome
    )
