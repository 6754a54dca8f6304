"""Outcomes under plans: against naive references, and never reading the future."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from posology.domain.outcome_trajectories import (
    OutcomeTrajectories,
    PlannedOutcomes,
    Plans,
    logged_plans,
    outcomes_under,
)
from posology.errors import UserError
from posology.learners.trajectories.interval_width import (
    check_coverage,
    scale_intervals,
    width_factors,
)
from posology.learners.trajectories.learner import TrajectoryLearner
from posology.learners.trajectories.mixed_effects import (
    MixedEffects,
    fit_mixed_effects,
    posterior,
    step_table,
    sum_steps,
    sums_until_visit,
)
from posology.learners.trajectories.simulated_paths import PathSettings, predict_paths
from posology.learners.trajectories.step_features import (
    Scale,
    apply_change,
    change,
    describe_outcome,
)
from tests.builders.outcome_trajectories import growing_outcomes

HALF = (0.5, 0.0)


def _model(logged: OutcomeTrajectories, clusters: int, scale: Scale = "relative") -> MixedEffects:
    spec = describe_outcome(logged, scale, HALF)
    return fit_mixed_effects(spec, logged, clusters, np.random.default_rng(0), iterations=20)


@pytest.mark.parametrize("scale", ["difference", "relative", "log"])
def test_a_change_that_is_applied_gives_the_next_outcome(scale):
    logged = growing_outcomes(20, 1)
    spec = describe_outcome(logged, scale, HALF)
    before, after = logged.outcome[:, 3], logged.outcome[:, 4]
    assert apply_change(spec, before, change(spec, before, after)) == pytest.approx(after)


def test_evidence_and_effects_are_those_of_the_joint_normal_distribution():
    logged = growing_outcomes(15, 2)
    model = _model(logged, 2)
    found = posterior(model, sum_steps(model.spec, logged))
    x, r = step_table(model.spec, logged)
    for i in range(3):
        rows = x[i, :, 0] > 0
        X, y, statics = x[i, rows], r[i, rows], np.array([1.0, *logged.statics[i]])
        density, means = [], []
        for k in range(2):
            center, spread = statics @ model.mean[k], model.covariance[k]
            total = X @ spread @ X.T + model.noise * np.eye(len(X))
            density.append(model.share[k] * multivariate_normal(X @ center, total).pdf(y))
            gain = spread @ X.T @ np.linalg.inv(total)
            means.append(center + gain @ (y - X @ center))
        assert found.evidence[i] == pytest.approx(np.log(sum(density)), rel=1e-5)
        assert found.share[i] == pytest.approx(np.array(density) / sum(density), abs=1e-5)
        assert found.mean[i] == pytest.approx(np.array(means), rel=1e-3, abs=1e-5)


def test_fitting_raises_the_likelihood_and_finds_the_noise():
    logged = growing_outcomes(400, 3)
    sums = sum_steps(describe_outcome(logged, "relative", HALF), logged)
    reached = []
    for iterations in (2, 5, 20):
        spec = describe_outcome(logged, "relative", HALF)
        model = fit_mixed_effects(spec, logged, 2, np.random.default_rng(0), iterations)
        reached.append(float(posterior(model, sums).evidence.sum()))
    assert reached == sorted(reached)
    assert np.sqrt(model.noise) == pytest.approx(0.02, rel=0.1)


def test_paths_average_to_the_expectation_in_closed_form():
    logged = growing_outcomes(100, 4)
    model = _model(logged, 1)
    plans = Plans(np.arange(20), np.full(20, 4), np.tile([[[1.0, 0.0]]], (20, 1, 1)))
    known = posterior(model, sums_until_visit(model.spec, logged, plans.subject, plans.visit))
    followed = np.array(logged.treatment[:20])
    followed[:, 4] = [1.0, 0.0]
    x, _ = step_table(
        model.spec, OutcomeTrajectories(logged.outcome[:20], followed, logged.statics[:20])
    )
    expected = logged.outcome[:20, 4] * (1 + np.einsum("ip,ip->i", x[:, 4], known.mean[:, 0]))
    found = predict_paths(model, logged, plans, PathSettings(draws=256))
    assert found.mean[:, 0] == pytest.approx(expected, rel=1e-3)
    spread = np.einsum("ip,ipq,iq->i", x[:, 4], known.covariance[:, 0], x[:, 4]) + model.noise
    width = 2 * 1.645 * np.sqrt(spread) * logged.outcome[:20, 4]
    assert (found.high - found.low)[:, 0] == pytest.approx(width, rel=0.1)


def test_nothing_after_the_last_visit_seen_is_read():
    logged = growing_outcomes(60, 5)
    model = _model(logged, 2)
    plans = Plans(np.arange(60), np.full(60, 5), np.ones((60, 3, 2)))
    other = OutcomeTrajectories(logged.outcome.copy(), logged.treatment.copy(), logged.statics)
    other.outcome[:, 6:], other.treatment[:, 5:] = 99.0, 1.0
    first, second = (predict_paths(model, each, plans) for each in (logged, other))
    assert np.array_equal(first.mean, second.mean)
    assert np.array_equal(first.low, second.low)


def test_a_plan_is_predicted_the_same_alone_and_among_others():
    logged = growing_outcomes(40, 6)
    model = _model(logged, 2)
    plans = logged_plans(logged, 3)
    one = Plans(plans.subject[7:8], plans.visit[7:8], plans.treatment[7:8])
    alone, among = predict_paths(model, logged, one), predict_paths(model, logged, plans)
    assert alone.mean[0] == pytest.approx(among.mean[7], rel=1e-5)
    assert alone.high[0] == pytest.approx(among.high[7], rel=1e-5)


def test_the_learner_finds_scale_and_carry_over_and_predicts_plans_never_logged():
    train, validation, test = (
        growing_outcomes(400, 7),
        growing_outcomes(150, 8),
        growing_outcomes(200, 9),
    )
    learner = TrajectoryLearner(horizon=4, clusters=(1, 2), draws=32)
    model = learner.fit(train, validation)
    assert model.effects.spec.scale == "relative"
    assert model.effects.spec.carry_over == pytest.approx((0.5, 0.0), abs=0.15)
    plans = logged_plans(test, 4)
    predicted, truth = model.predict(test, plans), outcomes_under(test, plans)
    error = np.sqrt(np.mean((predicted.mean - truth) ** 2, axis=0))
    unchanged = np.sqrt(np.mean((test.outcome[plans.subject, plans.visit] - truth[:, 3]) ** 2))
    assert error[3] < 0.35 * unchanged
    inside = (truth >= predicted.low) & (truth <= predicted.high)
    assert np.all(np.abs(inside.mean(axis=0) - 0.9) < 0.05)
    again = learner.fit(train, validation).predict(test, plans)
    assert np.array_equal(again.mean, predicted.mean)


def test_relative_scales_are_left_out_where_outcomes_are_negative():
    train, validation = growing_outcomes(200, 10), growing_outcomes(60, 11)
    shifted = [
        OutcomeTrajectories(each.outcome - 10, each.treatment, each.statics)
        for each in (train, validation)
    ]
    model = TrajectoryLearner(horizon=2, clusters=(1,), draws=16).fit(*shifted)
    assert [name for name, _ in model.candidates] == ["difference"]


def test_errors_say_what_to_change():
    logged = growing_outcomes(60, 12)
    with pytest.raises(UserError, match=r"no validation patient has 13 steps in a row"):
        TrajectoryLearner(horizon=13).fit(logged, logged)
    model = TrajectoryLearner(horizon=2, scales=("relative",), clusters=(1,), draws=16)
    fitted = model.fit(logged, logged)
    plans = Plans(np.zeros(1, int), np.zeros(1, int), np.zeros((1, 3, 2)))
    with pytest.raises(
        UserError, match=r"the plan has 3 steps, but .* at most 2; shorten the plan"
    ):
        fitted.predict(logged, plans)


def test_factors_make_wrong_intervals_cover():
    rng = np.random.default_rng(13)
    mean = rng.normal(size=(4000, 2))
    truth = mean + rng.normal(size=(4000, 2)) * [1.0, 3.0]
    narrow = PlannedOutcomes(mean, mean - 0.5, mean + 0.5)
    factors = width_factors(narrow, truth, np.repeat(np.arange(1000), 4))
    fixed = scale_intervals(narrow, factors)
    covered = ((truth >= fixed.low) & (truth <= fixed.high)).mean(axis=0)
    assert covered == pytest.approx([0.9, 0.9], abs=0.01)
    assert factors[1] > 2.5 * factors[0]


def test_a_patient_with_many_visits_counts_once():
    mean = np.zeros((100, 1))
    subject = np.concatenate([np.zeros(50, int), np.arange(1, 51)])
    truth = np.concatenate([np.full((50, 1), 100.0), np.full((50, 1), 1.0)])
    each = PlannedOutcomes(mean, mean - 1, mean + 1)
    assert width_factors(each, truth, subject)[0] == pytest.approx(1.0)


def test_coverage_is_checked_on_patients_who_did_not_set_the_width():
    rng = np.random.default_rng(3)
    subject = np.repeat(np.arange(2_000), 3)
    truth = rng.normal(size=(6_000, 2)) * [1.0, 3.0]
    unit = np.ones((6_000, 2))
    found = check_coverage(PlannedOutcomes(0 * unit, -unit, unit), truth, subject, rng)
    assert found is not None
    assert found.patients == 2_000
    assert found.covered == pytest.approx((0.9, 0.9), abs=0.02)


def test_coverage_of_a_handful_is_not_checked():
    rng, unit = np.random.default_rng(4), np.ones((40, 1))
    intervals = PlannedOutcomes(0 * unit, -unit, unit)
    assert check_coverage(intervals, unit, np.arange(40) // 2, rng) is None
    assert check_coverage(intervals, unit, np.arange(40), rng) is not None


def test_a_half_that_is_wider_than_the_other_shows_in_the_coverage():
    """Each half is judged by the other's width: its own would always cover."""
    rng = np.random.default_rng(0)
    first = rng.permutation(np.arange(100))[:50]
    unit = np.ones((100, 1))
    truth = np.where(np.isin(np.arange(100), first), 10.0, 1.0)[:, None]
    intervals = PlannedOutcomes(0 * unit, -unit, unit)
    found = check_coverage(intervals, truth, np.arange(100), np.random.default_rng(0))
    assert found is not None
    assert found.covered == (0.5,)
