"""Tables under the contract of every policy: cohort in, probabilities out."""

from dataclasses import replace

import numpy as np
import pytest

from posology.domain.cohort import TRAIN, VALIDATION, select_split
from posology.domain.policy import Learner, Policy, allow_all_treatments
from posology.domain.trajectories import next_state_codes, select_episodes, state_codes
from posology.errors import UserError
from posology.learners.offline_rl.tabular import (
    Shrinkage,
    count_transitions,
    shrunk_value_iteration,
)
from posology.learners.offline_rl.tabular_policy import StateCodeLearner, state_trajectories
from posology.simulators.conversion import StudyNames, to_cohort
from posology.simulators.mdp import policy_value, sample_trajectories
from tests.builders.decision_processes import survival_mdp, uniform_policy

NAMES = StudyNames("ward", ("t0", "t1", "t2", "t3"))


@pytest.fixture(scope="module")
def logged():
    mdp = survival_mdp()
    return sample_trajectories(mdp, uniform_policy(mdp), 3_000, np.random.default_rng(0))


def test_a_cohort_gives_back_its_trajectories(logged):
    again = state_trajectories(to_cohort(logged, NAMES))
    assert np.array_equal(state_codes(again), state_codes(logged))
    assert np.array_equal(next_state_codes(again), next_state_codes(logged))
    assert np.array_equal(again.terminal, logged.terminal)
    assert np.array_equal(again.treatment, logged.treatment)
    assert np.array_equal(count_transitions(again).visits, count_transitions(logged).visits)


def test_the_learner_is_pooled_on_both_parts(logged):
    cohort = to_cohort(logged, NAMES)
    learner = StateCodeLearner(Shrinkage(prior_visits=20.0))
    train, validation = select_split(cohort, TRAIN), select_split(cohort, VALIDATION)
    policy = learner.fit(train, validation)
    assert isinstance(learner, Learner)
    assert isinstance(policy, Policy)
    chosen = np.concatenate([train.history.subject_id, validation.history.subject_id])
    same = shrunk_value_iteration(
        count_transitions(select_episodes(logged, chosen)), Shrinkage(prior_visits=20.0)
    )
    assert np.allclose(policy.table.probabilities, same.probabilities)
    mdp = survival_mdp()
    assert (
        policy_value(mdp, policy.table.probabilities)
        > policy_value(mdp, uniform_policy(mdp)) + 0.02
    )


def test_forbidden_options_get_nothing_and_rows_sum_to_one(logged):
    cohort = to_cohort(logged, NAMES)
    policy = StateCodeLearner().fit(select_split(cohort, TRAIN), select_split(cohort, VALIDATION))
    decisions = cohort.last_step[:500]
    free = policy.choice_probabilities(
        cohort.history, decisions, allow_all_treatments(decisions, policy.formulary)
    )
    allowed = np.ones((500, 4), dtype=bool)
    allowed[np.arange(500), free.argmax(axis=1)] = False
    rest = policy.choice_probabilities(cohort.history, decisions, allowed)
    worth = policy.predict_effectiveness(cohort.history, decisions, allowed)[:, :, 0]
    assert np.allclose(free.sum(axis=1), 1)
    assert np.allclose(rest.sum(axis=1), 1)
    assert not rest[~allowed].any()
    assert not worth[~allowed].any()
    assert np.array_equal(rest.argmax(axis=1), worth.argmax(axis=1))
    assert np.isnan(policy.predict_doses(cohort.history, decisions, allowed).by_treatment).all()


def test_a_state_of_several_codes_is_refused(logged):
    cohort = to_cohort(select_episodes(logged, np.arange(20)), NAMES)
    wrong = replace(cohort, last_step=cohort.last_step + 1)  # the treatment, not the state
    with pytest.raises(UserError, match="must hold exactly one code of the family STATE"):
        state_trajectories(wrong)
    none = replace(cohort, treatment=np.full(len(cohort), -1, np.int32))
    with pytest.raises(UserError, match="decisions of study ward have none of its treatments"):
        state_trajectories(none)
