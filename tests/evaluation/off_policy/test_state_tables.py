"""Where each state is one code, tables answer for sharp policies that paths cannot support."""

from dataclasses import replace

import numpy as np
import pytest

from posology.domain.trajectories import Trajectories, state_codes
from posology.evaluation.off_policy.estimators import OffPolicyData, occupancy_doubly_robust
from posology.evaluation.off_policy.state_tables import with_tables
from posology.evaluation.off_policy.support import Refusal
from posology.evaluation.off_policy.trajectory_value import estimate_trajectory_value
from posology.simulators.mdp import policy_value, sample_trajectories
from tests.builders.decision_processes import survival_mdp, uniform_policy

SHARP = np.eye(4)[np.full(14, 1)]


def ward(patients: int, seed: int = 0) -> tuple[Trajectories, np.ndarray, OffPolicyData]:
    """Patients whose treatment was drawn evenly, their states, and option 1 for all as target."""
    mdp = survival_mdp()
    logged = sample_trajectories(mdp, uniform_policy(mdp), patients, np.random.default_rng(seed))
    target = SHARP[state_codes(logged), logged.treatment]
    return logged, state_codes(logged), OffPolicyData(logged, target)


def test_a_sharp_policy_has_a_value_by_tables_where_paths_have_none() -> None:
    _, state, data = ward(20_000)
    rng = np.random.default_rng(1)
    tables = with_tables(data, state, SHARP[state], rng)
    assert tables is not None
    value = estimate_trajectory_value({"option 1": tables}, 0, rng)
    first, *others = value.estimates
    assert first.result.estimator == "odr"
    assert first.value is not None
    assert first.value.low < policy_value(survival_mdp(), SHARP) < first.value.high
    assert all(isinstance(each.result, Refusal) for each in others), "paths have too few patients"


def test_codes_may_be_any_numbers() -> None:
    _, state, data = ward(300)
    first, other = (
        with_tables(data, codes, SHARP[state], np.random.default_rng(1))
        for codes in (state, 1_000 - 7 * state)
    )
    assert first is not None
    assert other is not None
    np.testing.assert_allclose(first.q, other.q)
    np.testing.assert_allclose(first.occupancy, other.occupancy)


def test_a_policy_that_depends_on_more_than_the_state_has_no_tables() -> None:
    _, state, data = ward(100)
    policy = SHARP[state].copy()
    policy[0] = [1, 0, 0, 0]
    assert with_tables(data, state, policy, np.random.default_rng(1)) is None


def test_patients_of_weight_two_count_twice() -> None:
    _, state, data = ward(400)
    tables = with_tables(data, state, SHARP[state], np.random.default_rng(1))
    assert tables is not None
    count = np.where(np.arange(400) < 200, 1.5, 0.5)
    plain = occupancy_doubly_robust(tables)
    weighted = occupancy_doubly_robust(replace(tables, weight=count))
    assert weighted.mean() == pytest.approx((count * plain).sum() / 400)
