"""The recurrent network and the weights of logged treatments."""

from dataclasses import replace

import numpy as np
import pytest

from posology.domain.outcome_trajectories import (
    OutcomeTrajectories,
    Plans,
    logged_plans,
    outcomes_under,
)
from posology.learners.trajectories.recurrent_learner import RecurrentLearner, RecurrentModel
from posology.learners.trajectories.step_features import describe_outcome
from posology.learners.trajectories.treatment_weights import treatment_weights
from tests.builders.outcome_trajectories import growing_outcomes

HALF = (0.5, 0.0)


@pytest.fixture(scope="module")
def learner() -> RecurrentLearner:
    spec = describe_outcome(growing_outcomes(300, 1), "relative", HALF)
    return RecurrentLearner(spec, horizon=3, state=8, epochs=8, batch=50)


@pytest.fixture(scope="module")
def model(learner: RecurrentLearner) -> RecurrentModel:
    return learner.fit(growing_outcomes(300, 1), growing_outcomes(100, 2))


def test_the_network_learns_growth_and_treatment_with_intervals_that_cover(model):
    test = growing_outcomes(150, 3)
    plans = logged_plans(test, 3)
    predicted, truth = model.predict(test, plans), outcomes_under(test, plans)
    unchanged = test.outcome[plans.subject, plans.visit][:, None] - truth
    error = np.sqrt(np.mean((predicted.mean - truth) ** 2, axis=0))
    assert np.all(error < 0.5 * np.sqrt(np.mean(unchanged**2, axis=0)))
    inside = (truth >= predicted.low) & (truth <= predicted.high)
    assert np.all(np.abs(inside.mean(axis=0) - 0.9) < 0.05)


def test_the_same_seed_gives_the_same_network(learner, model):
    again = learner.fit(growing_outcomes(300, 1), growing_outcomes(100, 2))
    for name, weight in again.network.state_dict().items():
        assert np.array_equal(weight, model.network.state_dict()[name])


def test_nothing_after_the_last_visit_seen_is_read(model):
    logged = growing_outcomes(40, 4)
    plans = Plans(np.arange(40), np.full(40, 5), np.ones((40, 3, 2)))
    other = OutcomeTrajectories(logged.outcome.copy(), logged.treatment.copy(), logged.statics)
    other.outcome[:, 6:], other.treatment[:, 5:] = 99.0, 1.0
    first, second = (model.predict(each, plans) for each in (logged, other))
    assert np.array_equal(first.mean, second.mean)


@pytest.mark.parametrize("balance", [0.0, 0.5])
def test_the_decoder_learns_too_with_weights_or_a_balanced_state(learner, balance):
    train, validation = growing_outcomes(200, 5), growing_outcomes(80, 6)
    spec = describe_outcome(train, "difference", HALF)
    plain = replace(learner, spec=spec, is_structured=False, balance=balance, epochs=4)
    weights = None if balance else treatment_weights(spec, train, np.random.default_rng(0))
    fitted = plain.fit(train, validation, weights)
    plans = logged_plans(validation, 3)
    found, truth = fitted.predict(validation, plans), outcomes_under(validation, plans)
    mean_only = np.std(truth[:, 0])
    assert np.sqrt(np.mean((found.mean[:, 0] - truth[:, 0]) ** 2)) < 0.6 * mean_only


def test_weights_take_the_outcome_out_of_who_is_treated():
    logged = growing_outcomes(3_000, 7)
    spec = describe_outcome(logged, "relative", (0.0, 0.0))
    weight = treatment_weights(spec, logged, np.random.default_rng(0))
    treated, size = logged.treatment[:, 0, 0] > 0, np.log(logged.outcome[:, 0])

    def gap(w: np.ndarray) -> float:
        means = [np.average(size[rows], weights=w[rows]) for rows in (treated, ~treated)]
        return abs(means[0] - means[1])

    assert gap(np.ones(len(size))) > 0.15
    # Both components are weighted at once, so that balance is not exact in one of them.
    assert gap(weight[:, 0]) < 0.4 * gap(np.ones(len(size)))


def test_weights_are_one_where_treatment_is_at_random():
    logged = growing_outcomes(1_500, 8)
    rng = np.random.default_rng(0)
    random = rng.integers(0, 2, logged.treatment.shape).astype(float)
    shuffled = OutcomeTrajectories(logged.outcome, random, logged.statics)
    spec = describe_outcome(shuffled, "relative", (0.0, 0.0))
    weight = treatment_weights(spec, shuffled, rng)
    assert np.std(weight[shuffled.is_observed]) < 0.1
