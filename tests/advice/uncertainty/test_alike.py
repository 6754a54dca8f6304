from dataclasses import replace

import numpy as np
import pytest

from posology.advice.uncertainty.alike import (
    LEAST_COUNT,
    OptionCount,
    PatientsAlike,
    _candidates,
    answer,
    answers_as_text,
    fit_patients_alike,
)
from posology.advice.uncertainty.facts import FactTable
from posology.domain.cohort import (
    CENSORED,
    COMPETING,
    OUTCOME,
    WINDOW_END,
    Cohort,
    subset_decisions,
)
from posology.domain.statistics.wilson import wilson_limits
from posology.evaluation.arms.event_curves import describe_event_times
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


WINDOW = 90.0


def _followed(kind: str, seed: int, leaves_after: float = 0.0) -> Cohort:
    """3,000 decisions with events and competing ones by chance; half leave by chance after that."""
    made, rng = small_cohort(0, 3_000, best_known=True), np.random.default_rng(seed)
    times = np.column_stack(
        [
            rng.exponential(180.0, len(made)),
            rng.exponential(360.0, len(made)),
            np.full(len(made), WINDOW),
            np.where(rng.random(len(made)) < 0.5, rng.uniform(leaves_after, WINDOW), np.inf),
        ]
    )
    by = np.array([OUTCOME, COMPETING, WINDOW_END, CENSORED], np.int8)[times.argmin(axis=1)]
    good = by == (OUTCOME if kind == "occurs" else WINDOW_END)
    return replace(
        made,
        study=replace(made.study, outcome=replace(made.study.outcome, kind=kind)),
        treatment=np.zeros(len(made), np.int32),
        time=np.zeros(len(made)),
        days_followed=times.min(axis=1).astype(np.float32),
        resolved_days=times.min(axis=1).astype(np.float32),
        resolved_by=by,
        effective=np.where(by == CENSORED, np.nan, good).astype(np.float32),
    )


def _count_of_all(cohort: Cohort) -> OptionCount:
    found = fit_patients_alike(cohort, 10_000, np.random.default_rng(0))
    assert found is not None
    return found.cells[0].options[0]


@pytest.mark.parametrize(
    ("kind", "true", "of_known"),
    [("occurs", 0.352, 0.424), ("does_not_occur", 0.472, 0.365)],
)
def test_who_leaves_counts_as_long_as_followed(kind: str, true: float, of_known: float) -> None:
    """Half leave at random. Of the known alone 7 too many of 100 have the event, 11 too few not."""
    counts, known = [], []
    for seed in range(8):
        cohort = _followed(kind, seed)
        count = _count_of_all(cohort)
        assert count.patients == 3_000
        assert count.followed == (cohort.resolved_by == WINDOW_END).sum()
        assert count.reached_goal is None
        assert count.goal_share is not None
        counts.append(count.goal_share)
        known.append(np.nanmean(cohort.effective))
    error = np.std(counts, ddof=1) / np.sqrt(len(counts))
    assert abs(np.mean(counts) - true) < 3 * error
    assert error < 0.006
    assert np.mean(known) == pytest.approx(of_known, abs=0.01)


@pytest.mark.parametrize(("kind", "true"), [("occurs", 0.352), ("does_not_occur", 0.472)])
def test_the_weights_size_makes_an_interval_that_holds_the_truth(kind: str, true: float) -> None:
    """95 of 100 times or a little more, in groups of 100 of whom half leave."""
    cohort, held = _followed(kind, 0), []
    for group in range(30):
        few = subset_decisions(cohort, np.arange(len(cohort)) % 30 == group)
        count = _count_of_all(few)
        assert count.goal_share is not None
        assert count.effective_size is not None
        assert count.followed is not None
        assert count.followed < count.effective_size < 100
        low, high = wilson_limits(count.goal_share, count.effective_size)
        held.append(low <= true <= high)
    assert sum(held) >= 27


def test_the_share_of_an_event_is_that_of_the_curve() -> None:
    cohort = _followed("time_to_event", 0)
    assert cohort.resolved_by is not None
    assert cohort.resolved_days is not None
    is_event = np.isin(cohort.resolved_by, (OUTCOME, COMPETING))
    days = cohort.resolved_days.astype(np.float64)
    curves = describe_event_times(
        days, is_event, cohort.treatment.astype(np.int64), ["a"], (WINDOW, 0)
    )
    assert _count_of_all(cohort).goal_share == pytest.approx(curves.curves[0].share[-1], abs=5e-5)


def test_where_under_five_were_followed_to_the_end_there_is_no_share() -> None:
    cohort = _followed("does_not_occur", 0)
    stay = np.cumsum(cohort.resolved_by == WINDOW_END)
    for followed, kept in ((4, 0), (5, 5)):
        few = subset_decisions(cohort, (cohort.resolved_by != WINDOW_END) | (stay <= followed))
        count = _count_of_all(few)
        assert count.followed == kept
        assert (count.goal_share is None) == (kept == 0)


def test_an_event_of_which_all_is_known_is_counted() -> None:
    cohort = _followed("does_not_occur", 0)
    known = subset_decisions(cohort, cohort.resolved_by != CENSORED)
    count = _count_of_all(known)
    assert count.reached_goal == (known.resolved_by == WINDOW_END).sum()
    assert (count.goal_share, count.followed) == (None, None)
