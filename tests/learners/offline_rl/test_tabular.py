"""Tabular value iteration against naive loops, its limits, and a process whose truth is known."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posology.domain.trajectories import is_episode_end, next_state_codes, state_codes
from posology.learners.offline_rl.tabular import (
    Shrinkage,
    count_transitions,
    shrunk_value_iteration,
)
from posology.simulators.mdp import optimal_policy, policy_value, sample_trajectories
from tests.builders.decision_processes import survival_mdp, uniform_policy


@given(st.integers(0, 1_000))
@settings(max_examples=10, deadline=None)
def test_counts_equal_a_naive_loop(seed):
    mdp = survival_mdp(seed, states=4, treatments=2)
    logged = sample_trajectories(mdp, uniform_policy(mdp), 30, np.random.default_rng(seed))
    counts = count_transitions(logged)
    naive: dict[tuple[int, int], int] = {}
    for now, treatment, new, over in zip(
        state_codes(logged),
        logged.treatment,
        next_state_codes(logged),
        is_episode_end(logged),
        strict=True,
    ):
        key = (int(now) * 2 + int(treatment), logged.state_count if over else int(new))
        naive[key] = naive.get(key, 0) + 1
    counted = dict(
        zip(
            zip(counts.pair.tolist(), counts.next_state.tolist(), strict=True),
            counts.count,
            strict=True,
        )
    )
    assert counted == naive
    assert counts.visits.sum() == len(logged.treatment)


def test_many_episodes_give_the_optimal_policy():
    mdp = survival_mdp()
    everything = np.ones((14, 4), dtype=bool)
    logged = sample_trajectories(mdp, uniform_policy(mdp), 60_000, np.random.default_rng(1))
    learned = shrunk_value_iteration(count_transitions(logged), Shrinkage(pessimism=0.0))
    best = policy_value(mdp, optimal_policy(mdp, everything))
    assert policy_value(mdp, learned.probabilities) == pytest.approx(best, abs=2e-3)


def test_without_shrinkage_values_solve_the_empirical_bellman_equation():
    mdp = survival_mdp(2)
    logged = sample_trajectories(mdp, uniform_policy(mdp), 3_000, np.random.default_rng(2))
    plain = Shrinkage(prior_visits=0.0, effect_std=1e-9, min_support=0.0, pessimism=0.0)
    learned = shrunk_value_iteration(count_transitions(logged), plain)
    value = np.append(learned.values.max(axis=1), 0.0)
    target = (
        logged.reward
        + value[np.where(is_episode_end(logged), logged.state_count, next_state_codes(logged))]
    )
    where = (state_codes(logged) == 3) & (logged.treatment == 1)
    assert learned.values[3, 1] == pytest.approx(target[where].mean(), abs=1e-4)


def test_full_shrinkage_gives_every_treatment_the_same_value():
    mdp = survival_mdp(3)
    logged = sample_trajectories(mdp, uniform_policy(mdp), 2_000, np.random.default_rng(3))
    learned = shrunk_value_iteration(
        count_transitions(logged), Shrinkage(prior_visits=1e9, effect_std=1e-6, pessimism=0.0)
    )
    assert np.ptp(learned.values[:12], axis=1).max() < 1e-3


def test_pessimism_lowers_every_value():
    mdp = survival_mdp(4)
    logged = sample_trajectories(mdp, uniform_policy(mdp), 500, np.random.default_rng(4))
    counts = count_transitions(logged)
    without, with_pessimism = (
        shrunk_value_iteration(counts, replace(Shrinkage(), pessimism=c)) for c in (0.0, 1.0)
    )
    finite = np.isfinite(without.values[:12])
    assert np.all(with_pessimism.values[:12][finite] < without.values[:12][finite])


def test_forbidden_rare_and_absent_treatments_are_never_recommended():
    mdp = survival_mdp(5)
    behaviour = np.tile([0.6, 0.37, 0.03, 0.0], (14, 1))
    logged = sample_trajectories(mdp, behaviour, 5_000, np.random.default_rng(5))
    learned = shrunk_value_iteration(count_transitions(logged), Shrinkage(min_support=0.05))
    assert not learned.probabilities[:12, 2:].any()
    allowed = np.ones((14, 4), dtype=bool)
    allowed[:, 0] = False
    assert (
        not shrunk_value_iteration(count_transitions(logged), Shrinkage(), allowed)
        .probabilities[:, 0]
        .any()
    )
