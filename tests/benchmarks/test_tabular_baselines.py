"""Tabular baselines on a process whose truth is known."""

import numpy as np

from benchmarks.tabular_baselines import clone_behaviour, select_settings, spibb
from posology.learners.offline_rl.tabular import count_transitions
from posology.simulators.mdp import policy_value, sample_trajectories
from tests.builders.decision_processes import survival_mdp, uniform_policy


def test_spibb_follows_the_behaviour_where_counts_are_small():
    mdp = survival_mdp(6)
    behaviour = np.tile([0.7, 0.27, 0.02, 0.01], (14, 1))
    counts = count_transitions(sample_trajectories(mdp, behaviour, 2_000, np.random.default_rng(6)))
    learned = spibb(counts, behaviour, min_visits=100.0)
    rare = counts.visits < 100
    assert rare[:12].any()
    assert np.allclose(learned.probabilities[:12][rare[:12]], behaviour[:12][rare[:12]])
    assert np.allclose(spibb(counts, behaviour, min_visits=np.inf).probabilities, behaviour)
    assert policy_value(mdp, learned.probabilities) > policy_value(mdp, behaviour)


def test_cloning_equals_the_behaviour():
    mdp = survival_mdp(7)
    behaviour = np.tile([0.4, 0.3, 0.2, 0.1], (14, 1))
    copy = clone_behaviour(
        count_transitions(sample_trajectories(mdp, behaviour, 30_000, np.random.default_rng(7)))
    )
    assert np.abs(copy.probabilities[:12] - 0.1 * np.array([4, 3, 2, 1])).max() < 0.03
    assert np.allclose(copy.probabilities.sum(axis=1), 1)


def test_the_candidate_with_the_highest_score_is_selected():
    mdp = survival_mdp(8)
    logged = sample_trajectories(mdp, uniform_policy(mdp), 200, np.random.default_rng(8))
    chosen, scores = select_settings(
        (1.0, 5.0, 2.0),
        lambda weight, data: clone_behaviour(count_transitions(data), weight),
        lambda policy, data: -abs(policy.probabilities[0].max() - 0.25),
        logged,
        logged,
    )
    assert chosen == 5.0
    assert scores[1] == max(scores)
