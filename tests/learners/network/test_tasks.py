"""Diagnosis, progression and time to event: heads that exist where the cohort has targets."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from posology import artifact
from posology.domain.cohort import TEST, TRAIN, VALIDATION, Cohort, select_split, subset_decisions
from posology.domain.study import INTERVALS
from posology.learners.baselines import run_quietly
from posology.learners.network.checkpoint import Epoch
from posology.learners.network.policy import NetworkPolicy
from posology.learners.network.supervised import Sizes, Supervised
from posology.learners.network.tensors import survival_intervals
from posology.learners.network.training_loop import Training
from posology.nn.heads import TaskCounts, TaskHeads
from tests.builders.policies import fitted_policy, iwpc_cohort
from tests.builders.synthetic_iwpc import cohort, with_targets


@pytest.fixture(scope="module")
def learned() -> tuple[Cohort, NetworkPolicy, list[Epoch]]:
    whole = with_targets(cohort(400, 1))
    learner = Supervised(
        Sizes(16, 8, 32, 1, 4, 0.0), Training(1e-2, batch=32, epochs=25, patience=0)
    )
    epochs = learner.fit_epochs(select_split(whole, TRAIN), select_split(whole, VALIDATION))
    return whole, *run_quietly(epochs, "", 0)


def test_diagnoses_progressions_and_times_are_learned(learned: tuple) -> None:
    whole, policy, _ = learned
    test = select_split(whole, TEST)
    predicted = policy.predict_outcomes(test.history, test.last_step)
    assert predicted.diagnosis.shape == (len(test), 2, 4)
    assert ((predicted.diagnosis >= 0) & (predicted.diagnosis <= 1)).all()
    truth = test.diagnosis
    p = predicted.diagnosis.mean(2)
    assert p[truth[:, 0] == 1, 0].mean() > p[truth[:, 0] == 0, 0].mean() + 0.2
    number = test.progression[:, 0]
    error = np.abs(predicted.progression.mean(2)[:, 0] - number)
    assert error.mean() < 0.5 * number.std()
    assert (error <= predicted.progression_error[0]).mean() > 0.85
    survival = predicted.survival.mean(3)[:, 0]
    assert survival.shape == (len(test), INTERVALS)
    assert (np.diff(survival, axis=1) <= 0).all()
    assert survival[truth[:, 0] == 1, -1].mean() < survival[truth[:, 0] == 0, -1].mean() - 0.2


def test_losses_have_names(learned: tuple) -> None:
    first, last = learned[2][0], learned[2][-1]
    for losses in (first.train, last.validation):
        assert {"effectiveness", "dose", "propensity", "diagnosis", "course", "hazard"} <= set(
            losses
        )
    assert last.train["diagnosis"] < first.train["diagnosis"]


def test_saved_and_loaded_predicts_identically(learned: tuple, tmp_path: Path) -> None:
    whole, policy, _ = learned
    artifact.save(policy, whole.study, {}, tmp_path / "model")
    loaded = artifact.load(tmp_path / "model").policy
    assert isinstance(loaded, NetworkPolicy)
    a = policy.predict_outcomes(whole.history, whole.last_step)
    b = loaded.predict_outcomes(whole.history, whole.last_step)
    for name in ("diagnosis", "progression", "progression_error", "survival"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))


def test_survival_intervals_of_events_and_of_censoring() -> None:
    whole = with_targets(cohort(60, 2))
    waited = np.array([[10.0], [15.0], [10.5], [120.0], [120.0], [np.nan]], np.float32)
    occurred = np.array([[True], [False], [True], [True], [False], [False]])
    six = replace(
        subset_decisions(whole, np.arange(len(whole)) < 6),
        event_time=waited,
        event_observed=occurred,
    )
    survived, observed = survival_intervals(six)
    assert survived[:, 0].tolist() == [0, 1.5, 1, 11, 12, -1]
    assert observed[:, 0].tolist() == [True, False, True, True, False, False]


def test_a_network_without_tasks_predicts_no_outcomes() -> None:
    predicted = fitted_policy("posology").predict_outcomes(
        iwpc_cohort().history, iwpc_cohort().last_step
    )
    assert (
        predicted.diagnosis.shape[:2] == predicted.progression.shape[:2] == (len(iwpc_cohort()), 0)
    )
    assert predicted.survival.shape[1] == 0


def test_too_few_validation_patients_give_no_progression_error() -> None:
    whole = with_targets(cohort(60, 2))
    learner = Supervised(Sizes(8, 4, 8, 1, 2, 0.0), Training(1e-2, batch=32, epochs=1, patience=0))
    few = select_split(whole, VALIDATION)
    policy = learner.fit(select_split(whole, TRAIN), subset_decisions(few, np.arange(len(few)) < 5))
    assert np.isnan(policy.predict_outcomes(few.history, few.last_step).progression_error).all()


def test_a_study_without_targets_has_no_task_heads() -> None:
    import torch

    heads = TaskHeads(TaskCounts(), 5, 3, 4)
    assert not list(heads.parameters())
    nothing = torch.zeros(2, 3, 0)
    predicted = heads(
        dict.fromkeys(("diagnosis", "progression", "hazard"), nothing), torch.zeros(2, 4)
    )
    assert predicted.diagnosis.shape == predicted.progression.shape == (2, 3, 0)
    assert predicted.hazard.shape == (2, 3, 0, 0)


def test_hazards_have_one_logit_per_event_and_interval() -> None:
    import torch

    heads = TaskHeads(TaskCounts(times_to_event=2, intervals=6), 5, 3, 4)
    nothing = torch.zeros(4, 3, 0)
    logits = heads.heads["hazard"](torch.zeros(4, 3, 5))
    predicted = heads(
        {"diagnosis": nothing, "progression": nothing, "hazard": logits}, torch.zeros(4, 4)
    )
    assert predicted.hazard.shape == (4, 3, 2, 6)
