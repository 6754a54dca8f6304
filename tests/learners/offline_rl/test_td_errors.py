"""Values against their own targets, on patients they were not learned from."""

import numpy as np
import pytest

from posology.domain.cohort import Cohort
from posology.learners.features.rewards import has_next_decision, known_rewards, with_last_states
from posology.learners.offline_rl.td_errors import (
    clustered_mean,
    squared_td_errors,
    target_weights,
    td_targets,
)
from tests.builders.belief_cohort import small_trajectories


@pytest.fixture(scope="module")
def seen() -> Cohort:
    cohort = small_trajectories(60)
    return with_last_states(cohort, cohort.study.reward.discount)


def uniform(seen: Cohort) -> np.ndarray:
    return np.full(seen.potential_rewards.shape, 1 / seen.potential_rewards.shape[1])


def test_a_target_is_the_reward_and_the_best_supported_value_that_follows(seen) -> None:
    options = uniform(seen).shape[1]
    value = np.tile(np.arange(options, dtype=float), (len(seen), 1))
    behaviour = uniform(seen)
    behaviour[:, -1] = 1e-6
    received = known_rewards(seen)[np.arange(len(seen)), np.maximum(seen.treatment, 0)]
    later = seen.study.reward.discount * (options - 2) * has_next_decision(seen)
    np.testing.assert_allclose(td_targets(value, behaviour, seen, 0.1), received + later)


def test_an_error_is_that_of_the_treatment_received_and_counts_by_follow_up(seen) -> None:
    value = np.zeros_like(uniform(seen))
    weight, target = target_weights(seen), td_targets(value, uniform(seen), seen, 0.1)
    known = weight > 0
    found = squared_td_errors(value, uniform(seen), seen, 0.1)
    np.testing.assert_allclose(found[known], (weight * target**2)[known])
    assert (found[~known] == 0).all()
    assert (seen.treatment[known] >= 0).all()


def test_the_error_of_a_mean_counts_patients_not_decisions() -> None:
    subject, values = np.repeat(np.arange(50), 4), np.repeat(np.arange(50.0), 4)
    mean, error = clustered_mean(values, subject)
    assert mean == 24.5
    assert error == pytest.approx(values.std() / 50**0.5)
    assert clustered_mean(values[:0], subject[:0]) == (0.0, 0.0)
