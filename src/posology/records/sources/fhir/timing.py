"""Doses per day of a FHIR R4 Dosage, from its `Timing`.

A schedule that is not one number of doses a day raises ValueError with the reason.
"""

import math
from collections.abc import Sequence
from itertools import combinations

from posology.records.schema import finite_number
from posology.records.sources.fhir.coding import Json

_DAYS_OF_UNIT = {
    "s": 1 / 86400,
    "min": 1 / 1440,
    "h": 1 / 24,
    "d": 1.0,
    "wk": 7.0,
    "mo": 365.25 / 12,
    "a": 365.25,
}
"""Days in each unit of time; a year has 365.25 days."""
_LEAST = 1e-9
"""Smallest frequency, period or count that is divided by (own choice)."""
_WEEK = frozenset({"mon", "tue", "wed", "thu", "fri", "sat", "sun"})
_ABBREVIATIONS = "GTSAbbreviation"
"""End of the address of HL7's code system of schedules, in R4 and in STU3."""
TIMING_CODES = {
    "QD": 1.0,
    "BID": 2.0,
    "TID": 3.0,
    "QID": 4.0,
    "AM": 1.0,
    "PM": 1.0,
    "BED": 1.0,
    "QOD": 1 / 2,
    "Q1H": 24.0,
    "Q2H": 12.0,
    "Q3H": 8.0,
    "Q4H": 6.0,
    "Q6H": 4.0,
    "Q8H": 3.0,
    "WK": 1 / 7,
    "MO": 12 / 365.25,
}
"""Doses per day of each code of HL7's GTSAbbreviation that R4 allows in `Timing.code`."""
_PARTS_OF_DAY = frozenset({"AM", "PM", "BED"})


def is_as_needed(dosage: Json) -> bool:
    """Whether the drug is taken as needed, so that no dose per day is known."""
    return bool(dosage.get("asNeededBoolean") or dosage.get("asNeededCodeableConcept"))


def doses_per_day(dosage: Json) -> float | None:
    """Doses per day, as a mean over a week or longer; None if the dosage has no timing."""
    timing = dosage.get("timing")
    if not timing:
        return None
    if timing.get("event"):
        raise ValueError("timing.event lists single dates")
    repeat = timing.get("repeat") or {}
    code = _abbreviation(timing)
    coded = TIMING_CODES.get(code or "")
    stated = _rate(repeat)
    rate = coded if stated is None else stated
    if rate is None:
        raise ValueError(_missing_schedule(timing))
    if coded is not None and not math.isclose(coded, rate):
        raise ValueError(f"timing.code {code} and timing.repeat disagree: {coded:g} and {rate:g}")
    if coded is not None and stated is None and repeat.get("dayOfWeek"):
        raise ValueError(f"timing.code {code} and timing.repeat.dayOfWeek disagree")
    _check_length(repeat, rate)
    return rate


def why_not_summed(dosages: Sequence[Json]) -> str | None:
    """Why the doses per day of these dosages cannot be added; None if they can.

    They can if they have the same `sequence` (concurrent, says R4), or if each has its own times
    of the day or weekdays.
    """
    repeats = [(dosage.get("timing") or {}).get("repeat") or {} for dosage in dosages]
    bounds = [{k: v for k, v in repeat.items() if k.startswith("bounds")} for repeat in repeats]
    if any(bound != bounds[0] for bound in bounds):
        return "the dosages apply in different periods"
    sequences = [dosage.get("sequence") for dosage in dosages]
    if sequences[0] is not None and all(number == sequences[0] for number in sequences):
        return None
    if any(_overlap(one, other) for one, other in combinations(dosages, 2)):
        return "the dosages neither have one sequence nor different times of the day or weekdays"
    return None


def _overlap(one: Json, other: Json) -> bool:
    """Whether two dosages may be for the same time of the same weekday."""
    if not _weekdays(one) & _weekdays(other):
        return False
    parts, other_parts = _parts_of_day(one), _parts_of_day(other)
    return not parts or not other_parts or bool(parts & other_parts)


def _weekdays(dosage: Json) -> frozenset[str]:
    repeat = (dosage.get("timing") or {}).get("repeat") or {}
    return frozenset(repeat.get("dayOfWeek") or _WEEK)


def _parts_of_day(dosage: Json) -> frozenset[str]:
    """The times or parts of the day that a dosage names."""
    timing = dosage.get("timing") or {}
    repeat = timing.get("repeat") or {}
    named = {*(repeat.get("when") or ()), *(repeat.get("timeOfDay") or ())}
    return frozenset(named | ({_abbreviation(timing) or ""} & _PARTS_OF_DAY))


