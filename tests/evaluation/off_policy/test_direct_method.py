"""The direct method against exact values, and its cross-fitting."""

import numpy as np
import pytest

from posology.evaluation.off_policy.behaviour import check_behaviour, table_behaviour
from posology.evaluation.off_policy.direct_method import (
    Decisions,
    cross_fitted,
    fitted_q,
    folds,
    part,
    ridge,
    table_occupancy,
    table_q,
)

SURVIVE = np.array([[0.9, 0.2], [0.4, 0.7]])


def two_steps(seed: int, patients: int):
    """State 0 or 1, then the other or the same at random; survival by treatment at each step."""
    rng = np.random.default_rng(seed)
    state = rng.integers(2, size=2 * patients)
    treatment = rng.integers(2, size=2 * patients)
    reward = (rng.random(2 * patients) < SURVIVE[state, treatment]).astype(np.float64)
    return state, treatment, reward, np.arange(0, 2 * patients + 1, 2)


def decisions(patients: int, policy: np.ndarray, terminal: bool = True):
    state, treatment, reward, offsets = two_steps(0, patients)
    done = np.full(patients, terminal)
    return state, Decisions(treatment, reward, policy[state], offsets, done)


def test_a_state_that_tells_the_time_is_solved_exactly():
    policy = np.array([[1.0, 0.0], [0.0, 1.0]])
    state, logged = decisions(40_000, policy)
    step = np.arange(len(state)) % 2
    q = table_q(logged, state + 2 * step, np.tile(policy, (2, 1)))
    later = (0.9 + 0.7) / 2
    assert np.abs(q[2:] - SURVIVE).max() < 0.02
    assert np.abs(q[:2] - SURVIVE - later).max() < 0.02


def test_regressions_agree_with_the_table():
    policy = np.array([[0.3, 0.7], [0.6, 0.4]])
    state, logged = decisions(3_000, policy)
    step = np.arange(len(state)) % 2
    code = state + 2 * step
    features = np.eye(4)[code]
    predict = fitted_q(logged, features, ridge(1e-6), sweeps=3)
    table = table_q(logged, code, np.tile(policy, (2, 1)), pooling=0.0)
    assert np.abs(predict(np.eye(4)) - table).max() < 1e-3


def test_a_truncated_end_is_not_learned_from():
    policy = np.array([[0.5, 0.5], [0.5, 0.5]])
    state, logged = decisions(500, policy, terminal=False)
    broken = np.where(np.arange(len(state)) % 2 == 1, 1e6, logged.reward)
    changed = Decisions(logged.treatment, broken, logged.policy, logged.offsets, logged.terminal)
    code = state + 2 * (np.arange(len(state)) % 2)
    by_code = np.tile(policy, (2, 1))
    assert np.array_equal(table_q(changed, code, by_code), table_q(logged, code, by_code))


def test_cross_fitting_never_sees_the_patient_it_predicts():
    policy = np.array([[0.5, 0.5], [0.5, 0.5]])
    state, logged = decisions(300, policy)
    fold = folds(logged.offsets, 3, np.random.default_rng(0))
    assert np.array_equal(fold[::2], fold[1::2])

    def fit(keep):
        learned = table_q(part(logged, keep), state[keep], policy)
        assert part(logged, keep).offsets[-1] == keep.sum()
        return np.where(keep[:, None], np.nan, learned[state])  # own patients must not be asked

    q, v = cross_fitted(fold, fit, logged.policy, logged.treatment)
    assert np.isfinite(q).all()
    assert np.isfinite(v).all()
    assert v == pytest.approx((logged.policy * _both(fit, fold)).sum(axis=1))


def _both(fit, fold):
    q = np.empty((len(fold), 2))
    for number in range(3):
        q[fold == number] = fit(fold != number)[fold == number]
    return q


def test_behaviour_is_counted_and_checked_by_treatment():
    rng = np.random.default_rng(0)
    state = rng.integers(2, size=20_000)
    true = np.array([[0.8, 0.2], [0.3, 0.7]])
    treatment = (rng.random(20_000) > true[state, 0]).astype(np.int64)
    found = table_behaviour(state, treatment, (2, 2))
    assert np.abs(found - true).max() < 0.02
    good = check_behaviour(true[state], treatment)
    assert all(abs(row.z) < 4 and row.error < 0.03 for row in good)
    bad = check_behaviour(np.full((20_000, 2), 0.5), treatment)
    assert all(abs(row.z) > 4 for row in bad)
    assert bad[0].observed == (treatment == 0).sum()


def test_occupancy_is_how_much_more_often_a_state_and_treatment_are_met():
    policy = np.array([[0.9, 0.1], [0.2, 0.8]])
    state, logged = decisions(20_000, policy)
    ratio = table_occupancy(logged, state, policy, pooling=0.0)
    assert np.abs(ratio - policy / 0.5).max() < 0.05


def test_occupancy_and_q_are_two_ways_to_the_same_value():
    policy = np.array([[0.9, 0.1], [0.2, 0.8]])
    state, logged = decisions(200, policy)
    code = state + 2 * (np.arange(len(state)) % 2)
    by_code = np.tile(policy, (2, 1))
    q = table_q(logged, code, by_code, pooling=3.0)
    forward = (by_code * q).sum(axis=1)[code[::2]].mean()
    weighted = table_occupancy(logged, code, by_code, pooling=3.0)[code, logged.treatment]
    assert (weighted * logged.reward).sum() / 200 == pytest.approx(forward, abs=1e-4)
