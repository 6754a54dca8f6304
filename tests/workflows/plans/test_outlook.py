"""Plans beside a recommendation: from a clinic's records, and only where there is an answer."""

import datetime
from dataclasses import replace
from pathlib import Path

import pytest

from posology import artifact
from posology.artifact import Artifact
from posology.domain.recommendation.option import FORBIDDEN, NO_CLEAR_DIFFERENCE
from posology.domain.recommendation.planned import CONTINUE, STOP, SWITCH
from posology.domain.recommendation.recommendation import (
    NO_OPTION_BETTER,
    NOT_JUDGED,
    Recommendation,
)
from posology.learners.trajectories.interval_width import CoverageCheck
from posology.learners.trajectories.visit_grid import last_measured
from posology.workflows.patient import encode
from posology.workflows.plans.evidence_words import NOT_CHECKED, checked_words, learned_words
from posology.workflows.plans.learn import plans_of
from posology.workflows.plans.outlook import add_plans
from posology.workflows.plans.patient_plans import patient_now, predict_plans
from posology.workflows.plans.plan_file import Plan, PlannedStep
from posology.workflows.recommend import recommend


@pytest.fixture(scope="module")
def answered(saved: tuple[Path, Path]) -> tuple[Artifact, Path, Recommendation]:
    """The model, a treated patient, and advice on the day of the last measurement."""
    model = artifact.load(saved[0])
    history, _ = encode(model, saved[1])
    day = int(last_measured(plans_of(model).grid, history)) + 1
    at = (datetime.date(1970, 1, 1) + datetime.timedelta(days=day)).isoformat()
    advice = recommend(model, saved[1], at, reasons=False).recommendation
    assert advice.state == NOT_JUDGED
    assert advice.plans is None
    return model, saved[1], advice


def _planned(answered, **changes):
    """Plans as if the options had been judged, and none were forbidden."""
    model, patient, advice = answered
    judged = tuple(replace(option, standing=NO_CLEAR_DIFFERENCE) for option in advice.options)
    changes = {"options": judged} | changes
    history, _ = encode(model, patient, advice.time)
    found = add_plans(replace(advice, state=NO_OPTION_BETTER, **changes), model, history)
    assert found.plans is not None
    return found.plans


def test_a_patient_who_is_treated_continues_stops_or_switches(answered) -> None:
    model, plans = answered[0], _planned(answered)
    kinds = [course.plan for course in plans.courses]
    options = len(model.study.formulary.treatments)
    assert kinds == [CONTINUE, STOP] + (options - 1) * [SWITCH]
    names = {course.option for course in plans.courses}
    assert names == {*model.study.formulary.names, "none"}
    for course in plans.courses:
        assert len(course.values) == plans_of(model).trajectories.horizon
        assert all(v.low < v.expected < v.high for v in course.values)
        assert [v.days for v in course.values] == sorted(v.days for v in course.values)
    assert plans.last_date <= answered[2].time
    assert plans.learned_from == learned_words(plans_of(model))


def test_figures_are_those_of_predict_plan(answered) -> None:
    model, patient, advice = answered
    history, _ = encode(model, patient, advice.time)
    learned, formulary = plans_of(model), model.study.formulary
    now = patient_now(learned, history)
    stop = Plan("stop", (PlannedStep("none"),) * learned.trajectories.horizon)
    alone = predict_plans(now, (stop,), formulary)
    course = next(c for c in _planned(answered).courses if c.plan == STOP)
    assert [v.expected for v in course.values] == pytest.approx(list(alone.mean[0]), rel=1e-6)


def test_a_forbidden_option_is_no_plan_and_named(answered) -> None:
    model, _, advice = answered
    first = model.study.formulary.treatments[0]
    options = tuple(
        replace(o, standing=FORBIDDEN if o.name == first.name else NO_CLEAR_DIFFERENCE)
        for o in advice.options
    )
    plans = _planned(answered, options=options)
    assert first.name not in {course.option for course in plans.courses}
    assert plans.left_out == (f"{first.title}: a rule forbids it.",)


def test_an_old_measurement_is_asked_for_again(answered) -> None:
    model, patient, advice = answered
    later = datetime.date.fromisoformat(advice.time[:10]) + datetime.timedelta(days=80)
    history, _ = encode(model, patient, advice.time)
    late = replace(advice, state=NO_OPTION_BETTER, time=later.isoformat())
    plans = add_plans(late, model, history).plans
    assert plans is not None
    assert plans.courses == ()
    assert "days old, and plans start from one of the last" in plans.left_out[0]
    assert "Measure it and ask again." in plans.left_out[0]


def test_whether_intervals_were_checked_is_said(answered) -> None:
    learned = plans_of(answered[0])
    check = CoverageCheck(450, (0.9, 0.894, 0.91))
    unchecked = replace(learned, trajectories=replace(learned.trajectories, check=None))
    assert checked_words(unchecked) == NOT_CHECKED
    once = replace(learned.trajectories, check=check, check_of_changes=None)
    assert checked_words(replace(learned, trajectories=once)) == (
        "In 450 validation patients intervals held 90, 89 and 91 of 100 values after steps 1 to 3 "
        "(aim: 90). Under a change of treatment: not checked, too few patients changed it."
    )
    both = replace(once, check_of_changes=CoverageCheck(41, (0.85,)))
    assert "; in 41 who changed their treatment 85 of 100 values after step 1" in checked_words(
        replace(learned, trajectories=both)
    )
