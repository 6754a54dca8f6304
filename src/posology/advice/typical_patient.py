"""A typical patient of training: means and most frequent values, so that it is no real person."""

import datetime
from collections.abc import Iterator
from typing import Any

from posology.advice.form.field import Field, Form
from posology.advice.form.timing import RECENT_DAYS
from posology.advice.form.training_facts import TrainingFacts
from posology.domain.profile import Profile

MOST = 0.5
"""A typical patient has what at least this share of training patients had (our choice)."""
_YEAR = 365.25
_COUNTS = 10
"""Whole numbers over so short a range are counts, such as copies of an allele (our choice)."""


def typical_facts(
    form: Form, profile: Profile, facts: TrainingFacts, today: datetime.date
) -> dict[str, Any]:
    """Values of the form's listed fields; what most training patients had not is left out."""
    known = {code: row for row, code in enumerate(profile.codes)}
    share = facts.share or tuple(1.0 for _ in profile.codes)
    filled: dict[str, Any] = {}
    for field in (field for field in form.fields if field.is_listed):
        shares = [share[known[code]] for code in _codes(field) if code in known]
        had = max if field.several else sum  # of several, a patient counts in each that is had
        if not shares or had(shares) < MOST:
            continue
        value = _value(field, profile, facts, known, share)
        if value is not None:
            filled[field.name] = _with_date(field, value, today)
    return filled


def _codes(field: Field) -> Iterator[str]:
    """The codes that a field's values become."""
    yield from (field.stem, *(code for _, code in field.choices if code))


def _value(
    field: Field,
    profile: Profile,
    facts: TrainingFacts,
    known: dict[str, int],
    share: tuple[float, ...],
) -> float | int | str | None:
    if field.age_as == "birth":
        return None if field.days_before is None else round(field.days_before / _YEAR)
    if field.kind in ("number", "age"):
        row = known[field.stem]
        mean = float(profile.center[row])
        low, high = facts.low[row], facts.high[row]
        if low is None or high is None:
            return None
        is_count = low == round(low) and high == round(high) and high - low <= _COUNTS
        number = float(round(mean)) if is_count else float(f"{mean:.3g}")
        if field.age_as == "decades":
            return round(10 * number + 5)
        return min(max(number, low), high)
    choices = [(share[known[code]], word) for word, code in field.choices if code in known]
    return max(choices, key=lambda choice: choice[0])[1] if choices else None


def _with_date(field: Field, value: float | int | str, today: datetime.date) -> Any:
    """The value, dated as in training where the form needs that."""
    days = field.days_before
    if field.age_as or days is None or days <= RECENT_DAYS:
        return value
    return {"value": value, "date": (today - datetime.timedelta(days=round(days))).isoformat()}
