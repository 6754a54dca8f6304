"""Fitted Q evaluation on the recent past, against exact values."""

import numpy as np

from posology.domain.cohort import TEST, take
from posology.domain.trajectories import state_codes
from posology.learners.offline_rl.fqe import FittedEvaluation
from posology.learners.offline_rl.q_network import Fitting
from posology.simulators.mdp import policy_value, sample
from posology.simulators.rollout import Naming, as_cohort
from tests.builders.decision_processes import survival_mdp, uniform_policy

NAMES = Naming("ward", ("t0", "t1", "t2", "t3"))


def test_several_policies_are_valued_at_once_on_patients_not_learned_from() -> None:
    mdp, rng = survival_mdp(), np.random.default_rng(0)
    logged = sample(mdp, uniform_policy(mdp), 2_000, rng)
    cohort = as_cohort(logged, NAMES)
    tilted = uniform_policy(mdp) * np.array([3.0, 1.0, 1.0, 0.2])
    asked = [uniform_policy(mdp), tilted / tilted.sum(axis=1, keepdims=True)]
    policies = np.stack([policy[state_codes(logged)] for policy in asked])
    mine = cohort.split == TEST
    way = FittedEvaluation(Fitting(hidden=32, epochs=20, batch=256, last=1))
    q = way.fit(take(cohort, ~mine), policies[:, ~mine], take(cohort, mine))
    first = np.append(True, np.diff(cohort.subject[mine]) != 0)
    value = (policies[:, mine] * q).sum(axis=2)[:, first].mean(axis=1)
    exact = [policy_value(mdp, policy) for policy in asked]
    assert np.abs(value - exact).max() < 0.1
