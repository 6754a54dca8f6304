from dataclasses import replace

import numpy as np
import pytest

from posology.causal.doubly_robust_scores import Nuisance
from posology.causal.outcome_regression import OutcomeRegression
from posology.causal.propensity import known_propensity
from posology.causal.trial import Trial
from posology.evaluation.effects.policy_values import estimate_gain
from posology.evaluation.effects.sensitivity import (
    approximate_risk_ratio,
    e_value,
    e_value_limit,
    interval_tipping_gamma,
    plausible_gamma,
    sensitivity_bounds,
    tipping_gamma,
)
from tests.builders.known_effects import draw_nuisance

ROWS = np.arange(400)
FLAT = np.zeros((400, 2))


def test_e_values_equal_the_published_ones() -> None:
    """Risk ratio 3.9 (1.8, 8.7): 7.26 and 3.0 (VanderWeele and Ding 2017, their example)."""
    assert e_value(3.9) == pytest.approx(7.26, abs=0.01)
    assert e_value_limit(1.8, 8.7) == pytest.approx(3.0, abs=0.01)
    assert e_value(1 / 3.9) == pytest.approx(e_value(3.9))
    assert e_value_limit(0.8, 1.3) == 1.0
    assert e_value_limit(0.2, 0.5) == pytest.approx(e_value(2.0))
    assert approximate_risk_ratio(0.5, 1.0) == pytest.approx(np.exp(0.455))
    assert approximate_risk_ratio(0.0, 0.0) == 1.0, "an outcome that is the same for all"


def test_bounds_are_equal_at_gamma_one_and_widen_with_gamma() -> None:
    nuisance, _ = draw_nuisance("obs", 600, 0)
    chosen = (nuisance.trial.covariates[:, 0] > 0).astype(np.int64)
    rng = np.random.default_rng(0)
    bounds = [sensitivity_bounds(nuisance, chosen, 1, gamma, rng) for gamma in (1.0, 1.5, 3.0)]
    assert bounds[0].low == pytest.approx(bounds[0].high)
    lows, highs = [b.low for b in bounds], [b.high for b in bounds]
    assert lows == sorted(lows, reverse=True)
    assert highs == sorted(highs)
    for b in bounds:
        assert b.interval_low < b.low <= b.high < b.interval_high


def test_no_allowed_weights_exceed_the_bounds() -> None:
    nuisance, _ = draw_nuisance("obs", 60, 1)
    n, gamma = 60, 2.0
    chosen, rng = np.ones(n, np.int64), np.random.default_rng(1)
    bounds = sensitivity_bounds(nuisance, chosen, 0, gamma, rng)
    trial, mean = nuisance.trial, nuisance.outcome_regression.mean
    chance = nuisance.propensity.probability[np.arange(n), trial.treatment]
    residual = trial.outcome - mean[np.arange(n), trial.treatment]
    reached = []
    for _ in range(4000):
        change = np.exp(rng.choice([-1, 1], n) * np.log(gamma))
        weight = 1 + change * (1 / chance - 1)
        arms = [
            np.average(residual[trial.treatment == k], weights=weight[trial.treatment == k])
            for k in (0, 1)
        ]
        reached.append((mean[:, 1] - mean[:, 0]).mean() + arms[1] - arms[0])
    assert bounds.low <= min(reached)
    assert max(reached) <= bounds.high
    assert max(reached) - min(reached) > 0.4 * (bounds.high - bounds.low)


def test_a_rule_equal_to_the_single_option_has_bounds_of_zero() -> None:
    nuisance, _ = draw_nuisance("obs", 100, 2)
    same = np.ones(100, np.int64)
    bounds = sensitivity_bounds(nuisance, same, 1, 5.0, np.random.default_rng(0))
    assert (bounds.low, bounds.high, bounds.interval_low, bounds.interval_high) == (0, 0, 0, 0)
    assert tipping_gamma(nuisance, same, 1) == 1.0


