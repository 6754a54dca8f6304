"""The forecast shown to a clinician: each diagnosis, value and event time."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DiagnosisForecast:
    """The risk of one diagnosis within its window."""

    name: str
    from_days: float
    within_days: float
    probability: float
    """Mean over the ensemble. How much its members disagree is not kept: it is no interval."""


@dataclass(frozen=True, slots=True)
class ProgressionForecast:
    """The expected value of one measurement within its window."""

    name: str
    from_days: float
    within_days: float
    unit: str
    expected: float
    low: float | None
    high: float | None
    """95 % prediction interval of the value; None if validation patients were too few."""


@dataclass(frozen=True, slots=True)
class TimeToEventForecast:
    """The cumulative risk of one event, by day."""

    name: str
    days: tuple[float, ...]
    risk: tuple[float, ...]
    """P(event by this day) for a patient still in follow-up, averaged over the members."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """Predicted outcomes of one patient at one decision under usual care; not treatment effects."""

    diagnosis: tuple[DiagnosisForecast, ...]
    progression: tuple[ProgressionForecast, ...]
    time_to_event: tuple[TimeToEventForecast, ...]
