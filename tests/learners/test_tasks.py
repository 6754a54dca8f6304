"""Diagnosis and progression: heads that a cohort with targets switches on."""

from pathlib import Path

import numpy as np
import pytest

from posology import artifact
from posology.domain.cohort import TRAIN, VALIDATION, Cohort, part
from posology.domain.history import latest_value, present
from posology.learners import supervised, tensors
from posology.learners.loop import Training
from posology.learners.neural import NetworkPolicy
from posology.learners.supervised import Sizes, Supervised, finish
from posology.nn.heads import TaskHeads, Tasks
from tests.world import cohort


def made_up(task: str, c: Cohort) -> np.ndarray:
    """Two diagnoses and a number that the past decides, with holes where nobody looked."""
    height = np.nan_to_num(
        latest_value(c.history, c.last_step, c.profile.rows(("HEIGHT",))), nan=170.0
    )
    if task == "progression":
        return (2 * height[:, None] + 5).astype(np.float32)
    amiodarone = present(c.history, c.last_step, c.profile.rows(("DRUG//amiodarone//yes",)))
    truth = np.stack([amiodarone, height > 170], 1).astype(np.float32)
    truth[::7, 0] = np.nan
    return truth


@pytest.fixture(scope="module")
def learned() -> tuple[Cohort, NetworkPolicy, list]:
    whole = cohort(240, 1)
    learner = Supervised(
        Sizes(16, 8, 32, 1, 4, 0.0), Training(1e-2, batch=32, epochs=30, patience=0)
    )
    with pytest.MonkeyPatch.context() as patch:
        for module in (tensors, supervised):
            patch.setattr(module, "columns", made_up)
        fitting = learner.fitting(part(whole, TRAIN), part(whole, VALIDATION))
        epochs = list(fitting)
        policy = finish(learner.fitting(part(whole, TRAIN), part(whole, VALIDATION)))
    return whole, policy, epochs


def test_diagnoses_and_numbers_are_learned(learned: tuple) -> None:
    whole, policy, _ = learned
    test = part(whole, VALIDATION)
    said = policy.foresee(test.history, test.last_step)
    assert said.diagnosis.shape == (len(test), 2)
    assert ((said.diagnosis >= 0) & (said.diagnosis <= 1)).all()
    truth = made_up("diagnosis", test)
    came, not_came = said.diagnosis[truth[:, 0] == 1, 0], said.diagnosis[truth[:, 0] == 0, 0]
    assert came.mean() > not_came.mean() + 0.2
    number = made_up("progression", test)[:, 0]
    assert np.abs(said.progression[:, 0] - number).mean() < 0.5 * number.std()


def test_losses_are_told_by_name(learned: tuple) -> None:
    first, last = learned[2][0], learned[2][-1]
    for told in (first.train, last.validation):
        assert {"effectiveness", "dose", "propensity", "diagnosis", "course"} <= set(told)
    assert last.train["diagnosis"] < first.train["diagnosis"]


def test_saved_and_loaded_foresees_identically(learned: tuple, tmp_path: Path) -> None:
    whole, policy, _ = learned
    artifact.save(policy, whole.study, {}, tmp_path / "model")
    loaded = artifact.load(tmp_path / "model").policy
    assert isinstance(loaded, NetworkPolicy)
    a = policy.foresee(whole.history, whole.last_step)
    b = loaded.foresee(whole.history, whole.last_step)
    np.testing.assert_array_equal(a.diagnosis, b.diagnosis)
    np.testing.assert_array_equal(a.progression, b.progression)


def test_a_study_that_asks_nothing_has_no_such_heads() -> None:
    import torch

    heads = TaskHeads(Tasks(), 5, 3)
    assert not list(heads.parameters())
    said = heads(torch.zeros(2, 3, 5))
    assert said.diagnosis.shape == said.course.shape == (2, 3, 0)
    assert said.hazard.shape == (2, 3, 0, 0)


def test_hazards_have_one_logit_an_incident_and_interval() -> None:
    import torch

    heads = TaskHeads(Tasks(incidents=2, intervals=6), 5, 3)
    assert heads(torch.zeros(4, 3, 5)).hazard.shape == (4, 3, 2, 6)
