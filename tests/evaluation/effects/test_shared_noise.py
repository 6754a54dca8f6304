"""The interval of a cross-fitted rule's gain, with a rule cheap enough for hundreds of draws."""

import numpy as np
import pytest

from posology.causal.doubly_robust_scores import Nuisance
from posology.causal.heterogeneity import SHARED_NOISE_FACTOR
from posology.causal.outcome_regression import OutcomeRegression
from posology.causal.propensity import known_propensity
from posology.causal.trial import FOLDS, Trial
from posology.evaluation.effects.policy_values import estimate_gain, gain_per_patient
from posology.evaluation.effects.shared_noise import (
    Rule,
    gain_error_factor,
    shared_noise_factor,
)
from posology.evaluation.intervals import Z_95

N, COVARIATES = 400, 6


def draw(slope: float, rng: np.random.Generator) -> tuple[Nuisance, np.ndarray]:
    """A trial of two options whose effect is slope times x0, with true nuisances; its effects."""
    x, given = rng.normal(size=(N, COVARIATES)), rng.integers(0, 2, N)
    effect = slope * x[:, 0]
    mean = np.column_stack([np.zeros(N), effect])
    outcome = mean[np.arange(N), given] + rng.normal(size=N)
    regression = OutcomeRegression(mean, mean, (1.0, 0.0), np.tile(mean, (FOLDS, 1, 1)))
    trial = Trial(x, given, outcome, np.arange(N), 2)
    half = known_propensity(np.full((N, 2), 0.5))
    return Nuisance(trial, np.arange(N) % FOLDS, half, regression), effect


def learn(nuisance: Nuisance, rng: np.random.Generator) -> Rule:
    """A ridge regression of the outcome residuals on four folds chooses for the fifth."""
    trial, fold = nuisance.trial, rng.permutation(N) % FOLDS
    columns = np.column_stack([np.ones(N), trial.covariates])
    design = columns * nuisance.treatment_residual[:, [1]]
    chosen, best_single = np.zeros(N, np.int64), np.zeros(N, np.int64)
    for f in range(FOLDS):
        rest, here = fold != f, fold == f
        gram = design[rest].T @ design[rest] + 10 * np.eye(design.shape[1])
        slopes = np.linalg.solve(gram, design[rest].T @ nuisance.outcome_residual[rest])
        chosen[here] = columns[here] @ slopes > 0
        best_single[here] = nuisance.scores[rest].mean(axis=0).argmax()
    return chosen, best_single


def coverage(slope: float, draws: int) -> tuple[float, float]:
    """Share of intervals that hold the true gain: with the factor, and without it."""
    rng, held = np.random.default_rng(7), []
    for _ in range(draws):
        nuisance, effect = draw(slope, rng)
        rule, again = learn(nuisance, rng), learn(nuisance, rng)
        everyone = np.ones(N, dtype=bool)
        factor = gain_error_factor(nuisance, rule, [again], everyone)
        gained = gain_per_patient(nuisance.scores, *rule)
        off = abs(gained.mean() - (effect * (rule[0] - rule[1])).mean())
        error = Z_95 * gained.std() / np.sqrt(N)
        held.append([off <= factor * error, off <= error])
    with_factor, without = np.mean(held, axis=0)
    return float(with_factor), float(without)


def test_the_interval_of_the_gain_covers_where_nothing_works() -> None:
    """120 draws; .91 is two standard errors below .95."""
    with_factor, without = coverage(0.0, 120)
    assert without < 0.90, "as before: the folds share noise"
    assert with_factor >= 0.91


def test_the_interval_of_the_gain_is_widened_by_the_factor() -> None:
    nuisance, _ = draw(0.5, np.random.default_rng(1))
    rule = learn(nuisance, np.random.default_rng(1))
    before, after = (
        estimate_gain(nuisance, *rule, np.random.default_rng(2), error_factor=factor)
        for factor in (1.0, 1.3)
    )
    assert after.value == before.value
    assert after.high - after.value == pytest.approx(1.3 * (before.high - before.value))
    assert after.value - after.low == pytest.approx(1.3 * (before.value - before.low))
    assert after.p > before.p


def test_a_rule_that_always_decides_alike_shares_no_noise() -> None:
    rng = np.random.default_rng(0)
    nuisance, _ = draw(3.0, rng)
    rule, again = learn(nuisance, rng), learn(nuisance, rng)
    everyone = np.ones(N, dtype=bool)
    strong = gain_error_factor(nuisance, rule, [again], everyone)
    assert 1 <= strong < 1.1
    assert gain_error_factor(nuisance, rule, [rule], everyone) == 1
    assert gain_error_factor(nuisance, rule, [], everyone) == SHARED_NOISE_FACTOR
    assert gain_error_factor(nuisance, rule, None, everyone) == 1, "learned from other data"


def test_the_factor_counts_patients_and_is_limited() -> None:
    own, other = np.array([2.0, -1.0, 0.0, 1.0]), np.array([2.0, -1.0, 1.0, 1.0])
    each = shared_noise_factor(own, [other], np.arange(4))
    assert each == pytest.approx(np.sqrt(1 + 1 / 5))
    twice = shared_noise_factor(own.repeat(2), [other.repeat(2)], np.arange(4).repeat(2))
    assert twice == pytest.approx(each), "two decisions of a patient are one observation"
    assert shared_noise_factor(own, [-5 * own], np.arange(4)) == SHARED_NOISE_FACTOR
    assert shared_noise_factor(np.zeros(4), [other], np.arange(4)) == 1
