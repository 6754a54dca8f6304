from dataclasses import replace

import numpy as np
import pytest

from posology.causal.conditional_effects import conditional_effect_errors
from posology.causal.doubly_robust_scores import Nuisance
from posology.causal.outcome_regression import OutcomeRegression
from posology.causal.propensity import known_propensity
from posology.causal.trial import FOLDS, Trial
from posology.simulators.two_options import treatment_effect
from tests.builders.known_effects import draw_nuisance


def covered(nuisance: Nuisance, predicted: np.ndarray, true: np.ndarray, single: int = 0) -> float:
    error = conditional_effect_errors(nuisance, predicted, single, np.random.default_rng(0))
    error_size = np.abs(predicted - predicted[:, [single]] - (true - true[:, [single]]))
    others = [k for k in range(predicted.shape[1]) if k != single]
    return float((error_size <= 1.96 * error)[:, others].mean())


def roughly(true: np.ndarray, seed: int) -> np.ndarray:
    """Predicted effects: right on average, with a smooth error."""
    wave = np.random.default_rng(seed).normal(size=true.shape) * 0.25
    return true + wave


@pytest.mark.parametrize("scenario", ["rct", "obs"])
def test_intervals_cover_about_95_percent_of_patients(scenario: str) -> None:
    coverage = []
    for seed in range(4):
        nuisance, truth = draw_nuisance(scenario, 1000, seed)
        coverage.append(covered(nuisance, roughly(truth.expected, seed), truth.expected))
    assert 0.9 < np.mean(coverage) <= 1.0


def test_a_constant_effect_has_narrow_intervals_and_a_varying_one_wide_ones() -> None:
    widths = {}
    for scenario in ("null", "rct"):
        nuisance, truth = draw_nuisance(scenario, 1000, 1)
        predicted = np.tile(truth.expected.mean(axis=0), (1000, 1))
        error = conditional_effect_errors(nuisance, predicted, 0, np.random.default_rng(0))
        assert (error[:, 0] == 0).all()
        widths[scenario] = float(np.median(error[:, 1]))
    assert widths["null"] < 0.25
    assert widths["rct"] > 2 * widths["null"]


def test_interactions_of_covariates_widen_the_intervals() -> None:
    """Prediction: 0 for all. The truth is a product, which no additive basis can represent."""
    rng = np.random.default_rng(5)
    n = 2000
    x, t = rng.normal(size=(n, 5)), rng.integers(0, 2, n)
    tau = 1.5 * x[:, 0] * x[:, 1]
    outcome = t * tau + rng.normal(size=n)
    nuisance = of(Trial(x, t, outcome, np.arange(n), 2), np.zeros((n, 2)))
    error = conditional_effect_errors(nuisance, np.zeros((n, 2)), 0, rng)[:, 1]
    assert np.corrcoef(error, np.abs(tau))[0, 1] > 0.8
    assert (np.abs(tau) <= 1.96 * error).mean() > 0.9


def of(trial: Trial, mean: np.ndarray) -> Nuisance:
    n, options = len(trial), trial.n_options
    chance = known_propensity(np.full((n, options), 1 / options))
    outcomes = OutcomeRegression(mean, mean, (1.0, 0.0), np.tile(mean, (FOLDS, 1, 1)))
    return Nuisance(trial, np.arange(n) % FOLDS, chance, outcomes)


def test_four_options_are_compared_with_any_of_them() -> None:
    rng = np.random.default_rng(6)
    n = 1600
    x, t = rng.normal(size=(n, 6)), rng.integers(0, 4, n)
    nothing = np.zeros(n)
    expected = np.column_stack([nothing, 0.5 * x[:, 0], 0.3 + nothing, 0.8 * (x[:, 1] > 0)])
    outcome = expected[np.arange(n), t] + 0.5 * rng.normal(size=n)
    mean = np.repeat(expected.mean(axis=1, keepdims=True), 4, axis=1)
    nuisance = of(Trial(x, t, outcome, np.arange(n), 4), mean)
    for single in (0, 3):
        assert covered(nuisance, roughly(expected, 1), expected, single) > 0.9


def test_a_patients_own_outcome_does_not_change_its_error() -> None:
    nuisance, truth = draw_nuisance("rct", 600, 2)
    here = nuisance.fold == 3
    changed = np.where(here, nuisance.trial.outcome + 5, nuisance.trial.outcome)
    other = replace(nuisance, trial=replace(nuisance.trial, outcome=changed))
    before, after = (
        conditional_effect_errors(which, truth.expected, 0, np.random.default_rng(0))
        for which in (nuisance, other)
    )
    np.testing.assert_array_equal(before[here], after[here])
    assert (before[~here] != after[~here]).any()


def test_repeated_decisions_do_not_count_as_more_patients() -> None:
    nuisance, truth = draw_nuisance("rct", 500, 3)
    trial, outcomes = nuisance.trial, nuisance.outcome_regression
    twice = Nuisance(
        Trial(
            np.repeat(trial.covariates, 2, axis=0),
            np.repeat(trial.treatment, 2),
            np.repeat(trial.outcome, 2),
            np.repeat(trial.subject, 2),
            2,
        ),
        np.repeat(nuisance.fold, 2),
        known_propensity(np.repeat(nuisance.propensity.probability, 2, axis=0)),
        replace(
            outcomes,
            mean=np.repeat(outcomes.mean, 2, axis=0),
            boosted_mean=np.repeat(outcomes.boosted_mean, 2, axis=0),
            mean_by_fold=np.repeat(outcomes.mean_by_fold, 2, axis=1),
        ),
    )
    once_, both = (
        conditional_effect_errors(which, predicted, 0, np.random.default_rng(0))[:, 1].mean()
        for which, predicted in (
            (nuisance, truth.expected),
            (twice, np.repeat(truth.expected, 2, 0)),
        )
    )
    assert both > 0.9 * once_


def test_more_covariates_than_columns_leave_more_unknown() -> None:
    rng = np.random.default_rng(7)
    n = 400
    x, t = rng.normal(size=(n, 150)), rng.integers(0, 2, n)
    outcome = t * treatment_effect(x) + rng.normal(size=n)
    nuisance = of(Trial(x, t, outcome, np.arange(n), 2), np.zeros((n, 2)))
    error = conditional_effect_errors(nuisance, np.zeros((n, 2)), 0, rng)[:, 1]
    assert np.isfinite(error).all()
    assert (np.abs(treatment_effect(x)) <= 1.96 * error).mean() > 0.85
