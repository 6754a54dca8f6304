"""How a value goes on if this patient continues, stops or switches: beside the recommendation."""

from dataclasses import dataclass

CONTINUE, STOP, SWITCH = "continue", "stop", "switch"
PLANS = (CONTINUE, STOP, SWITCH)


@dataclass(frozen=True, slots=True)
class PlannedValue:
    """The value that is expected after some days of a plan, with its prediction interval."""

    days: float
    """Since the last measurement."""
    expected: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class PlannedCourse:
    """One plan that is kept to, and the value after each of its steps."""

    plan: str
    """One of PLANS."""
    option: str
    """Name in the study file; `none`: no option of the study."""
    title: str
    """Of the option; empty for none."""
    dose: float | None
    """In `dose_unit`; None for an option without doses, and for no option."""
    dose_unit: str
    values: tuple[PlannedValue, ...]
    remarks: tuple[str, ...] = ()
    """Whole sentences: such as that few training patients took it."""


@dataclass(frozen=True, slots=True)
class PlannedCourses:
    """A value under the plans that are open to this patient: a forecast, not advice."""

    value: str
    """What is measured: `HbA1c`."""
    unit: str
    last_value: float
    last_date: str
    """Day of the last measurement, ISO 8601, from which every plan starts."""
    coverage: float
    """Nominal coverage of the intervals, such as 0.9."""
    courses: tuple[PlannedCourse, ...]
    """To continue first; empty if nothing could be worked out."""
    left_out: tuple[str, ...]
    """Why plans, or all of them, are not shown: whole sentences."""
    adjusted: str
    """What the figures are, and what they are adjusted for."""
    learned_from: str
    """Patients and steps, in words."""
    checked: str
    """How often the intervals held the value of other patients, or that it was not checked."""
