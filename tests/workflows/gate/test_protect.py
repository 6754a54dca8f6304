"""A policy is used over many decisions only where its gain over usual care is shown."""

from dataclasses import replace

import numpy as np
import pytest

from posology.domain.cohort import VALIDATION, Cohort, select_split
from posology.domain.policy import Doses
from posology.learners.offline_rl.behaviour_cloning import BehaviourCloning
from posology.learners.offline_rl.q_network import QNetworkSettings
from posology.simulators.conversion import StudyNames, to_cohort
from posology.simulators.mdp import Mdp, optimal_policy, sample_trajectories
from posology.workflows.gate import protect as protecting
from posology.workflows.gate.protect import MIN_PATIENTS, protect
from posology.workflows.gate.protection import EVIDENCE, describe_protection
from tests.builders.decision_processes import survival_mdp, uniform_policy

NAMES = StudyNames("ward", ("t0", "t1", "t2", "t3"))
TINY = QNetworkSettings(hidden=8, members=1, epochs=1, lags=1, code_steps=1)


class TablePolicy:
    """Options by the state code of the last visible step."""

    def __init__(self, table: np.ndarray) -> None:
        self.table = table

    def _state(self, history, decisions) -> np.ndarray:
        return history.code[history.event_offsets[decisions]]

    def choice_probabilities(self, history, decisions, allowed) -> np.ndarray:
        return self.table[self._state(history, decisions)]

    def predict_effectiveness(self, history, decisions, allowed) -> np.ndarray:
        return self.table[self._state(history, decisions)][:, :, None]

    def predict_doses(self, history, decisions, allowed) -> Doses:
        return Doses(np.full(allowed.shape, np.nan), np.full((len(decisions), 1), np.nan))


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        protecting,
        "clone_usual_care",
        lambda train, rest, _: BehaviourCloning(TINY).fit(train, rest),
    )


def cohort(mdp: Mdp, patients: int = 7_000) -> Cohort:
    logged = sample_trajectories(mdp, uniform_policy(mdp), patients, np.random.default_rng(0))
    return to_cohort(logged, NAMES)


def test_the_best_policy_is_used() -> None:
    mdp = survival_mdp()
    best = TablePolicy(optimal_policy(mdp, np.ones((14, 4), dtype=bool)))
    used, found = protect(best, best, cohort(mdp), seed=0)
    assert used is best
    assert found.is_used
    assert found.low is not None
    assert found.low > 0
    assert describe_protection({EVIDENCE: found.to_json()}) == ""


def test_the_worst_policy_is_replaced_by_usual_care_and_everybody_hears_it() -> None:
    mdp = survival_mdp()
    worst = optimal_policy(replace(mdp, reward=-mdp.reward), np.ones((14, 4), dtype=bool))
    made = cohort(mdp)
    used, found = protect(TablePolicy(worst), TablePolicy(worst), made, seed=0)
    assert not found.is_used
    assert found.gain is not None
    assert found.gain < 0
    validation = select_split(made, VALIDATION)
    everything = np.ones((len(validation), 4), dtype=bool)
    drawn = used.choice_probabilities(validation.history, validation.last_step, everything)
    np.testing.assert_allclose(drawn, 0.25, atol=0.1)
    said = describe_protection({EVIDENCE: found.to_json()})
    assert said.startswith("These options are ranked by how usual they are: no policy was shown")
    assert "validation patients" in said


def test_too_few_patients_show_nothing() -> None:
    made = cohort(survival_mdp(), 200)
    policy = TablePolicy(np.eye(4)[np.zeros(14, int)])
    _, found = protect(policy, policy, made, seed=0)
    assert not found.is_used
    assert f"{MIN_PATIENTS} are needed" in found.reason


def test_models_without_the_evidence_say_nothing() -> None:
    assert describe_protection({}) == ""
    assert describe_protection({EVIDENCE: None}) == ""
