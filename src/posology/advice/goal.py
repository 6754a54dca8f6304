"""The goal of a study in words, with its horizon."""

from posology.advice.form.unit_names import plain_unit, unit_words
from posology.domain.codes import display_names
from posology.domain.study import Bounds, Outcome, Study

_DAYS_PER_WEEK, _LONGEST_IN_DAYS, _LONGEST_IN_WEEKS = 7, 27, 104


def describe_goal(study: Study) -> str:
    """Such as `HbA1c at most 53 mmol/mol, or down by at least 11 mmol/mol, within 41 weeks`.

    A window that opens later reads `14 to 26 weeks later`.
    """
    outcome = study.outcome
    name, when = display_names(outcome.codes, study.names), _window(outcome)
    if outcome.unit:
        name = name.removesuffix(f", {outcome.unit}").removesuffix(f", {unit_words(outcome.unit)}")
    match outcome.kind:
        case "does_not_occur" | "time_to_event":
            return f"no {name} {when}"
        case "value_in_range" | "change":
            return f"{name} {_wanted(outcome)} {when}"
        case "dose_class":
            return f"the right dose: {name}"
    return f"{name} {when}"


def _wanted(outcome: Outcome) -> str:
    """What the number must be, or how it must change."""
    unit = plain_unit(outcome.unit)
    value = "" if outcome.range is None else _bounds(outcome.range, unit)
    change = "" if outcome.change is None else _change(outcome.change, unit)
    if value and change:
        return f"{value}, or {change},"
    return value or change or "changed as intended"


def _bounds(bounds: Bounds, unit: str) -> str:
    if bounds.at_least is None:
        return f"at most {bounds.at_most:g} {unit}".rstrip()
    if bounds.at_most is None:
        return f"at least {bounds.at_least:g} {unit}".rstrip()
    return f"from {bounds.at_least:g} to {bounds.at_most:g} {unit}".rstrip()


def _change(bounds: Bounds, unit: str) -> str:
    """`down by at least 11 mmol/mol`; between two bounds `changed by -5 to 5 mmol/mol`."""
    if bounds.at_least is None and bounds.at_most is not None and bounds.at_most < 0:
        return f"down by at least {-bounds.at_most:g} {unit}".rstrip()
    if bounds.at_most is None and bounds.at_least is not None and bounds.at_least > 0:
        return f"up by at least {bounds.at_least:g} {unit}".rstrip()
    return f"changed by {_bounds(bounds, unit).removeprefix('from ')}"


def _window(outcome: Outcome) -> str:
    end = _span(outcome.within_days)
    if outcome.from_days <= 0:
        return f"within {end}"
    start, _, unit = _span(outcome.from_days).partition(" ")
    if end.endswith(f" {unit}"):
        return f"{start} to {end} later"
    return f"{outcome.from_days:g} to {outcome.within_days:g} days later"


def _span(days: float) -> str:
    if days <= _LONGEST_IN_DAYS or (days % _DAYS_PER_WEEK and days < 2 * _LONGEST_IN_DAYS):
        return f"{days:g} days"
    weeks = round(days / _DAYS_PER_WEEK)
    return f"{weeks} weeks" if weeks <= _LONGEST_IN_WEEKS else f"{days / 365.25:.0f} years"
