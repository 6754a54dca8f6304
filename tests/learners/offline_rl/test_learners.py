"""The offline learners on a process whose truth is known."""

import numpy as np
import pytest
import torch

from posology.domain.cohort import TRAIN, VALIDATION, Cohort, select_split
from posology.domain.policy import allow_all_treatments
from posology.learners.features.recent_window import build_recent_rows, fit_recent_window
from posology.learners.offline_rl import dataset
from posology.learners.offline_rl.cql import ConservativeQLearning
from posology.learners.offline_rl.iql import ImplicitQLearning
from posology.learners.offline_rl.pessimistic_fqi import PessimisticFQI
from posology.learners.offline_rl.q_network import (
    QNetwork,
    QNetworkSettings,
    predict_outputs,
    select_rows,
)
from posology.simulators.mdp import policy_value
from tests.builders.belief_cohort import small_trajectories
from tests.builders.decision_processes import survival_mdp, uniform_policy
from tests.builders.survival_cohort import survival_cohort

SETTINGS = QNetworkSettings(hidden=32, members=2, batch=256, epochs=12, learning_rate=5e-3, lags=1)


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    return survival_cohort(3_000)


def test_numpy_predictions_equal_those_of_torch(cohort) -> None:
    spec = fit_recent_window(cohort, 1, 2)
    rows = build_recent_rows(spec, cohort.history, cohort.last_step[:300])
    network = QNetwork(spec, 4, SETTINGS)
    with torch.no_grad():
        network.last.normal_()
        expected = network(select_rows(rows, torch.arange(300))).transpose(0, 1).numpy()
    np.testing.assert_allclose(predict_outputs(network.to_weights(), rows), expected, atol=1e-4)


def by_state(policy, cohort: Cohort) -> np.ndarray:
    """The policy's choice probabilities in each state."""
    probabilities = uniform_policy(survival_mdp())
    code = cohort.history.code[cohort.history.event_offsets[cohort.last_step + 1] - 1]
    states, rows = np.unique(code, return_index=True)
    decisions = cohort.last_step[rows]
    allowed = allow_all_treatments(decisions, policy.formulary)
    probabilities[states] = policy.choice_probabilities(cohort.history, decisions, allowed)
    return probabilities


@pytest.mark.parametrize(
    "learner",
    [PessimisticFQI(SETTINGS), ImplicitQLearning(SETTINGS), ConservativeQLearning(SETTINGS)],
    ids=lambda learner: type(learner).__name__,
)
def test_a_learned_policy_is_better_than_the_behaviour(cohort, learner) -> None:
    policy = learner.fit(select_split(cohort, TRAIN), select_split(cohort, VALIDATION))
    mdp = survival_mdp()
    behaviour = policy_value(mdp, uniform_policy(mdp))
    assert policy_value(mdp, by_state(policy, cohort)) > behaviour + 0.02


@pytest.mark.parametrize(
    ("gain", "responses", "kept"),
    [(-0.019, False, True), (-0.021, False, False), (-0.021, True, True)],
)
def test_past_treatments_are_given_up_where_returns_are_clearly_predicted_worse(
    monkeypatch: pytest.MonkeyPatch, gain: float, responses: bool, kept: bool
) -> None:
    monkeypatch.setattr(dataset, "memory_gain", lambda *_: (gain, 0.01))
    cohort = small_trajectories(200)
    parts = (select_split(cohort, split) for split in (TRAIN, VALIDATION))
    settings = QNetworkSettings(hidden=8, members=1, epochs=1, responses=responses)
    assert (PessimisticFQI(settings).fit(*parts).spec.treatment_lags > 0) is kept
