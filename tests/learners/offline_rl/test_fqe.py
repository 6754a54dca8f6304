"""Fitted Q evaluation on the recent past, against exact values."""

import numpy as np

from posology.domain.cohort import TEST, subset_decisions
from posology.domain.trajectories import state_codes
from posology.learners.offline_rl.fqe import FittedQEvaluation
from posology.learners.offline_rl.q_network import QNetworkSettings
from posology.simulators.conversion import to_cohort
from posology.simulators.mdp import policy_value, sample_trajectories
from tests.builders.decision_processes import survival_mdp, uniform_policy
from tests.builders.survival_cohort import NAMES


def test_several_policies_are_valued_at_once_on_patients_not_learned_from() -> None:
    mdp, rng = survival_mdp(), np.random.default_rng(0)
    logged = sample_trajectories(mdp, uniform_policy(mdp), 2_000, rng)
    cohort = to_cohort(logged, NAMES)
    weighted = uniform_policy(mdp) * np.array([3.0, 1.0, 1.0, 0.2])
    targets = [uniform_policy(mdp), weighted / weighted.sum(axis=1, keepdims=True)]
    policies = np.stack([policy[state_codes(logged)] for policy in targets])
    held_out = cohort.split == TEST
    evaluation = FittedQEvaluation(QNetworkSettings(hidden=32, epochs=20, batch=256, lags=1))
    q = evaluation.fit(subset_decisions(cohort, ~held_out), policies[:, ~held_out])(
        subset_decisions(cohort, held_out)
    )
    first = np.append(True, np.diff(cohort.subject[held_out]) != 0)
    value = (policies[:, held_out] * q).sum(axis=2)[:, first].mean(axis=1)
    exact = [policy_value(mdp, policy) for policy in targets]
    assert np.abs(value - exact).max() < 0.1
