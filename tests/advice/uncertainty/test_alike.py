from dataclasses import replace

import numpy as np
import pytest

from posology.advice.uncertainty.alike import (
    LEAST_COUNT,
    PatientsAlike,
    answer,
    answers_as_text,
    fit_patients_alike,
)
from posology.domain.cohort import Cohort, subset_decisions
from tests.builders.policies import iwpc_cohort
from tests.builders.small_cohorts import take_decisions


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    return iwpc_cohort()


@pytest.fixture(scope="module")
def alike(cohort: Cohort) -> PatientsAlike:
    found = fit_patients_alike(cohort, 20, np.random.default_rng(0))
    assert found is not None
    return found


def test_the_cells_count_the_patients_with_the_same_answers(
    cohort: Cohort, alike: PatientsAlike
) -> None:
    assert alike.questions
    answers = answer(alike.questions, cohort.profile, cohort.history, cohort.last_step)
    texts = [answers_as_text(row) for row in answers]
    for cell in alike.cells:
        found = texts.count(cell.answers)
        hidden = any(option.patients is None for option in cell.options)
        assert cell.patients == (found - found % LEAST_COUNT if hidden else found)
    kept = sum(texts.count(cell.answers) for cell in alike.cells)
    assert len(cohort) - kept == sum(texts.count(t) < LEAST_COUNT for t in texts)


def test_nearly_all_training_patients_have_enough_alike(
    cohort: Cohort, alike: PatientsAlike
) -> None:
    answers = answer(alike.questions, cohort.profile, cohort.history, cohort.last_step)
    texts = [answers_as_text(row) for row in answers]
    assert np.mean([texts.count(text) >= 20 for text in texts]) >= 0.99


def test_no_count_from_one_to_four_is_kept(cohort: Cohort) -> None:
    small = subset_decisions(cohort, np.arange(len(cohort)) < 60)
    effective = (np.arange(60) % 7 == 0).astype(np.float32)
    study = replace(small.study, outcome=replace(small.study.outcome, kind="occurs"))
    treatment = (np.arange(60) % 23 == 0).astype(np.int32)
    small = replace(small, effective=effective, study=study, treatment=treatment)
    found = fit_patients_alike(small, 5, np.random.default_rng(0))
    assert found is not None
    counts = [
        count
        for cell in found.cells
        for option in cell.options
        for count in (
            cell.patients,
            option.patients,
            option.known,
            option.reached_goal,
            None
            if option.known is None or option.reached_goal is None
            else option.known - option.reached_goal,
        )
        if count is not None
    ]
    assert counts
    assert not [count for count in counts if 0 < count < LEAST_COUNT]
    assert any(option.patients is None for cell in found.cells for option in cell.options)


def test_a_patient_of_several_decisions_is_counted_once(cohort: Cohort) -> None:
    doubled = take_decisions(cohort, np.repeat(np.arange(50), 2))
    found = fit_patients_alike(doubled, 1000, np.random.default_rng(0))
    assert found is not None
    assert found.questions == ()
    assert [cell.patients for cell in found.cells] == [50]


def test_a_patient_with_other_answers_has_no_cell(alike: PatientsAlike) -> None:
    assert alike.cell("no such answers") is None
