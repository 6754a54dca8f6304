"""Which outcomes and harms a study names, and whether an observation can be one of them."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from posology.advice.form.field import Limits
from posology.advice.form.limits import number_limits
from posology.domain.codes import display_name, has_prefix
from posology.domain.study import EVENT_KINDS, Study
from posology.records.pipeline.units import convert_number

_MOST_NAMED = 10
"""Codes that one error names. Our choice."""
_DOSE_FACTOR = 2.0
"""A stable dose outside the study's range by more than this cannot be right. Our choice: one of the
5,919 patients of IWPC took 1.8 times the largest."""


@dataclass(frozen=True, slots=True)
class ExpectedOutcome:
    """One code (prefix) under which a study looks for what became of its patients."""

    code: str
    title: str
    role: str
    """`outcome`, `harm`, `stopped` (the option was), `competing`, `end` of follow-up, or `forecast`
    (a further outcome that the model predicts)."""
    is_number: bool
    """Otherwise an event: 1 or no value where it happened, 0 where it did not."""
    unit: str = ""
    least: float | None = None
    most: float | None = None
    """Beyond these a number cannot be right; None where nothing says so."""


def expected_outcomes(study: Study) -> tuple[ExpectedOutcome, ...]:
    """Every code of the study's outcome, harms, competing events and forecasts, each once."""
    found: dict[str, ExpectedOutcome] = {}
    for one in _named(study):
        found.setdefault(one.code, one)
    return tuple(found.values())


def find_expected(expected: Sequence[ExpectedOutcome], code: str) -> ExpectedOutcome | None:
    """The one whose code is the longest prefix of this code."""
    fitting = [one for one in expected if has_prefix(code, one.code)]
    return max(fitting, key=lambda one: len(one.code), default=None)


def unknown_code(expected: Sequence[ExpectedOutcome]) -> str:
    """What is wrong with a code that no study names."""
    codes = list(dict.fromkeys(one.code for one in expected))
    more = f" and {len(codes) - _MOST_NAMED} more" if len(codes) > _MOST_NAMED else ""
    return (
        "code: is no outcome and no harm that a study names; those are "
        f"{', '.join(codes[:_MOST_NAMED])}{more} (GET /models lists them)."
    )


def in_the_study_s_unit(value: float | None, unit: str, expected: ExpectedOutcome) -> float | None:
    """The value as it is kept; ValueError says what is wrong with it, without repeating it."""
    if not expected.is_number:
        if unit or value not in (None, 0.0, 1.0):
            raise ValueError(
                "value: this is an event; send 1 (or nothing) where it happened and 0 where it did "
                "not, without a unit."
            )
        return value
    where = f" in {expected.unit}" if expected.unit else ""
    if value is None:
        raise ValueError(f"value: is missing; this is a number{where}.")
    kept = convert_number(value, (unit, expected.unit), expected.code) if unit else value
    if kept is None:
        raise ValueError(f"unit: cannot be converted; send the number{where or ' without a unit'}.")
    limits = Limits(expected.least, expected.most)
    if not limits.contains(kept):
        possible = limits.describe(expected.unit)
        raise ValueError(f"value: cannot be right; possible is {possible}. Check the unit.")
    return kept


def _named(study: Study) -> Iterator[ExpectedOutcome]:
    outcome = study.outcome
    if outcome.kind in EVENT_KINDS:
        yield from _events(study, "outcome", outcome.codes)
    else:
        yield from _numbers(study, "outcome", outcome.codes, outcome.unit)
    for cost in study.reward.costs:
        yield from _events(study, "harm", cost.codes)
    yield from _events(study, "stopped", outcome.unless)
    yield from _events(study, "competing", outcome.competing)
    yield from _events(study, "end", study.follow_up.ended_by)
    for target in (*study.diagnosis, *study.time_to_event):
        yield from _events(study, "forecast", target.codes)
    for target in study.progression:
        yield from _numbers(study, "forecast", target.codes, target.unit)


def _events(study: Study, role: str, codes: Sequence[str]) -> Iterator[ExpectedOutcome]:
    for code in codes:
        yield ExpectedOutcome(code, display_name(code, study.names), role, is_number=False)


def _numbers(study: Study, role: str, codes: Sequence[str], unit: str) -> Iterator[ExpectedOutcome]:
    for code in codes:
        limits = number_limits(study, code, unit, Limits())
        if limits == Limits() and role == "outcome" and study.outcome.kind == "dose_class":
            limits = _dose_limits(study)
        yield ExpectedOutcome(
            code, display_name(code, study.names), role, True, unit, limits.low, limits.high
        )


def _dose_limits(study: Study) -> Limits:
    """Of a study whose outcome is the dose: its doses, and a factor beyond."""
    doses = [t.dose for t in study.formulary.treatments if t.dose is not None]
    doses += [study.dose] if study.dose is not None else []
    if not doses:
        return Limits()
    low, high = min(d.low for d in doses), max(d.high for d in doses)
    return Limits(low / _DOSE_FACTOR, high * _DOSE_FACTOR if math.isfinite(high) else None)
