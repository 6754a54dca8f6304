"""The offline learners on a process whose truth is known."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from posology.domain.cohort import TRAIN, VALIDATION, Cohort, select_split
from posology.domain.policy import allow_all_treatments
from posology.learners.features.recent_window import build_recent_rows, fit_recent_window
from posology.learners.offline_rl import pessimistic_fqi
from posology.learners.offline_rl.cql import ConservativeQLearning
from posology.learners.offline_rl.iql import ImplicitQLearning
from posology.learners.offline_rl.pessimistic_fqi import PessimisticFQI
from posology.learners.offline_rl.q_network import (
    BATCHES_A_DECISION,
    QNetwork,
    QNetworkSettings,
    predict_outputs,
    select_rows,
    with_batches_for_values,
)
from posology.simulators.mdp import policy_value
from tests.builders.belief_cohort import small_trajectories
from tests.builders.decision_processes import survival_mdp, uniform_policy
from tests.builders.survival_cohort import survival_cohort

SETTINGS = QNetworkSettings(hidden=32, members=2, batch=256, epochs=12, learning_rate=5e-3, lags=1)

BRIEF = QNetworkSettings(hidden=8, members=1, epochs=1)
WITHOUT = QNetworkSettings(
    hidden=32, members=2, epochs=30, learning_rate=1e-2, treatment_lags=0, going_on=True
)


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    return survival_cohort(3_000)


@pytest.mark.parametrize("going_on", [False, True])
def test_numpy_predictions_equal_those_of_torch(cohort, going_on: bool) -> None:
    spec = fit_recent_window(cohort, 1, 2)
    rows = build_recent_rows(spec, cohort.history, cohort.last_step[:300])
    network = QNetwork(spec, 4, replace(SETTINGS, going_on=going_on))
    with torch.no_grad():
        network.last.normal_()
        network.going_on.normal_()
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


@pytest.mark.parametrize("responses", [False, True])
@pytest.mark.parametrize(("gain", "kept"), [(0.019, True), (0.021, False)])
def test_past_treatments_are_given_up_where_values_with_them_are_clearly_further_off(
    monkeypatch: pytest.MonkeyPatch, gain: float, responses: bool, kept: bool
) -> None:
    monkeypatch.setattr(pessimistic_fqi, "clustered_mean", lambda *_: (gain, 0.01))
    policy = PessimisticFQI(replace(BRIEF, responses=responses)).fit(*splits())
    assert (policy.spec.treatment_lags > 0) is kept
    assert (policy.spec.responses is not None) is (kept and responses)
    assert (policy.values.going_on.size > 0) is not kept


def test_a_price_on_changes_keeps_a_treatment_that_is_as_good_as_another() -> None:
    """Options without any effect, of which each change costs: the last one is chosen again."""
    train, validation = (_with_price(part) for part in splits())
    policy = PessimisticFQI(WITHOUT, min_support=0.0).fit(train, validation)
    rows = build_recent_rows(policy.spec, train.history, train.last_step)
    known = rows.last_treatment >= 0
    allowed = allow_all_treatments(train.last_step, policy.formulary)
    chosen = policy.choice_probabilities(train.history, train.last_step, allowed).argmax(axis=1)
    assert (chosen == rows.last_treatment)[known].mean() > 0.8, "0.59 without `going_on`"


def test_where_patients_have_many_decisions_there_are_more_batches() -> None:
    train, _ = splits()
    length = len(train) / len(np.unique(train.subject))
    settings = with_batches_for_values(QNetworkSettings(epochs=10), train)
    assert settings.batches == int(np.ceil(BATCHES_A_DECISION * length / 10))
    assert with_batches_for_values(QNetworkSettings(batches=99), train).batches == 99


def _with_price(part: Cohort) -> Cohort:
    """Rewards of nothing but 1 where the option given last is given again."""
    spec = fit_recent_window(part, 1, 1)
    last = build_recent_rows(spec, part.history, part.last_step).last_treatment
    unknown = np.full_like(part.potential_rewards, np.nan)
    reward = (last == part.treatment).astype(np.float32)
    return replace(part, reward=reward, potential_rewards=unknown)


def splits() -> tuple[Cohort, Cohort]:
    cohort = small_trajectories(200)
    return select_split(cohort, TRAIN), select_split(cohort, VALIDATION)
