"""Diagnosis and progression: heads that a cohort with targets switches on."""

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
    fitting = learner.fit_epochs(select_split(whole, TRAIN), select_split(whole, VALIDATION))
    return whole, *run_quietly(fitting, "", 0)


def test_diagnoses_numbers_and_times_are_learned(learned: tuple) -> None:
    whole, policy, _ = learned
    test = select_split(whole, TEST)
    said = policy.predict_outcomes(test.history, test.last_step)
    assert said.diagnosis.shape == (len(test), 2, 4)
    assert ((said.diagnosis >= 0) & (said.diagnosis <= 1)).all()
    truth = test.diagnosis
    p = said.diagnosis.mean(2)
    assert p[truth[:, 0] == 1, 0].mean() > p[truth[:, 0] == 0, 0].mean() + 0.2
    number = test.progression[:, 0]
    off = np.abs(said.progression.mean(2)[:, 0] - number)
    assert off.mean() < 0.5 * number.std()
    assert (off <= said.progression_error[0]).mean() > 0.85
    survival = said.survival.mean(3)[:, 0]
    assert survival.shape == (len(test), INTERVALS)
    assert (np.diff(survival, axis=1) <= 0).all()
    assert survival[truth[:, 0] == 1, -1].mean() < survival[truth[:, 0] == 0, -1].mean() - 0.2


def test_losses_are_told_by_name(learned: tuple) -> None:
    first, last = learned[2][0], learned[2][-1]
    for told in (first.train, last.validation):
        assert {"effectiveness", "dose", "propensity", "diagnosis", "course", "hazard"} <= set(told)
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


def test_intervals_of_events_and_of_who_left() -> None:
    whole = with_targets(cohort(60, 2))
    waited = np.array([[10.0], [10.0], [10.5], [120.0], [120.0], [np.nan]], np.float32)
    occurred = np.array([[True], [False], [True], [True], [False], [False]])
    six = replace(
        subset_decisions(whole, np.arange(len(whole)) < 6),
        event_time=waited,
        event_observed=occurred,
    )
    survived, happened = survival_intervals(six)
    assert survived[:, 0].tolist() == [0, 1, 1, 11, 12, -1]
    assert happened[:, 0].tolist() == [True, False, True, True, False, False]


def test_a_network_that_is_asked_nothing_predicts_nothing() -> None:
    said = fitted_policy("posology").predict_outcomes(
        iwpc_cohort().history, iwpc_cohort().last_step
    )
    assert said.diagnosis.shape[:2] == said.progression.shape[:2] == (len(iwpc_cohort()), 0)
    assert said.survival.shape[1] == 0


def test_too_few_validation_patients_tell_no_distance() -> None:
    whole = with_targets(cohort(60, 2))
    learner = Supervised(Sizes(8, 4, 8, 1, 2, 0.0), Training(1e-2, batch=32, epochs=1, patience=0))
    few = select_split(whole, VALIDATION)
    policy = learner.fit(select_split(whole, TRAIN), subset_decisions(few, np.arange(len(few)) < 5))
    assert np.isnan(policy.predict_outcomes(few.history, few.last_step).progression_error).all()


def test_a_study_that_asks_nothing_has_no_such_heads() -> None:
    import torch

    heads = TaskHeads(TaskCounts(), 5, 3, 4)
    assert not list(heads.parameters())
    nothing = torch.zeros(2, 3, 0)
    said = heads(dict.fromkeys(("diagnosis", "progression", "hazard"), nothing), torch.zeros(2, 4))
    assert said.diagnosis.shape == said.progression.shape == (2, 3, 0)
    assert said.hazard.shape == (2, 3, 0, 0)


def test_hazards_have_one_logit_an_incident_and_interval() -> None:
    import torch

    heads = TaskHeads(TaskCounts(times_to_event=2, intervals=6), 5, 3, 4)
    nothing = torch.zeros(4, 3, 0)
    logits = heads.heads["hazard"](torch.zeros(4, 3, 5))
    said = heads(
        {"diagnosis": nothing, "progression": nothing, "hazard": logits}, torch.zeros(4, 4)
    )
    assert said.hazard.shape == (4, 3, 2, 6)
