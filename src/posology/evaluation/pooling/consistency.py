"""Whether a summary agrees with itself, and whether two are of different hospitals."""

import math

from posology.domain.statistics.study_summary import (
    OPTION,
    SharedEffect,
    SharedOutcome,
    SharedValue,
    StudySummary,
)

_DIGITS = 4
"""Significant digits of a standard error; its estimate is written with as many decimals."""


def describe_contradiction(summary: StudySummary) -> str:
    """The first row whose value minus the reference's is not its difference; empty if none.

    Each is rounded on its own, so they may disagree by the last decimal that each is written with.
    """
    for outcome in summary.outcomes:
        values = _values(outcome)
        reference = values.get(summary.analysis.reference)
        for effect in outcome.effects:
            value = values.get(effect.name)
            if value is None or reference is None or value.value is None or reference.value is None:
                continue
            difference = value.value - reference.value
            errors = (value.standard_error, reference.standard_error, effect.standard_error)
            if abs(difference - effect.effect) > sum(_last_decimal(e) for e in errors):
                return (
                    f"{_where(outcome, effect)}: value {value.value:g} minus {reference.value:g} "
                    f"of {reference.name} is {difference:.4g}, and its difference is "
                    f"{effect.effect:g}"
                )
    return ""


def describe_repetition(one: StudySummary, other: StudySummary) -> str:
    """The first option with the same difference, standard error and counts in both; empty if none.

    Of all patients only: in small groups of a trial they may be the same by chance.
    """
    rows = _rows(one)
    return next((text for text in _rows(other) if text in rows), "")


def _rows(summary: StudySummary) -> dict[str, None]:
    """Each difference of all patients, in words, with the counts of both options."""
    rows: dict[str, None] = {}
    for outcome in summary.outcomes:
        values = _values(outcome)
        reference = values.get(summary.analysis.reference)
        for effect in outcome.effects:
            value = values.get(effect.name)
            if outcome.group or effect.kind != OPTION or value is None or reference is None:
                continue
            rows[
                f"{_where(outcome, effect)} against {reference.name}: difference "
                f"{effect.effect!r}, standard error {effect.standard_error!r}, with the outcome "
                f"{value.events} of {value.patients} and {reference.events} of {reference.patients}"
            ] = None
    return rows


def _values(outcome: SharedOutcome) -> dict[str, SharedValue]:
    return {value.name: value for value in outcome.values}


def _where(outcome: SharedOutcome, effect: SharedEffect) -> str:
    group = f", {outcome.family}: {outcome.group}" if outcome.group else ""
    return f"outcome {outcome.name}{group}, {effect.name}"


def _last_decimal(error: float | None) -> float:
    """The unit of the last decimal of an estimate with this standard error."""
    if not error:
        return 1e-9
    return float(10.0 ** (math.floor(math.log10(error)) - _DIGITS + 1))