def _abbreviation(timing: Json) -> str | None:
    """The code of HL7's GTSAbbreviation in `timing.code`, if it has one."""
    for coding in (timing.get("code") or {}).get("coding") or ():
        is_hl7 = str(coding.get("system") or "").endswith(_ABBREVIATIONS)
        if is_hl7 and coding.get("code") in TIMING_CODES:
            return coding["code"]
    return None


def _missing_schedule(timing: Json) -> str:
    code = timing.get("code") or {}
    names = [coding.get("code") for coding in code.get("coding") or ()]
    name = code.get("text") or next((name for name in names if name), None)
    if name is None:
        return "timing.repeat states no frequency and period"
    return f"timing.code is not a schedule of HL7's {_ABBREVIATIONS}"


def _rate(repeat: Json) -> float | None:
    """Doses per day by `timing.repeat`; None if it states no frequency, period or times."""
    for name in ("frequency", "period"):
        low, high = repeat.get(name, 1), repeat.get(f"{name}Max")
        if high is not None and high != low:
            raise ValueError(f"timing.repeat.{name} is a range, {low} to {high}")
    days = frozenset(repeat.get("dayOfWeek") or ())
    unknown = sorted(days - _WEEK)
    if unknown:
        raise ValueError("timing.repeat.dayOfWeek is not a day; write mon to sun")
    times = set(repeat.get("timeOfDay") or ())
    timed = len(times) * (len(days) or 7) / 7 if times else None
    if not {"frequency", "period", "periodUnit"} & repeat.keys():
        return timed
    rate = _periodic_rate(repeat, days)
    if timed is not None and not math.isclose(timed, rate):
        raise ValueError(
            f"timing.repeat.timeOfDay has {timed:g} doses a day, but frequency and period {rate:g}"
        )
    return rate


def _periodic_rate(repeat: Json, days: frozenset[str]) -> float:
    """Doses per day by frequency and period, on these weekdays only (on all if there is none)."""
    unit = repeat.get("periodUnit")
    if unit is None or repeat.get("period") is None:
        raise ValueError("timing.repeat has no period with its unit")
    if unit not in _DAYS_OF_UNIT:
        known = ", ".join(_DAYS_OF_UNIT)
        raise ValueError(f"timing.repeat.periodUnit is not one of {known}")
    frequency, period = _positive(repeat, "frequency", 1.0), _positive(repeat, "period")
    events = set(repeat.get("when") or ())
    if len(events) > 1 and frequency % len(events):
        raise ValueError(
            f"timing.repeat.when has {len(events)} events, but frequency is {frequency:g}"
        )
    rate = frequency / (period * _DAYS_OF_UNIT[unit])
    if not days:
        return rate
    if unit == "wk" and frequency % len(days) == 0:
        return rate
    if unit in ("wk", "mo", "a") or rate < 1 or (period > 1 and unit == "d"):
        raise ValueError(
            f"timing.repeat: {frequency:g} per {period:g} {unit} on {len(days)} weekdays "
            "is not one number of doses a day"
        )
    return rate * len(days) / 7


def _positive(repeat: Json, name: str, default: float | None = None) -> float:
    value = repeat.get(name, default)
    try:
        number = finite_number(value)
    except ValueError as error:
        raise ValueError(f"timing.repeat.{name} is {error}") from error
    if number <= 0:
        raise ValueError(f"timing.repeat.{name} {number:g} is not above 0")
    if number < _LEAST:
        raise ValueError(f"timing.repeat.{name} {number:g} is too small to be meant")
    return number


def _check_length(repeat: Json, rate: float) -> None:
    """Raise ValueError if the schedule ends within its first day."""
    if repeat.get("count") is not None:
        count = _positive(repeat, "count")
        if count == 1:
            raise ValueError("timing.repeat.count is 1: the drug is given once")
        if count / rate < 1 - 1e-9:
            raise ValueError(f"timing.repeat.count is {count:g}: the doses end within a day")
    length = repeat.get("boundsDuration") or {}
    unit = _DAYS_OF_UNIT.get(length.get("code") or length.get("unit"))
    if unit and length.get("value") and finite_number(length["value"]) * unit < 1 - 1e-9:
        raise ValueError("timing.repeat.boundsDuration is shorter than a day")
