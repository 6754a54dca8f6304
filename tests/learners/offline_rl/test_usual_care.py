"""The model of usual care knows more than the shares of the options, with few patients too."""

import numpy as np
import pytest

from posology.domain.cohort import TEST, TRAIN, VALIDATION, select_split, subset_decisions
from posology.learners.offline_rl.behaviour_cloning import BehaviourCloning
from posology.learners.offline_rl.q_network import QNetworkSettings, with_enough_batches
from posology.learners.offline_rl.usual_care import (
    clone_usual_care,
    treatment_log_loss,
)
from tests.builders.belief_cohort import small_trajectories


def test_few_patients_teach_most_of_what_clinicians_do() -> None:
    cohort = small_trajectories(400)
    train, validation, test = (select_split(cohort, n) for n in (TRAIN, VALIDATION, TEST))
    share = np.bincount(train.treatment) / len(train)
    ignorant = -np.log(share[test.treatment]).mean()
    known = -np.log(test.logged_probability).mean()
    clone = treatment_log_loss(BehaviourCloning(QNetworkSettings()).fit(train, train), test)
    now = treatment_log_loss(clone_usual_care(train, validation, 0), test)
    assert (ignorant - now) / (ignorant - known) > 0.75
    assert (ignorant - clone) / (ignorant - known) > 0.4, "any learner has enough batches"


@pytest.mark.parametrize(("decisions", "batch", "epochs"), [(1_000, 256, 100), (10**6, 2_048, 14)])
def test_a_pass_of_few_batches_is_repeated_more_often(
    decisions: int, batch: int, epochs: int
) -> None:
    settings = with_enough_batches(QNetworkSettings(), decisions)
    assert (settings.batch, settings.epochs) == (batch, epochs)


def test_without_decisions_to_compare_on_the_first_clone_is_taken() -> None:
    cohort = small_trajectories(40)
    train = select_split(cohort, TRAIN)
    nobody = subset_decisions(train, np.zeros(len(train), dtype=bool))
    assert clone_usual_care(train, nobody, 0).spec.treatment_lags == 2
