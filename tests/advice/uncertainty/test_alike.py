from dataclasses import replace

import numpy as np
import pytest

from posology.advice.uncertainty.alike import (
    LEAST_COUNT,
    PatientsAlike,
    _candidates,
    answer,
    answers_as_text,
    fit_patients_alike,
)
from posology.advice.uncertainty.facts import FactTable
from posology.domain.cohort import OUTCOME, Cohort, subset_decisions
from tests.builders.policies import iwpc_cohort
from tests.builders.small_cohorts import small_cohort, take_decisions


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


def test_late_decisions_of_which_only_events_are_known_are_not_among_the_known() -> None:
    """The records end 90 days after the first half's decisions, and with the second half's."""
    made = small_cohort(0, 400, best_known=True)
    early = np.arange(len(made)) < len(made) // 2
    time = np.where(early, 0.0, 89.0)
    followed = np.where(early, 90.0, 1.0).astype(np.float32)
    effective = np.where(early, 1, 0).astype(made.effective.dtype)  # late ones: known by the event
    event = replace(made.study, outcome=replace(made.study.outcome, kind="does_not_occur"))
    dated = replace(made, study=event, time=time, days_followed=followed, effective=effective)
    assert dated.study.outcome.within_days == 90
    found = fit_patients_alike(dated, 1000, np.random.default_rng(0))
    assert found is not None
    options = [option for cell in found.cells for option in cell.options]
    assert sum(option.patients or 0 for option in options) == len(made)
    assert sum(option.known or 0 for option in options) == early.sum()
    assert sum(option.reached_goal or 0 for option in options) == early.sum()


def test_records_of_a_trial_may_end_with_its_last_visit() -> None:
    """Its window reaches beyond that, and each patient's number is known all the same."""
    made = small_cohort(0, 400, best_known=True)
    study = replace(made.study, outcome=replace(made.study.outcome, kind="value_in_range"))
    visits = np.full(len(made), 84.0, np.float32)  # of a window of 90 days
    trial = replace(
        made,
        study=study,
        time=np.zeros(len(made)),
        days_followed=visits,
        resolved_days=visits,
        resolved_by=np.full(len(made), OUTCOME, np.int8),
    )
    late = np.arange(len(made)) >= 300  # entered when nobody had been seen for so long
    begun = replace(trial, time=np.where(late, 50.0, 0.0), days_followed=np.where(late, 34, visits))
    for cohort, known in ((trial, 400), (begun, 300)):
        found = fit_patients_alike(cohort, 1000, np.random.default_rng(0))
        assert found is not None
        options = [option for cell in found.cells for option in cell.options]
        assert sum(option.known or 0 for option in options) == known


def test_an_event_has_no_mean() -> None:
    made = small_cohort(0, 100, best_known=True)
    outcome = replace(made.study.outcome, kind="does_not_occur")
    made = replace(made, outcome=np.ones(len(made), np.float32))
    for kind, mean in ((made.study.outcome, 1.0), (outcome, None)):
        of = replace(made, study=replace(made.study, outcome=kind))
        found = fit_patients_alike(of, 1000, np.random.default_rng(0))
        assert found is not None
        assert {option.mean for cell in found.cells for option in cell.options} == {mean}


def test_of_a_stable_dose_all_decisions_are_known() -> None:
    """Its window may be open when the records end: a decision without a dose is no decision."""
    made = small_cohort(0, 400, best_known=True)
    assert made.study.outcome.kind == "dose_class"
    brief = np.full(len(made), 20.0, np.float32)
    dated = replace(made, time=np.zeros(len(made)), days_followed=brief)
    found = fit_patients_alike(dated, 1000, np.random.default_rng(0))
    assert found is not None
    options = [option for cell in found.cells for option in cell.options]
    assert sum(option.known or 0 for option in options) == len(made)


def test_a_number_that_differs_only_among_later_decisions_is_asked_about() -> None:
    """Once the first 200 decisions that have it told whether it differs."""
    number = np.concatenate([np.zeros(200), np.arange(800.0)])[:, None]
    asked = [cut for _, cut, _ in _candidates(FactTable(np.ones((1000, 1), bool), number))]
    assert asked == [49.75, 299.5, 549.2]
