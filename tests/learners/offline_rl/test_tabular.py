"""Tabular learners against brute force, their limits, and a process whose truth is known."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posology.domain.trajectories import is_episode_end, next_state_codes, state_codes
from posology.learners.offline_rl.tabular import Pooling, choose, clone, count, pooled, spibb
from posology.simulators.mdp import optimal_policy, policy_value, sample
from tests.builders.decision_processes import survival_mdp, uniform_policy


@given(st.integers(0, 1_000))
@settings(max_examples=10, deadline=None)
def test_counts_are_those_of_a_loop(seed):
    mdp = survival_mdp(seed, states=4, treatments=2)
    logged = sample(mdp, uniform_policy(mdp), 30, np.random.default_rng(seed))
    counts = count(logged)
    naive: dict[tuple[int, int], int] = {}
    for now, given_, new, over in zip(
        state_codes(logged),
        logged.treatment,
        next_state_codes(logged),
        is_episode_end(logged),
        strict=True,
    ):
        key = (int(now) * 2 + int(given_), logged.state_count if over else int(new))
        naive[key] = naive.get(key, 0) + 1
    found = dict(
        zip(zip(counts.pair.tolist(), counts.following.tolist(), strict=True), counts.count,
            strict=True)
    )  # fmt: skip
    assert found == naive
    assert counts.visits.sum() == len(logged.treatment)


def test_with_many_episodes_the_optimum_is_found():
    mdp = survival_mdp()
    everything = np.ones((14, 4), dtype=bool)
    logged = sample(mdp, uniform_policy(mdp), 60_000, np.random.default_rng(1))
    learned = pooled(count(logged), Pooling(caution=0.0))
    best = policy_value(mdp, optimal_policy(mdp, everything))
    assert policy_value(mdp, learned.probabilities) == pytest.approx(best, abs=2e-3)


def test_without_pooling_values_are_the_empirical_bellman_equation():
    mdp = survival_mdp(2)
    logged = sample(mdp, uniform_policy(mdp), 3_000, np.random.default_rng(2))
    plain = Pooling(visits=0.0, common=1e-9, rare=0.0, caution=0.0)
    learned = pooled(count(logged), plain)
    worth = np.append(learned.values.max(axis=1), 0.0)
    target = (
        logged.reward
        + worth[np.where(is_episode_end(logged), logged.state_count, next_state_codes(logged))]
    )
    where = (state_codes(logged) == 3) & (logged.treatment == 1)
    assert learned.values[3, 1] == pytest.approx(target[where].mean(), abs=1e-4)


def test_full_pooling_sees_no_difference_between_treatments():
    mdp = survival_mdp(3)
    logged = sample(mdp, uniform_policy(mdp), 2_000, np.random.default_rng(3))
    learned = pooled(count(logged), Pooling(visits=1e9, common=1e-6, caution=0.0))
    assert np.ptp(learned.values[:12], axis=1).max() < 1e-3


def test_caution_lowers_values_most_where_visits_are_few():
    mdp = survival_mdp(4)
    logged = sample(mdp, uniform_policy(mdp), 500, np.random.default_rng(4))
    counts = count(logged)
    bold, wary = (pooled(counts, replace(Pooling(), caution=c)) for c in (0.0, 1.0))
    usual = np.isfinite(bold.values[:12])
    assert np.all(wary.values[:12][usual] < bold.values[:12][usual])


def test_forbidden_rare_and_unseen_treatments_are_never_recommended():
    mdp = survival_mdp(5)
    behaviour = np.tile([0.6, 0.37, 0.03, 0.0], (14, 1))
    logged = sample(mdp, behaviour, 5_000, np.random.default_rng(5))
    learned = pooled(count(logged), Pooling(rare=0.05))
    assert not learned.probabilities[:12, 2:].any()
    allowed = np.ones((14, 4), dtype=bool)
    allowed[:, 0] = False
    assert not pooled(count(logged), Pooling(), allowed).probabilities[:, 0].any()


def test_spibb_keeps_the_behaviour_where_counts_are_small():
    mdp = survival_mdp(6)
    behaviour = np.tile([0.7, 0.27, 0.02, 0.01], (14, 1))
    counts = count(sample(mdp, behaviour, 2_000, np.random.default_rng(6)))
    learned = spibb(counts, behaviour, minimum=100.0)
    seldom = counts.visits < 100
    assert seldom[:12].any()
    assert np.allclose(learned.probabilities[:12][seldom[:12]], behaviour[:12][seldom[:12]])
    assert np.allclose(spibb(counts, behaviour, minimum=np.inf).probabilities, behaviour)
    assert policy_value(mdp, learned.probabilities) > policy_value(mdp, behaviour)


def test_cloning_gives_back_the_behaviour():
    mdp = survival_mdp(7)
    behaviour = np.tile([0.4, 0.3, 0.2, 0.1], (14, 1))
    copy = clone(count(sample(mdp, behaviour, 30_000, np.random.default_rng(7))))
    assert np.abs(copy.probabilities[:12] - 0.1 * np.array([4, 3, 2, 1])).max() < 0.03
    assert np.allclose(copy.probabilities.sum(axis=1), 1)


def test_the_candidate_with_the_highest_score_is_chosen():
    mdp = survival_mdp(8)
    logged = sample(mdp, uniform_policy(mdp), 200, np.random.default_rng(8))
    chosen, scores = choose(
        (1.0, 5.0, 2.0),
        lambda weight, data: clone(count(data), weight),
        lambda policy, data: -abs(policy.probabilities[0].max() - 0.25),
        logged,
        logged,
    )
    assert chosen == 5.0
    assert scores[1] == max(scores)
