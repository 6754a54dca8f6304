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
    SHARED_PER_DISAGREEMENT,
    Rule,
    gain_error_factor,
    shared_noise_factor,
)
from posology.evaluation.intervals import Z_95

N, COVARIATES = 400, 6
PER_PAIR = SHARED_PER_DISAGREEMENT * 0.9
"""Of two runs, which share it in four of five cases and with themselves always."""


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


def simulate(slope: float, draws: int) -> np.ndarray:
    """Of each draw: whether the interval of the mean of two runs holds the true gain with the
    factor, and without it; the error of the mean, and of the first run."""
    rng, found = np.random.default_rng(7), []
    everyone = np.ones(N, dtype=bool)
    for _ in range(draws):
        nuisance, effect = draw(slope, rng)
        runs = [learn(nuisance, rng), learn(nuisance, rng)]
        factor = gain_error_factor(nuisance, runs, everyone)
        gained = [gain_per_patient(nuisance.scores, *run) for run in runs]
        off = [g - effect * (run[0] - run[1]) for g, run in zip(gained, runs, strict=True)]
        of_mean, of_first = float(np.mean(off)), float(off[0].mean())
        error = Z_95 * np.mean(gained, axis=0).std() / np.sqrt(N)
        found.append([abs(of_mean) <= factor * error, abs(of_mean) <= error, of_mean, of_first])
    return np.array(found)


def test_the_interval_of_the_gain_covers_where_nothing_works() -> None:
    """120 draws; .91 is two standard errors below .95."""
    found = simulate(0.0, 120)
    with_factor, without = found[:, :2].mean(axis=0)
    assert without < 0.90, "as before: the folds share noise"
    assert with_factor >= 0.91
    of_mean, of_first = found[:, 2:].std(axis=0)
    assert of_mean < 0.95 * of_first, "the mean of runs is more precise than one"


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
    strong = gain_error_factor(nuisance, [rule, again], everyone)
    assert 1 <= strong < 1.1
    assert gain_error_factor(nuisance, [rule, rule], everyone) == 1
    assert gain_error_factor(nuisance, [rule], everyone) == SHARED_NOISE_FACTOR


def test_the_factor_counts_patients_and_is_limited() -> None:
    own, other = np.array([2.0, -1.0, 0.0, 1.0]), np.array([2.0, -1.0, 1.0, 1.0])
    mean, subject = (own + other) / 2, np.arange(4)
    assert shared_noise_factor(own, [own, other], subject) == pytest.approx(
        np.sqrt(1 + PER_PAIR / 5)
    )
    of_mean = shared_noise_factor(mean, [own, other], subject)
    assert of_mean == pytest.approx(np.sqrt(1 + PER_PAIR / 4.6875)), (
        "squared deviations of the mean"
    )
    twice = [x.repeat(2) for x in (mean, own, other)]
    again = shared_noise_factor(twice[0], twice[1:], subject.repeat(2))
    assert again == pytest.approx(of_mean), "two decisions of a patient are one observation"
    assert shared_noise_factor(np.zeros(4), [np.zeros(4), other], subject) == 1


def test_the_shared_variance_is_at_most_that_of_one_run() -> None:
    """The runs' squared deviations are 5; of their mean they are 2.5, as they are uncorrelated."""
    one, other = np.array([1.5, 0.5, -0.5, -1.5]), np.array([0.5, -1.5, 1.5, -0.5])
    factor = shared_noise_factor((one + other) / 2, [one, other], np.arange(4))
    assert PER_PAIR * ((one - other) ** 2).sum() > 5
    assert factor == pytest.approx(np.sqrt(1 + 5 / 2.5))


def test_the_gain_of_several_runs_is_the_mean_of_their_gains() -> None:
    nuisance, _ = draw(0.5, np.random.default_rng(1))
    runs = [learn(nuisance, np.random.default_rng(seed)) for seed in (1, 2)]
    chosen, single = (np.stack([run[part] for run in runs]) for part in (0, 1))
    together = estimate_gain(nuisance, chosen, single, np.random.default_rng(2))
    alone = [estimate_gain(nuisance, *run, np.random.default_rng(2)) for run in runs]
    assert alone[0].value != alone[1].value
    assert together.value == pytest.approx((alone[0].value + alone[1].value) / 2)
    assert together.high - together.low < max(each.high - each.low for each in alone)
