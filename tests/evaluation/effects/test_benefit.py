import numpy as np
import pytest

from posology.evaluation.effects.benefit import (
    c_for_benefit,
    calibrate_benefit,
    cumulative_sum_test,
    decision_curve,
    rank_weighted_effects,
    secondary_outcomes,
)
from tests.builders.known_effects import draw_nuisance


def drawn(scenario: str, n: int, seed: int):
    nuisance, truth = draw_nuisance(scenario, n, seed)
    scores = nuisance.scores
    return nuisance, truth.expected[:, 1] - truth.expected[:, 0], scores[:, 1] - scores[:, 0]


def test_autoc_and_qini_equal_their_definitions(rng) -> None:
    predicted, benefit = rng.normal(size=50), rng.normal(size=50)
    order = np.argsort(-predicted)
    above = [benefit[order[: j + 1]].mean() - benefit.mean() for j in range(50)]
    result = rank_weighted_effects(predicted, benefit, np.arange(50), rng)
    assert result.autoc.value == pytest.approx(np.mean(above))
    assert result.qini.value == pytest.approx(np.mean([(j + 1) / 50 * above[j] for j in range(50)]))


def test_a_true_ranking_has_a_positive_autoc(rng) -> None:
    nuisance, tau, benefit = drawn("rct", 1500, 0)
    good = rank_weighted_effects(tau, benefit, nuisance.trial.subject, rng)
    assert good.autoc.low > 0
    assert good.qini.low > 0
    bad = rank_weighted_effects(-tau, benefit, nuisance.trial.subject, rng)
    assert bad.autoc.high < 0


def test_the_autoc_interval_of_a_random_ranking_covers_zero() -> None:
    held = []
    for seed in range(100):
        nuisance, _, benefit = drawn("null", 300, seed)
        chance = np.random.default_rng(seed)
        result = rank_weighted_effects(np.zeros(300), benefit, nuisance.trial.subject, chance)
        held.append(result.autoc.low <= 0 <= result.autoc.high)
    assert np.mean(held) >= 0.88


def test_true_effects_have_slope_one_and_doubled_ones_do_not(rng) -> None:
    nuisance, tau, benefit = drawn("rct", 3000, 1)
    right = calibrate_benefit(tau, benefit, nuisance.trial.subject, rng)
    assert right.slope.low < 1 < right.slope.high
    assert right.calibration_in_the_large.low < 0 < right.calibration_in_the_large.high
    assert sum(group.n for group in right.groups) == 3000
    assert right.groups[0].predicted < right.groups[-1].predicted
    double = calibrate_benefit(2 * tau, benefit, nuisance.trial.subject, rng)
    assert double.slope.value == pytest.approx(right.slope.value / 2)
    assert double.slope.high < 1
    assert double.p < 0.01 < right.p
    level = calibrate_benefit(np.zeros(3000), benefit, nuisance.trial.subject, rng)
    assert np.isnan(level.slope.value)


def test_the_calibration_test_rejects_a_true_null_hypothesis_in_about_5_percent() -> None:
    """200 draws: 0.4 to 9.6 % is within three standard errors of 5 %; constants do not matter."""
    result = []
    for seed in range(200):
        chance = np.random.default_rng(seed)
        predicted = chance.normal(size=150)
        benefit = 3 + predicted + chance.standard_t(4, size=150)
        result.append(cumulative_sum_test(predicted, benefit, np.arange(150), chance) < 0.05)
    assert 0.004 <= np.mean(result) <= 0.096


def test_c_for_benefit_is_one_half_for_chance_and_higher_for_the_truth(rng) -> None:
    nuisance, tau, _ = drawn("rct", 1500, 2)
    coin = c_for_benefit(nuisance.trial, np.zeros(1500), 1, 0, rng)
    assert coin.value == 0.5
    truth = c_for_benefit(nuisance.trial, tau, 1, 0, rng)
    assert truth.low > 0.5
    turned = c_for_benefit(nuisance.trial, -tau, 1, 0, rng)
    assert turned.high < 0.5


def test_decision_curve_by_hand(rng) -> None:
    predicted, benefit = np.array([0.0, 1.0, 2.0, 3.0]), np.array([4.0, -2.0, 1.0, 5.0])
    first, second = decision_curve(predicted, benefit, (-1.0, 1.5), np.arange(4), rng)
    assert first.model == first.treat_all, "every patient is above the threshold"
    assert first.model.value == pytest.approx((4 - 2 + 1 + 5) / 4 + 1)
    assert second.model.value == pytest.approx((1 - 1.5 + 5 - 1.5) / 4)
    assert second.treated_share == 0.5


def test_harms_are_estimated_under_the_rule_and_the_best_single_option(rng) -> None:
    nuisance, _, _ = drawn("rct", 500, 3)
    chosen = (nuisance.trial.covariates[:, 0] > 0).astype(np.int64)
    (row,) = secondary_outcomes({"bleeding": nuisance}, chosen, 0, rng)
    assert row.outcome == "bleeding"
    assert row.rule == pytest.approx(nuisance.scores[np.arange(500), chosen].mean())
    assert row.difference.value == pytest.approx(row.rule - row.best_single)
