"""Values of single decisions: P(effective) less what harms of the option are expected to cost."""

from dataclasses import replace

import numpy as np
import pytest

from posology.domain.cohort import Cohort
from posology.domain.policy import allow_all_treatments
from posology.domain.study import Cost, Reward
from posology.learners.network.expected_costs import fit_costs
from posology.learners.network.policy import NetworkPolicy
from posology.learners.network.reinforcement import Reinforcement
from posology.learners.network.supervised import Sizes, Supervised
from posology.learners.network.training_loop import Training
from tests.builders.small_cohorts import small_cohort

FIRST = Supervised(Sizes(16, 8, 16, 1, 2, 0.0), Training(batch=64, epochs=2))
HARM = (Cost(("HARM",), 1.0, 40.0),)
LEVEL = np.array([0.1, 0.4, 0.2])


def with_costs(cohort: Cohort, cost: np.ndarray, costs: tuple[Cost, ...] = HARM) -> Cohort:
    """Single decisions whose reward is 1 if effective, less the cost."""
    study = replace(cohort.study, reward=Reward((), "made up", costs=costs, discount=0.0))
    column = cost.astype(np.float32) if costs else None
    reward = cohort.effective - (0 if column is None else column)
    return replace(cohort, study=study, cost=column, reward=reward.astype(np.float32))


def drawn(count: int) -> tuple[Cohort, np.ndarray]:
    """Decisions, and made-up probabilities of being effective of every option."""
    cohort = small_cohort(3, count, best_known=False)
    return cohort, np.random.default_rng(1).uniform(0.2, 0.8, (count, 3))


def test_levels_and_slopes_are_recovered() -> None:
    cohort, probability = drawn(4_000)
    noise = np.random.default_rng(2).normal(0, 0.1, len(cohort))
    cost = LEVEL[cohort.treatment] - 0.3 * probability[:, 2] + noise
    level, slope = fit_costs(probability, with_costs(cohort, cost))
    np.testing.assert_allclose(level, LEVEL, atol=0.03)
    np.testing.assert_allclose(slope, [0.0, 0.0, -0.3], atol=0.03)


def test_options_that_do_not_differ_are_drawn_together() -> None:
    """Where harms befall all options alike, chance differences shrink, on average over draws."""
    cohort, probability = drawn(1_000)
    found, raw = [], []
    for seed in range(20):
        harmed = (np.random.default_rng(seed).random(len(cohort)) < 0.05).astype(float)
        found.append(np.ptp(fit_costs(probability, with_costs(cohort, harmed))[0]))
        raw.append(np.ptp([harmed[cohort.treatment == option].mean() for option in range(3)]))
    assert np.mean(found) < 0.6 * np.mean(raw)


def test_unknown_costs_and_unfollowed_patients_teach_nothing() -> None:
    cohort, probability = drawn(3_000)
    cost = LEVEL[cohort.treatment]
    spoilt = cost.copy()
    spoilt[::3], spoilt[1::3] = np.nan, 99.0
    weight = np.where(np.arange(len(cohort)) % 3 == 1, 0.0, 1.0).astype(np.float32)
    seen = replace(with_costs(cohort, spoilt), reward_weight=weight)
    np.testing.assert_allclose(fit_costs(probability, seen)[0], LEVEL, atol=0.01)


def test_where_no_cost_is_known_nothing_is_charged() -> None:
    cohort, probability = drawn(50)
    level, slope = fit_costs(probability, with_costs(cohort, np.full(50, np.nan)))
    assert not level.any()
    assert not slope.any()


@pytest.fixture(scope="module")
def fitted() -> tuple[Cohort, Cohort, NetworkPolicy]:
    train, validation = (small_cohort(seed, 600, best_known=False) for seed in (1, 2))
    train, validation = (with_costs(c, np.zeros(len(c)), ()) for c in (train, validation))
    return train, validation, FIRST.fit(train, validation)


def test_an_option_whose_harms_cost_more_than_it_gains_is_not_chosen(fitted) -> None:
    train, validation, first = fitted
    dear = [with_costs(c, 2.0 * (c.treatment == 1)) for c in (train, validation)]
    second = Reinforcement().fit(first, dear[0], dear[1])
    allowed = allow_all_treatments(validation.last_step, first.formulary)
    asked = validation.history, validation.last_step, allowed
    assert first.choice_probabilities(*asked)[:, 1].sum() > 0
    assert second.choice_probabilities(*asked)[:, 1].max() < 1e-9
    probability = first.predict_effectiveness(*asked).mean(axis=2)
    _, value = second.behaviour_and_values(*asked[:2])
    loss = probability - value
    assert (loss[:, 1] - loss[:, 0] > 1.5).all()
    assert (np.abs(loss[:, 2] - loss[:, 0]) < 0.3).all()


def test_without_costs_the_first_phase_stays(fitted) -> None:
    train, validation, first = fitted
    second = Reinforcement().fit(first, train, validation)
    allowed = allow_all_treatments(validation.last_step, first.formulary)
    asked = validation.history, validation.last_step, allowed
    np.testing.assert_array_equal(
        second.choice_probabilities(*asked), first.choice_probabilities(*asked)
    )
