"""The goal of a study in words, with its horizon."""

from posology.domain.codes import display_names
from posology.domain.study import Bounds, Study

_DAYS_PER_WEEK, _LONGEST_IN_DAYS, _LONGEST_IN_WEEKS = 7, 27, 104


def describe_goal(study: Study) -> str:
    """Such as `HbA1c at most 53 within 26 weeks`."""
    outcome = study.outcome
    name, when = display_names(outcome.codes, study.names), f"within {_span(outcome.within_days)}"
    match outcome.kind:
        case "does_not_occur" | "time_to_event":
            return f"no {name} {when}"
        case "value_in_range" if outcome.range is not None:
            return f"{name} {_bounds(outcome.range)} {when}"
        case "value_in_range" | "change":
            return f"{name} changed as intended {when}"
        case "dose_class":
            return f"the right dose: {name}"
    return f"{name} {when}"


def _bounds(bounds: Bounds) -> str:
    if bounds.at_least is None:
        return f"at most {bounds.at_most:g}"
    if bounds.at_most is None:
        return f"at least {bounds.at_least:g}"
    return f"from {bounds.at_least:g} to {bounds.at_most:g}"


def _span(days: float) -> str:
    if days <= _LONGEST_IN_DAYS or (days % _DAYS_PER_WEEK and days < 2 * _LONGEST_IN_DAYS):
        return f"{days:g} days"
    weeks = round(days / _DAYS_PER_WEEK)
    return f"{weeks} weeks" if weeks <= _LONGEST_IN_WEEKS else f"{days / 365.25:.0f} years"
