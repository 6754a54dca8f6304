"""Made-up plans beside a recommendation: HbA1c over a year."""

from posology.domain.recommendation.planned import (
    CONTINUE,
    STOP,
    SWITCH,
    PlannedCourse,
    PlannedCourses,
    PlannedValue,
)

DAYS = (91.3, 182.6, 273.9, 365.2)
FEW = "Only 12 training patients took it: what it does is hardly known."


def course(
    plan: str, title: str, expected: tuple[float, ...], dose: float | None = None
) -> PlannedCourse:
    """A plan whose intervals become wider with each step."""
    values = tuple(
        PlannedValue(day, mean, mean - 4 - 2 * step, mean + 4 + 2 * step)
        for step, (day, mean) in enumerate(zip(DAYS, expected, strict=True))
    )
    option = title.split()[0].lower() if title else "none"
    unit = "mg/d" if dose is not None else ""
    remarks = (FEW,) if plan == SWITCH and dose is None else ()
    return PlannedCourse(plan, option, title, dose, unit, values, remarks)


PLANS = PlannedCourses(
    value="HbA1c",
    unit="mmol/mol",
    last_value=62.0,
    last_date="2026-11-20",
    coverage=0.9,
    courses=(
        course(CONTINUE, "Sulfonylurea (glimepiride)", (61.0, 61.2, 61.9, 62.4), 4.0),
        course(STOP, "", (66.0, 68.5, 70.1, 71.0)),
        course(SWITCH, "SGLT2 inhibitor (empagliflozin)", (58.0, 56.1, 55.8, 55.9), 25.0),
        course(SWITCH, "Rarely used", (60.0, 59.1, 58.8, 58.9)),
    ),
    left_out=("Thiazolidinedione (pioglitazone): a rule forbids it.",),
    adjusted="An association in records, adjusted for time-varying confounding.",
    learned_from="2,104 patients who were measured at least twice, in steps of 91 days, 4 at most.",
    checked="In 450 validation patients intervals held 90, 91, 90 and 89 of 100 values after "
    "steps 1 to 4 (aim: 90).",
)
