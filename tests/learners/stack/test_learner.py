"""The stack is the mean of its members, and knows the rewards of its study."""

from dataclasses import fields, replace

import numpy as np
import pytest

from posology.domain.cohort import TRAIN, VALIDATION, select_split
from posology.domain.policy import allow_all_treatments
from posology.learners.outcome_models.logistic import LinearPolicy
from posology.learners.stack.policy import NETWORK, StackedPolicy
from tests.builders.policies import SMALL_STACK, fitted_policy, iwpc_cohort


def stack() -> StackedPolicy:
    policy = fitted_policy("stack")
    assert isinstance(policy, StackedPolicy)
    return policy


def test_answers_lie_between_those_of_the_members() -> None:
    policy, c = stack(), iwpc_cohort()
    allowed = allow_all_treatments(c.last_step, c.study.formulary)
    doses = [
        m.predict_doses(c.history, c.last_step, allowed).overall.mean(1) for m in policy.members
    ]
    used = [d for d, weight in zip(doses, policy.dose_weight, strict=True) if weight > 0]
    mine = policy.predict_doses(c.history, c.last_step, allowed).overall.mean(1)
    assert (mine >= np.min(used, axis=0) - 1e-9).all()
    assert (mine <= np.max(used, axis=0) + 1e-9).all()
    assert np.ptp(used, axis=0).max() > 1, "the members must differ"


@pytest.mark.parametrize("silent", [0, 1, 2])
def test_a_member_without_weight_is_not_asked_and_nothing_else_changes(silent: int) -> None:
    policy, c = stack(), iwpc_cohort()
    weight = np.where(np.arange(3) == silent, 0.0, 0.5)
    for both in (weight, np.eye(3)[2 - silent]):
        fewer = replace(policy, effectiveness_weight=weight, dose_weight=both)
        allowed = allow_all_treatments(c.last_step, c.study.formulary)
        at = c.history, c.last_step, allowed
        together = fewer.predict(*at)
        np.testing.assert_array_equal(together.effectiveness, fewer.predict_effectiveness(*at))
        np.testing.assert_array_equal(together.choice, fewer.choice_probabilities(*at))
        np.testing.assert_array_equal(together.doses.overall, fewer.predict_doses(*at).overall)


def test_weights_are_shares() -> None:
    policy = stack()
    for weight in (policy.effectiveness_weight, policy.dose_weight):
        assert len(weight) == len(policy.members) == 3
        assert (weight >= 0).all()
        assert np.isclose(weight.sum(), 1.0)


def test_the_network_whose_second_phase_chooses_stays_beside_the_one_fitted_again() -> None:
    c = iwpc_cohort()
    train, validation = select_split(c, TRAIN), select_split(c, VALIDATION)
    first = fitted_policy("posology_supervised")
    others = SMALL_STACK.fit_members(train, validation)
    trial = SMALL_STACK.judge(first, others, train, validation)
    choosing = replace(trial, policy=replace(trial.policy, chooses_by=NETWORK))
    both = SMALL_STACK.complete(choosing, train, validation)
    assert both.members[0] is first
    assert both.networks == 2
    for weight in (both.effectiveness_weight, both.dose_weight):
        assert weight[0] == weight[1], "the networks share the network's weight"
        assert np.isclose(weight.sum(), 1.0)
    assert first not in SMALL_STACK.complete(trial, train, validation).members


def test_the_choice_has_the_highest_expected_reward() -> None:
    policy, c = stack(), iwpc_cohort()
    allowed = allow_all_treatments(c.last_step, c.study.formulary)
    p = policy.predict_effectiveness(c.history, c.last_step, allowed).mean(2)
    chosen = policy.choice_probabilities(c.history, c.last_step, allowed).argmax(1)
    best = (p @ policy.reward.T).argmax(1)
    np.testing.assert_array_equal(chosen, best)


def test_no_training_patients_row_is_kept() -> None:
    """Arrays of as many rows as patients would be their values, as a kernel machine keeps them."""
    policy, c = stack(), iwpc_cohort()
    kernel = policy.members[-1]
    patients = len(c.history.subject_id)
    assert isinstance(kernel, LinearPolicy)
    for field in fields(kernel):
        value = getattr(kernel, field.name)
        assert not isinstance(value, np.ndarray) or patients not in value.shape, field.name
