"""The section of plans: a value if the patient continues, stops or switches."""

from posology.advice.amounts import span
from posology.domain.recommendation.planned import (
    CONTINUE,
    STOP,
    SWITCH,
    PlannedCourse,
    PlannedCourses,
    PlannedValue,
)
from posology.language.catalogue import deferred, tr, tr_count
from posology.report.patient import words
from posology.report.patient.content import Line, PlanRow, PlanTable
from posology.report.patient.course_marks import ValueScale, course_svg, value_scale

_MONTH = 365.25 / 12
_NEAR = 0.12
"""So far from a whole number of months, in months for each month, a time is still called one."""
_PLANS = {
    CONTINUE: deferred("Continue {option}"),
    STOP: deferred("Stop {option}"),
    SWITCH: deferred("Switch to {option}"),
}
NO_BETTER = deferred(
    "Not shown here: the intervals are of the value, not of the difference between two plans. The "
    "options above are compared."
)


def plan_table(plans: PlannedCourses) -> PlanTable:
    """All plans on one scale; without courses, why there are none."""
    unit = f" {plans.unit}" if plans.unit else ""
    days = [v.days for v in plans.courses[0].values] if plans.courses else []
    scale = value_scale(plans)
    return PlanTable(
        heading=tr("{value} if this patient continues, stops or switches").format(
            value=words.capitalise(plans.value)
        ),
        note=_note(plans, unit) if plans.courses else "",
        heads=tuple(after_words(day) for day in days),
        rows=tuple(_row(course, plans, scale) for course in plans.courses),
        lines=_lines(plans),
    )


def after_words(days: float) -> str:
    """`10 days`, `6 weeks`, `3 months`."""
    months = days / _MONTH
    whole = round(months)
    if whole >= 2 and abs(months - whole) <= _NEAR * months:
        return tr("{count} months").format(count=whole)
    if days >= 14 and abs(days / 7 - round(days / 7)) < 1e-9:
        return tr("{count} weeks").format(count=f"{days / 7:.0f}")
    return tr_count("{count} day", "{count} days", round(days)).format(count=f"{days:.0f}")


def _note(plans: PlannedCourses, unit: str) -> str:
    last = words.value_words(plans.last_value, "mean")
    when = words.date_words(plans.last_date)
    held = words.count_words(100 * plans.coverage)
    return tr(
        "Counted from the last measurement, {value} on {day}, if the plan is kept to. Expected "
        "value, and under it the interval that should hold it in {count} of 100 such patients. "
        "This is a forecast, not advice."
    ).format(value=f"{last}{unit}", day=when, count=held)


def _row(course: PlannedCourse, plans: PlannedCourses, scale: ValueScale | None) -> PlanRow:
    assert scale is not None
    title = _title(course)
    last = course.values[-1]
    plan = tr(_PLANS[course.plan])
    alt = tr("{plan}: {value} after {time}").format(
        plan=plan.format(option=title), value=_span(last), time=after_words(last.days)
    )
    return PlanRow(
        plan=plan.format(option="").strip(),
        title=title,
        cells=tuple((_number(v.expected), _interval(v)) for v in course.values),
        course=course_svg(scale, plans.last_value, course.values, alt),
        remarks=course.remarks,
    )


def _title(course: PlannedCourse) -> str:
    if not course.title:
        return tr("without any of these options")
    dose = "" if course.dose is None else f", {words.dose_number(course.dose)} {course.dose_unit}"
    return f"{words.capitalise(course.title)}{dose}".strip()


def _span(value: PlannedValue) -> str:
    return f"{_number(value.expected)} ({_interval(value)})"


def _interval(value: PlannedValue) -> str:
    return span(_number(value.low), _number(value.high))


def _number(x: float) -> str:
    return words.value_words(x, "mean")


def _lines(plans: PlannedCourses) -> tuple[Line, ...]:
    if not plans.courses:
        return tuple(Line(tr("Plans"), text) for text in plans.left_out)
    return (
        *(Line(tr("Not shown"), text) for text in plans.left_out),
        Line(tr("What the figures are"), words.sentence(plans.adjusted)),
        Line(tr("Which plan is better"), tr(NO_BETTER)),
        Line(tr("Learned from"), words.sentence(plans.learned_from)),
        Line(tr("Intervals checked"), words.sentence(plans.checked)),
    )
