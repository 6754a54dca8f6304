"""What a clinician is told of the time to come: each diagnosis, number and time with its range."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Risk:
    """One condition within its window."""

    name: str
    from_days: float
    within_days: float
    probability: float
    low: float
    high: float
    """Range of the middle 95 % of the members: how far they disagree, not a confidence interval."""


@dataclass(frozen=True, slots=True)
class Course:
    """One number to come."""

    name: str
    from_days: float
    within_days: float
    unit: str
    expected: float
    low: float
    high: float
    """Range of the middle 95 % of the members: of what is expected, not of what will be found."""
    found_low: float | None
    found_high: float | None
    """Where 95 of 100 numbers are found; None where validation patients were too few to tell."""


@dataclass(frozen=True, slots=True)
class RiskCurve:
    """The risk that an event has come, through the days."""

    name: str
    days: tuple[float, ...]
    risk: tuple[float, ...]
    """P(the event has come by then), the members' mean, of who is still watched."""
    low: tuple[float, ...]
    high: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Outlook:
    """For one patient at one decision, under the care that was usual: no effect of a treatment."""

    diagnosis: tuple[Risk, ...]
    progression: tuple[Course, ...]
    time_to_event: tuple[RiskCurve, ...]
