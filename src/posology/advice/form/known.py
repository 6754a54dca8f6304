"""The facts of a patient that a model uses, in words: the last value of each, with its date."""

import datetime
from collections.abc import Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType

from posology.advice.form.field import STATIC, Form
from posology.advice.form.unit_names import decade_words, plain_unit
from posology.advice.form.values import Entry
from posology.domain.codes import display_name, without_system
from posology.domain.formulas.ages import completed_years
from posology.domain.recommendation.findings import KnownFact
from posology.language.catalogue import deferred, tr
from posology.language.numbers import number

_BEFORE = datetime.datetime(1, 1, 1)  # noqa: DTZ001 - MEDS times have no zone


_OWN = frozenset({deferred("yes"), deferred("no"), deferred("male"), deferred("female")})
"""Words of choices that are the form's own; all others are the records'."""


def own_word(word: str) -> str:
    """The word of a choice in the language of the answer, if it is the form's own."""
    return tr(word) if word in _OWN else word


_NO_UNITS = ("score", "copies", "count")
"""What is counted says the name of the fact."""


def known_facts(
    entries: Sequence[Entry], form: Form, decision: datetime.datetime
) -> tuple[KnownFact, ...]:
    """One fact a code that is used, in the form's order; entries without a code are not used."""
    order, last = _order(form), dict[tuple[str, str], Entry]()
    for entry in sorted((e for e in entries if e.code), key=_time):
        key = entry.code if entry.field.several or entry.field.kind == "event" else ""
        last[(entry.field.stem, key)] = entry
    shown = sorted(last.values(), key=lambda e: order.get(e.field.stem, len(order)))
    return tuple(_fact(entry, form, decision) for entry in shown)


@lru_cache(maxsize=8)
def _order(form: Form) -> Mapping[str, int]:
    """Place of each field."""
    return MappingProxyType({field.stem: at for at, field in enumerate(form.fields)})


def _fact(entry: Entry, form: Form, decision: datetime.datetime) -> KnownFact:
    field = entry.field
    has_date = entry.time is not None and field.timing != STATIC and field.age_as != "birth"
    date = entry.time.date().isoformat() if has_date and entry.time is not None else ""
    name = without_system(field.name or display_name(entry.code, form.names))
    name = "age" if field.kind == "age" else field.role or name
    words = ", ".join(part for part in (_words(entry, decision), entry.origin) if part)
    return KnownFact(name, words, date)


def _words(entry: Entry, decision: datetime.datetime) -> str:
    field = entry.field
    if field.kind == "age" or field.age_as:
        return _age_words(entry, decision)
    if entry.value is not None:
        unit = "" if field.unit in _NO_UNITS else plain_unit(field.unit)
        return f"{number(f'{entry.value:.4g}')} {unit}".strip()
    titles = field.titles or ("",) * len(field.choices)
    for (word, code), title in zip(field.choices, titles, strict=True):
        if code == entry.code:
            return own_word(title or word)
    return tr("recorded")


def _age_words(entry: Entry, decision: datetime.datetime) -> str:
    if entry.field.age_as == "decades" and entry.value is not None:
        decade = decade_words(entry.value)
        if entry.years is None or entry.years[0] != entry.years[1]:
            return decade
        text = tr("{years} years (read as {decade})")
        end = tr("{years} years").format(years="")
        return text.format(years=number(f"{entry.years[0]:g}"), decade=decade.removesuffix(end))
    if entry.years is not None and entry.years[0] != entry.years[1]:
        first, last = (int(years) for years in entry.years)
        return tr("{first} to {last} years").format(first=first, last=last)
    years = entry.age if entry.age is not None else entry.value
    if years is None and entry.time is not None:
        years = float(completed_years(entry.time, decision))
    return tr("recorded") if years is None else tr("{years} years").format(years=int(years))


def age_span(entries: Sequence[Entry], decision: datetime.datetime) -> tuple[float, float] | None:
    """Youngest and oldest age in years that the last entry of age allows."""
    ages = [e for e in entries if e.code and (e.field.kind == "age" or e.field.age_as)]
    if not ages:
        return None
    last = max(ages, key=_time)
    if last.years is not None:
        return last.years
    if last.field.age_as == "decades" and last.value is not None:
        return 10 * last.value, 10 * last.value + 9
    years = last.age if last.age is not None else last.value
    if years is None and last.time is not None:
        years = float(completed_years(last.time, decision))
    return None if years is None else (years, years)


def _time(entry: Entry) -> datetime.datetime:
    return entry.time or _BEFORE
