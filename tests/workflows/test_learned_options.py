"""No policy prefers an option that too few training patients were given to learn from."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from posology import artifact
from posology.domain.cohort import TRAIN, VALIDATION, Cohort, select_split
from posology.domain.policy import choose_learned, predict_with
from posology.learners import recipes
from posology.learners.methods import build_learner
from posology.learners.network.policy import NetworkPolicy
from posology.learners.offline_rl.pessimistic_fqi import PessimisticFQI
from posology.learners.offline_rl.q_network import QNetworkSettings
from posology.learners.offline_rl.tabular_policy import StateCodeLearner
from posology.learners.recurrent.joint import JointValues
from posology.learners.stack.policy import EFFECTIVENESS, StackedPolicy
from posology.simulators.conversion import StudyNames, to_cohort
from posology.simulators.mdp import sample_trajectories
from posology.workflows.fit import fit
from posology.workflows.fitting.learned_options import LEAST_PATIENTS, mark_unlearned
from tests.builders.decision_processes import survival_mdp, uniform_policy
from tests.builders.policies import BRIEF
from tests.builders.small_cohorts import FORMULARY, small_cohort
from tests.builders.small_recipes import small_recipe

LOW, MEDIUM, HIGH = range(3)
TINY = QNetworkSettings(hidden=8, members=1, epochs=1, lags=1, code_steps=1)


def cohort(given: int, patients: int = 300) -> Cohort:
    """Of each patient only what was given is known; `given` got the high dose, which helps all."""
    made = small_cohort(5, patients, best_known=False)
    rng = np.random.default_rng(1)
    treatment = rng.integers(0, 2, patients).astype(np.int32)
    treatment[:given] = HIGH
    effective = np.where(treatment == HIGH, 1.0, rng.random(patients) < 0.3).astype(np.float32)
    split = np.where(np.arange(patients) < 0.8 * patients, TRAIN, VALIDATION).astype(np.int8)
    study = replace(made.study, outcome=replace(made.study.outcome, kind="value_in_range"))
    changed = {"treatment": treatment, "effective": effective, "split": split, "study": study}
    return replace(made, reward=effective, **changed)


@pytest.mark.parametrize(
    ("method", "given"),
    [("logistic", 0), ("logistic", 3), ("boosting", LEAST_PATIENTS - 1), ("network", 3)],
)
def test_a_saved_policy_never_prefers_it(
    method: str, given: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        recipes, "recipe_for_cohort", lambda train, seed=0, device="cpu": small_recipe(seed)
    )
    made = cohort(given)
    result = fit(made, method, evidence_decisions=0)
    assert "Too few training patients were given high to learn from" in result.summary()
    assert result.study == made.study  # the study itself says nothing of it
    result.save(tmp_path / "model")
    policy = artifact.load(tmp_path / "model").policy
    at = made.history, made.last_step
    everything = np.ones((len(made), 3), dtype=bool)
    for chosen in (
        policy.choice_probabilities(*at, everything),
        predict_with(policy, *at, everything).choice,
    ):
        assert (chosen[:, HIGH] == 0).all()
        assert chosen.sum(axis=1) == pytest.approx(1)
    alone = policy.choice_probabilities(*at, everything & (np.arange(3) == HIGH))
    assert (alone[:, HIGH] == 1).all()
    if isinstance(policy, NetworkPolicy):  # as after the second phase
        tempered = replace(policy, decoding=replace(policy.decoding, temperature=0.01))
        assert (tempered.choice_probabilities(*at, everything)[:, HIGH] == 0).all()


def test_without_the_mark_the_same_fit_prefers_it() -> None:
    """What the mark is for: a guess beyond the data is the largest."""
    made = cohort(3)
    train, validation = (select_split(made, split) for split in (TRAIN, VALIDATION))
    policy = build_learner("logistic", 0).fit(train, validation)
    everything = np.ones((len(made), 3), dtype=bool)
    chosen = policy.choice_probabilities(made.history, made.last_step, everything)
    assert chosen[:, HIGH].mean() > 0.5


def test_an_option_of_enough_training_patients_is_learned() -> None:
    assert mark_unlearned(cohort(LEAST_PATIENTS)).study.formulary.unlearned == ()
    assert mark_unlearned(cohort(LEAST_PATIENTS - 1)).study.formulary.unlearned == ("high",)


def test_only_known_outcomes_of_training_patients_count() -> None:
    made = cohort(80)
    lost = np.arange(len(made)) < 40
    unknown = replace(
        made,
        outcome_observed=~lost,
        reward=np.where(lost, np.nan, made.reward).astype(np.float32),
    )
    assert mark_unlearned(unknown).study.formulary.unlearned == ("high",)
    validated = replace(made, split=np.where(lost, VALIDATION, made.split).astype(np.int8))
    assert mark_unlearned(validated).study.formulary.unlearned == ("high",)
    again = replace(made, subject=np.where(np.arange(len(made)) < 80, 0, made.subject))
    assert mark_unlearned(again).study.formulary.unlearned == ("high",)  # one patient, 80 times


def test_where_no_option_has_enough_patients_only_unknown_ones_are_left_out() -> None:
    assert mark_unlearned(cohort(0, patients=60)).study.formulary.unlearned == ("high",)
    assert mark_unlearned(cohort(3, patients=60)).study.formulary.unlearned == ()


def test_where_every_option_is_known_of_every_patient_all_are_learned() -> None:
    """As in a study of doses, where the right one tells of the others."""
    assert mark_unlearned(small_cohort(5, 300, best_known=True)).study.formulary.unlearned == ()


def test_options_that_were_not_learned_are_equal() -> None:
    formulary = replace(FORMULARY, unlearned=("medium", "high"))
    allowed = np.array([[True, True, True], [False, True, True], [False, False, True]])
    seen = []

    def choose(among: np.ndarray) -> np.ndarray:
        seen.append(among)
        return np.eye(3)[among.shape[1] - 1 - among[:, ::-1].argmax(axis=1)]  # the last one

    found = choose_learned(formulary, allowed, choose)
    assert found == pytest.approx(np.array([[1, 0, 0], [0, 0.5, 0.5], [0, 0, 1]]))
    assert all(among.any(axis=1).all() for among in seen)


def test_policies_of_trajectories_do_not_prefer_it_either() -> None:
    mdp = survival_mdp()
    usual = uniform_policy(mdp) * (np.arange(4) < 3)
    usual /= usual.sum(axis=1, keepdims=True)
    logged = to_cohort(
        sample_trajectories(mdp, usual, 250, np.random.default_rng(0)),
        StudyNames("ward", ("t0", "t1", "t2", "t3")),
    )
    rare = np.isin(logged.subject, np.arange(3)) & (logged.split == TRAIN)
    treatment = np.where(rare, 3, logged.treatment).astype(np.int32)
    reward = np.where(rare, 100.0, logged.reward).astype(np.float32)
    marked = mark_unlearned(replace(logged, treatment=treatment, reward=reward))
    assert marked.study.formulary.unlearned == ("t3",)
    train, rest = (select_split(marked, split) for split in (TRAIN, VALIDATION))
    fqi, recurrent = PessimisticFQI(TINY), BRIEF
    everything = np.ones((len(marked), 4), dtype=bool)
    for learner in (fqi, StateCodeLearner(), recurrent, JointValues(recurrent, fqi)):
        policy = learner.fit(train, rest)
        chosen = policy.choice_probabilities(marked.history, marked.last_step, everything)
        assert (chosen[:, 3] == 0).all(), type(policy)


def test_a_stack_does_not_prefer_it_either() -> None:
    marked = mark_unlearned(cohort(3))
    train, rest = (select_split(marked, split) for split in (TRAIN, VALIDATION))
    members = tuple(build_learner(name, 0).fit(train, rest) for name in ("logistic", "boosting"))
    half = np.array([0.5, 0.5])
    formulary, profile = marked.study.formulary, marked.profile
    stack = StackedPolicy(formulary, profile, members, 0, half, half, np.eye(3), EFFECTIVENESS)
    everything = np.ones((len(marked), 3), dtype=bool)
    at = marked.history, marked.last_step, everything
    assert (stack.predict_effectiveness(*at).mean(axis=2).argmax(axis=1) == HIGH).mean() > 0.5
    for chosen in (stack.choice_probabilities(*at), stack.predict(*at).choice):
        assert (chosen[:, HIGH] == 0).all()
