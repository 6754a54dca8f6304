"""The direct method against exact values, and its cross-fitting."""

from dataclasses import replace

import numpy as np
import pytest

from posology.domain.trajectories import Trajectories, select_episodes
from posology.evaluation.off_policy.direct_method import (
    assign_folds,
    cross_fit,
    fit_table_occupancy,
    fit_table_q,
)

SURVIVE = np.array([[0.9, 0.2], [0.4, 0.7]])


def two_steps(seed: int, patients: int):
    """Two random states per patient, and survival by state and treatment at each."""
    rng = np.random.default_rng(seed)
    state = rng.integers(2, size=2 * patients)
    treatment = rng.integers(2, size=2 * patients)
    reward = (rng.random(2 * patients) < SURVIVE[state, treatment]).astype(np.float64)
    return state, treatment, reward, np.arange(0, 2 * patients + 1, 2)


def trajectories(patients: int, is_terminal: bool = True) -> Trajectories:
    """Two decisions per patient; the state code is the state plus 2 at the second decision."""
    state, treatment, reward, offsets = two_steps(0, patients)
    code = state + 2 * (np.arange(len(state)) % 2)
    return Trajectories(
        observation=code[:, None].astype(np.float64),
        treatment=treatment.astype(np.int32),
        reward=reward,
        logged_probability=np.full(len(state), 0.5),
        behaviour=np.full((len(state), 2), 0.5),
        offsets=offsets,
        final_observation=np.zeros((patients, 1)),
        terminal=np.full(patients, is_terminal),
        state_count=4,
    )


def without_time(logged: Trajectories) -> Trajectories:
    """The same with the state alone as the code."""
    return replace(logged, observation=logged.observation % 2, state_count=2)


def test_a_state_that_includes_time_has_exact_values():
    policy = np.array([[1.0, 0.0], [0.0, 1.0]])
    q = fit_table_q(trajectories(40_000), np.tile(policy, (2, 1)))
    later = (0.9 + 0.7) / 2
    assert np.abs(q[2:] - SURVIVE).max() < 0.02
    assert np.abs(q[:2] - SURVIVE - later).max() < 0.02


def test_a_truncated_last_decision_is_not_learned_from():
    logged = trajectories(500, is_terminal=False)
    broken = np.where(np.arange(1_000) % 2 == 1, 1e6, logged.reward)
    changed = replace(logged, reward=broken)
    policy = np.full((4, 2), 0.5)
    assert np.array_equal(fit_table_q(changed, policy), fit_table_q(logged, policy))


def test_cross_fitting_never_learns_from_the_patient_it_predicts():
    policy = np.full((2, 2), 0.5)
    logged = without_time(trajectories(300))
    state = logged.observation[:, 0].astype(int)
    fold = assign_folds(logged.offsets, 3, np.random.default_rng(0))
    assert np.array_equal(fold[::2], fold[1::2])

    def fit(keep):
        learned = fit_table_q(select_episodes(logged, np.flatnonzero(keep[::2])), policy)
        return np.where(keep[:, None], np.nan, learned[state])  # NaN: patients learned from

    q, v = cross_fit(fold, fit, policy[state], logged.treatment)
    assert np.isfinite(q).all()
    expected = np.empty((len(fold), 2))
    for number in range(3):
        expected[fold == number] = fit(fold != number)[fold == number]
    assert v == pytest.approx((policy[state] * expected).sum(axis=1))


def test_occupancy_is_the_ratio_of_the_policies_if_states_are_random():
    policy = np.array([[0.9, 0.1], [0.2, 0.8]])
    ratio = fit_table_occupancy(without_time(trajectories(20_000)), policy, pooling=0.0)
    assert np.abs(ratio - policy / 0.5).max() < 0.05


def test_occupancy_and_q_give_the_same_policy_value():
    policy = np.tile(np.array([[0.9, 0.1], [0.2, 0.8]]), (2, 1))
    logged = trajectories(200)
    code = logged.observation[:, 0].astype(int)
    q = fit_table_q(logged, policy, pooling=3.0)
    forward = (policy * q).sum(axis=1)[code[::2]].mean()
    weighted = fit_table_occupancy(logged, policy, pooling=3.0)[code, logged.treatment]
    assert (weighted * logged.reward).sum() / 200 == pytest.approx(forward, abs=1e-4)
