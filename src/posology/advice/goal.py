"""The goal of a study in words, with its horizon."""

from posology.advice.form.unit_names import plain_unit, unit_words
from posology.domain.codes import display_names
from posology.domain.study import Bounds, Outcome, Study
from posology.language.catalogue import tr, tr_count
from posology.language.numbers import number

_DAYS_PER_WEEK, _LONGEST_IN_DAYS = 7, 27
_ROUNDED = 54.0, 728.0
"""Days between which a span of time is written in the nearest whole weeks, unless in years."""


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
            return tr("no {outcome} {when}").format(outcome=name, when=when)
        case "value_in_range" | "change":
            wanted = tr("{outcome} {wanted} {when}")
            return wanted.format(outcome=name, wanted=_wanted(outcome), when=when)
        case "dose_class":
            return tr("the right dose: {outcome}").format(outcome=name)
    return tr("{outcome} {when}").format(outcome=name, when=when)


def _wanted(outcome: Outcome) -> str:
    """What the number must be, or how it must change."""
    unit = plain_unit(outcome.unit)
    value = "" if outcome.range is None else _bounds(outcome.range, unit)
    change = "" if outcome.change is None else _change(outcome.change, unit)
    if value and change:
        return tr("{value}, or {change},").format(value=value, change=change)
    return value or change or tr("changed as intended")


def _bounds(bounds: Bounds, unit: str) -> str:
    low, high = _ends(bounds)
    if bounds.at_least is None:
        return tr("at most {bound} {unit}").format(bound=high, unit=unit).rstrip()
    if bounds.at_most is None:
        return tr("at least {bound} {unit}").format(bound=low, unit=unit).rstrip()
    return tr("from {low} to {high} {unit}").format(low=low, high=high, unit=unit).rstrip()


def _ends(bounds: Bounds) -> tuple[str, str]:
    """Both bounds as they are written; "" where there is none."""
    low, high = (
        "" if bound is None else number(f"{bound:g}") for bound in (bounds.at_least, bounds.at_most)
    )
    return low, high


def _change(bounds: Bounds, unit: str) -> str:
    """`down by at least 11 mmol/mol`; between two bounds `changed by -5 to 5 mmol/mol`."""
    if bounds.at_least is None and bounds.at_most is not None and bounds.at_most < 0:
        size = number(f"{-bounds.at_most:g}")
        return tr("down by at least {size} {unit}").format(size=size, unit=unit).rstrip()
    if bounds.at_most is None and bounds.at_least is not None and bounds.at_least > 0:
        size = number(f"{bounds.at_least:g}")
        return tr("up by at least {size} {unit}").format(size=size, unit=unit).rstrip()
    low, high = _ends(bounds)
    if low and high:
        text = tr("changed by {low} to {high} {unit}")
        return text.format(low=low, high=high, unit=unit).rstrip()
    return tr("changed by {amount}").format(amount=_bounds(bounds, unit))


def _window(outcome: Outcome) -> str:
    unit, end = _span(outcome.within_days)
    if outcome.from_days <= 0:
        count = 1 if end == "1" else 2
        within = {
            "days": tr_count("within {count} day", "within {count} days", count),
            "weeks": tr("within {count} weeks"),
            "years": tr_count("within {count} year", "within {count} years", count),
        }
        return within[unit].format(count=end)
    first, last = outcome.from_days, outcome.within_days
    unit_of_start, start = _span(first)
    if unit_of_start != unit or unit == "days":
        unit, start, end = "days", _days(first), _days(last)
        if _ROUNDED[0] <= first and last <= _ROUNDED[1]:
            unit, start, end = "weeks", _weeks(first), _weeks(last)
    later = {
        "days": tr("{start} to {end} days later"),
        "weeks": tr("{start} to {end} weeks later"),
        "years": tr("{start} to {end} years later"),
    }
    return later[unit].format(start=start, end=end)


def _span(days: float) -> tuple[str, str]:
    """The unit in which a time is written, and how many: whole years, whole weeks, or days."""
    years = round(days / 365.25)
    if years and 365 * years <= days <= 366 * years:
        return "years", f"{years}"
    if days > _LONGEST_IN_DAYS and days % _DAYS_PER_WEEK == 0:
        return "weeks", _weeks(days)
    return "days", _days(days)


def _weeks(days: float) -> str:
    return f"{days / _DAYS_PER_WEEK:.0f}"


def _days(days: float) -> str:
    return number(f"{days:,g}")
