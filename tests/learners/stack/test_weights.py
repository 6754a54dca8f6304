"""Weights of a stack's members."""

import numpy as np
import pytest

from posology.learners.stack.weights import fit_weights


def squared_error(members: np.ndarray, truth: np.ndarray):
    return lambda weights: float(((weights @ members - truth) ** 2).mean())


def test_a_member_of_noise_gets_no_weight_where_decisions_are_many() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=20_000)
    members = np.stack([truth + rng.normal(size=20_000), rng.normal(size=20_000) * 3])
    weights = fit_weights(squared_error(members, truth), 2, 20_000)
    assert weights[0] > 0.9
    assert weights.sum() == pytest.approx(1.0)


def test_members_as_good_as_each_other_are_averaged() -> None:
    rng = np.random.default_rng(1)
    truth = rng.normal(size=5_000)
    members = truth + rng.normal(size=(3, 5_000))
    weights = fit_weights(squared_error(members, truth), 3, 5_000)
    np.testing.assert_allclose(weights, 1 / 3, atol=0.03)


def test_few_decisions_leave_the_weights_near_equal() -> None:
    """The same members and loss: only the number of decisions differs."""
    rng = np.random.default_rng(2)
    truth = rng.normal(size=40)
    noise = rng.normal(size=40)
    members = np.stack([truth + 0.8 * noise, truth + noise])  # the first is always nearer
    loss = squared_error(members, truth)
    few, many = fit_weights(loss, 2, 40), fit_weights(loss, 2, 40_000)
    assert abs(few[0] - 0.5) < abs(many[0] - 0.5) / 2


def test_one_member_or_no_decision_needs_no_fit() -> None:
    def never(weights: np.ndarray) -> float:
        raise AssertionError("the loss is not needed")

    np.testing.assert_array_equal(fit_weights(never, 1, 100), [1.0])
    np.testing.assert_array_equal(fit_weights(never, 2, 0), [0.5, 0.5])
