"""Beside a recommendation: the value if this patient continues, stops or switches."""

import datetime
import math
from collections.abc import Mapping
from dataclasses import replace

from posology.artifact import Artifact
from posology.domain.codes import display_name
from posology.domain.formulary import Treatment
from posology.domain.history import History
from posology.domain.outcome_trajectories import PlannedOutcomes
from posology.domain.recommendation.option import FORBIDDEN, OptionAdvice
from posology.domain.recommendation.planned import (
    CONTINUE,
    STOP,
    SWITCH,
    PlannedCourse,
    PlannedCourses,
    PlannedValue,
)
from posology.domain.recommendation.recommendation import ABSTAINED, Recommendation
from posology.errors import RecordError
from posology.language.catalogue import tr
from posology.learners.trajectories.interval_width import COVERAGE
from posology.learners.trajectories.visit_grid import last_measured
from posology.workflows.plans.evidence_words import ADJUSTED, checked_words, learned_words
from posology.workflows.plans.learn import PlanModel, plans_of
from posology.workflows.plans.patient_plans import (
    FEW_PATIENTS,
    PatientNow,
    patient_now,
    predict_plans,
)
from posology.workflows.plans.plan_file import NO_OPTION, Plan, PlannedStep

OLDEST = 0.5
"""Age of the last measurement in steps, above which the next one is due first."""
_EPOCH = datetime.date(1970, 1, 1)


def add_plans(advice: Recommendation, model: Artifact, history: History) -> Recommendation:
    """The advice with the value under the plans that are open to this patient.

    Nothing where there is no answer. An option that is forbidden is no plan; an option is planned
    at the dose advised for it, otherwise at its largest.
    """
    if advice.state in ABSTAINED:
        return advice
    learned = plans_of(model)
    day = last_measured(learned.grid, history)
    empty = _without_courses(learned, _measured_name(model), day)
    try:
        now = patient_now(learned, history)
    except RecordError:
        why = tr("Not worked out: no {value} with a date is recorded, from which plans start.")
        why = why.format(value=empty.value)
        return replace(advice, plans=replace(empty, left_out=(why,)))
    empty = replace(empty, last_value=now.last_value)
    age = _days(advice.time) - day
    if age > OLDEST * learned.grid.step_days:
        why = tr(
            "Not worked out: the last {value} is {age} days old, and plans start from one of the "
            "last {days} days. Measure it and ask again."
        ).format(value=empty.value, age=f"{age:.0f}", days=f"{OLDEST * learned.grid.step_days:.0f}")
        return replace(advice, plans=replace(empty, left_out=(why,)))
    return replace(advice, plans=_compare(empty, now, advice, model))


def _measured_name(model: Artifact) -> str:
    """Of the value's code; its [[progression]] is named after a time too: `HbA1c in six months`."""
    study = model.study
    return display_name(study.progression[0].codes[0], study.names).partition(", ")[0]


def _without_courses(learned: PlanModel, value: str, day: float) -> PlannedCourses:
    known = not math.isnan(day)
    return PlannedCourses(
        value=value,
        unit=learned.unit,
        last_value=0.0,
        last_date=(_EPOCH + datetime.timedelta(days=int(day // 1))).isoformat() if known else "",
        coverage=COVERAGE,
        courses=(),
        left_out=(),
        adjusted=tr(ADJUSTED),
        learned_from=learned_words(learned),
        checked=checked_words(learned),
    )


def _compare(
    empty: PlannedCourses, now: PatientNow, advice: Recommendation, model: Artifact
) -> PlannedCourses:
    formulary, learned = model.study.formulary, now.model
    options = {option.name: option for option in advice.options}
    forbidden = {name for name, option in options.items() if option.standing == FORBIDDEN}
    current = now.current_step(formulary)
    planned = [(CONTINUE, current)]
    if current.option != NO_OPTION:
        planned.append((STOP, PlannedStep(NO_OPTION)))
    planned += [
        (SWITCH, PlannedStep(treatment.name, _dose(treatment, options, learned, row)))
        for row, treatment in enumerate(formulary.treatments)
        if treatment.name != current.option
    ]
    kept = [(kind, step) for kind, step in planned if step.option not in forbidden]
    horizon = learned.trajectories.horizon
    plans = tuple(Plan(kind, (step,) * horizon) for kind, step in kept)
    found = predict_plans(now, plans, formulary)
    return replace(
        empty,
        courses=tuple(
            _course(kind, step, model, _values(learned, found, row))
            for row, (kind, step) in enumerate(kept)
        ),
        left_out=tuple(
            tr("{option}: a rule forbids it.").format(option=treatment.title)
            for treatment in formulary.treatments
            if treatment.name in forbidden
        ),
    )


def _dose(
    treatment: Treatment, options: Mapping[str, OptionAdvice], learned: PlanModel, row: int
) -> float | None:
    """The dose advised for this patient; else the usual one in training, or the largest."""
    if treatment.dose is None:
        return None
    option = options.get(treatment.name)
    if option is not None and option.dose is not None:
        return option.dose.dose
    return learned.usual_dose[row] if learned.usual_dose else treatment.dose.high


def _values(learned: PlanModel, found: PlannedOutcomes, row: int) -> tuple[PlannedValue, ...]:
    ends = zip(found.mean[row], found.low[row], found.high[row], strict=True)
    days = learned.grid.step_days
    return tuple(
        PlannedValue((step + 1) * days, float(mean), float(low), float(high))
        for step, (mean, low, high) in enumerate(ends)
    )


def _course(
    kind: str, step: PlannedStep, model: Artifact, values: tuple[PlannedValue, ...]
) -> PlannedCourse:
    if step.option == NO_OPTION:
        return PlannedCourse(kind, NO_OPTION, "", None, "", values)
    row = model.study.formulary.names.index(step.option)
    treatment, count = model.study.formulary.treatments[row], plans_of(model).patients[row]
    few = tr("Only {count} training patients took it: what it does is hardly known.")
    few = few.format(count=count)
    return PlannedCourse(
        plan=kind,
        option=step.option,
        title=treatment.title,
        dose=step.dose,
        dose_unit="" if treatment.dose is None else treatment.dose.unit,
        values=values,
        remarks=(few,) if count < FEW_PATIENTS else (),
    )


def _days(iso: str) -> float:
    """Days since 1970-01-01, with the part of the day."""
    moment = datetime.datetime.fromisoformat(iso).replace(tzinfo=None)
    return (moment - datetime.datetime(1970, 1, 1)) / datetime.timedelta(days=1)  # noqa: DTZ001