def test_the_tipping_gamma_is_where_the_lower_bound_is_zero() -> None:
    nuisance, truth = draw_nuisance("rct", 2000, 3)
    chosen = truth.expected.argmax(axis=1)
    gamma = tipping_gamma(nuisance, chosen, 1)
    rng = np.random.default_rng(0)
    assert 1.2 < gamma < 20
    assert sensitivity_bounds(nuisance, chosen, 1, gamma * 0.98, rng).low > 0
    assert sensitivity_bounds(nuisance, chosen, 1, gamma * 1.03, rng).low < 0
    assert tipping_gamma(nuisance, 1 - chosen, 1) == 1.0, "a harmful rule has nothing to lose"


def test_the_interval_reaches_zero_before_the_estimate_does() -> None:
    nuisance, truth = draw_nuisance("rct", 1000, 3)
    chosen, rng = truth.expected.argmax(axis=1), np.random.default_rng(0)
    gain = estimate_gain(nuisance, chosen, 1, rng)
    gamma = interval_tipping_gamma(nuisance, chosen, 1, gain, rng)
    assert 1.05 < gamma < 0.95 * tipping_gamma(nuisance, chosen, 1)
    bounds = sensitivity_bounds(nuisance, chosen, 1, gamma, np.random.default_rng(1))
    assert bounds.interval_low == pytest.approx(0, abs=0.02)
    assert bounds.low > 0.02
    loss = estimate_gain(nuisance, 1 - chosen, 1, rng)
    assert interval_tipping_gamma(nuisance, 1 - chosen, 1, loss, rng) == 1.0


def test_gamma_goes_to_one_with_the_limit_of_the_reported_interval() -> None:
    nuisance, truth = draw_nuisance("rct", 1000, 3)
    chosen = truth.expected.argmax(axis=1)
    gain = estimate_gain(nuisance, chosen, 1, np.random.default_rng(0))
    gammas = []
    for low in (gain.low, gain.low / 2, 1e-9, -1e-9):
        wider = replace(gain, low=low)
        rng = np.random.default_rng(0)
        gammas.append(interval_tipping_gamma(nuisance, chosen, 1, wider, rng))
    assert gammas[0] > gammas[1] > 1.02
    assert gammas[2] < 1.02
    assert gammas[3] == 1.0


def test_without_an_effect_gamma_is_one_unless_the_interval_errs() -> None:
    """The option that happens to look better, of two alike, in 40 trials of noise; the estimate's
    Gamma is above 1 in nearly all."""
    of_estimate, is_shown, of_interval = [], [], []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        trial = Trial(np.zeros((400, 1)), rng.integers(0, 2, 400), rng.normal(size=400), ROWS, 2)
        regression = OutcomeRegression(FLAT, FLAT, (0.0, 0.0), np.zeros((5, 400, 2)))
        nuisance = Nuisance(trial, ROWS % 5, known_propensity(FLAT + 0.5), regression)
        better = int(nuisance.scores.mean(axis=0).argmax())
        for_all = np.full(400, better)
        gain = estimate_gain(nuisance, for_all, 1 - better, rng)
        is_shown.append(gain.low > 0)
        of_estimate.append(tipping_gamma(nuisance, for_all, 1 - better))
        of_interval.append(interval_tipping_gamma(nuisance, for_all, 1 - better, gain, rng))
    assert (np.array(of_estimate) > 1).mean() > 0.8
    assert np.mean(is_shown) <= 0.15
    assert (np.array(of_interval)[~np.array(is_shown)] == 1).all()


def test_the_true_effect_is_inside_the_bounds_of_the_true_gamma() -> None:
    """A confounder of 1.2 in log-odds per standard deviation; 20 draws."""
    gamma, held, naive = plausible_gamma(1.2), [], []
    assert gamma == pytest.approx(10.5, abs=0.05)
    for seed in range(20):
        nuisance, truth = draw_nuisance("obs_hidden", 500, 50 + seed)
        treat_all = np.ones(500, np.int64)
        bounds = sensitivity_bounds(nuisance, treat_all, 0, gamma, np.random.default_rng(seed))
        tau = (truth.expected[:, 1] - truth.expected[:, 0]).mean()
        held.append(bounds.interval_low <= tau <= bounds.interval_high)
        naive.append(bounds.interval_low > bounds.interval_high)
    assert np.mean(held) >= 0.95
    assert not any(naive)
