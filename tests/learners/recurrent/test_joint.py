"""How much each of two policies' values counts."""

from dataclasses import replace

import numpy as np
import pytest

from posology.domain.cohort import VALIDATION, select_split
from posology.learners.features.rewards import known_rewards
from posology.learners.recurrent.joint import fit_value_weight
from tests.builders.belief_cohort import small_trajectories


@pytest.fixture(scope="module")
def visits():
    """Visits without a later one, whose reward is an option's own effect, known to the analyst."""
    cohort = select_split(small_trajectories(400), VALIDATION)
    study = replace(cohort.study, reward=replace(cohort.study.reward, discount=0.0))
    options = len(study.formulary.treatments)
    effect = np.random.default_rng(3).normal(size=(len(cohort), options))
    reward = effect[np.arange(len(cohort)), np.maximum(cohort.treatment, 0)]
    unknown = np.full_like(known_rewards(cohort), np.nan)
    return replace(
        cohort, study=study, reward=reward.astype(np.float32), potential_rewards=unknown
    ), effect


def weight(cohort, recurrent, window) -> float:
    uniform = np.full(recurrent.shape, 1 / recurrent.shape[1])
    return fit_value_weight((recurrent, window), uniform, cohort, 0.1)


def test_values_that_tell_options_apart_count_for_more(visits) -> None:
    cohort, effect = visits
    wrong = np.random.default_rng(4).normal(size=effect.shape)
    assert weight(cohort, effect, wrong) > 0.7
    assert weight(cohort, wrong, effect) < 0.3


def test_knowing_states_but_not_options_earns_no_weight(visits) -> None:
    cohort, effect = visits
    states = 10 * np.random.default_rng(5).normal(size=(len(cohort), 1)) + np.zeros_like(effect)
    assert weight(cohort, effect, states) > weight(cohort, states, states)
    assert weight(cohort, states, effect) < 0.3


def test_equal_values_and_few_decisions_leave_equal_weights(visits) -> None:
    cohort, effect = visits
    assert weight(cohort, effect, effect) == 0.5
    unseen = replace(cohort, treatment=np.full(len(cohort), -1, cohort.treatment.dtype))
    assert weight(unseen, effect, -effect) == 0.5
