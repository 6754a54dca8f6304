"""The facts of a patient as fields of a form: what if, and a question asked on a page."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from posology.advice.form.field import Field, Limits
from posology.advice.form.unit_names import unit_words, usual_units
from posology.advice.form.values import NOT_KNOWN, is_not_known, read_value
from posology.domain.recommendation.recommendation import Recommendation
from posology.errors import RecordError
from posology.report.patient.words import capitalise, date_words
from posology.service.pages.field_groups import (
    GROUPS,
    MOST_SHOWN,
    FieldOrder,
    group_of,
    place_in_group,
    plain_label,
)
from posology.workflows.advice.what_if import FactValue

_PLACE = "entered"
"""What errors about one field begin with."""
_SHOWN = 40
"""Characters of what was entered that an error repeats. Our choice."""
_MEASURED = ("number", "age")
_SPECIAL = ("a comma before three digits", "write whole ", "is the range ")
"""What errors about a number say that is more than that it is none."""


@dataclass(frozen=True, slots=True)
class FactInput:
    """One field of the form."""

    id: str
    label: str
    value: str
    recorded: str
    """What the record holds; empty if nothing."""
    options: tuple[tuple[str, str], ...]
    """Of a choice: value and words."""
    unit: str
    units: tuple[str, ...]
    """Units in which a number may be entered, the records' first; empty if there is no choice."""
    chosen_unit: str
    hint: str
    is_number: bool
    may_be_unknown: bool
    """Whether it can be ticked as not known: an answer needs it."""
    is_unknown: bool
    """Whether that is ticked."""
    is_changed: bool
    error: str


@dataclass(frozen=True, slots=True)
class FactGroup:
    """The fields under one heading."""

    heading: str
    shown: tuple[FactInput, ...]
    folded: tuple[FactInput, ...]
    """Rarely recorded, or in the words of hospitals: they open on demand."""

    @property
    def is_open(self) -> bool:
        """Whether a folded field has something to mend."""
        return any(field.error for field in self.folded)


def fact_groups(
    values: Sequence[FactValue],
    entered: Mapping[str, str],
    errors: Mapping[str, str],
    order: FieldOrder,
    first: Sequence[str] = (),
) -> tuple[FactGroup, ...]:
    """The fields by clinical group, each with its own field first that decides most.

    Args:
        entered: of each field's id, what was entered instead of what is recorded.
        errors: of each field's id, what to mend.
        first: codes of the facts that speak most for or against an answer.
    """
    rank = {code: at for at, code in enumerate(first)}
    grouped: dict[str, list[_Placed]] = {name: [] for name in GROUPS}
    for at, fact in enumerate(values):
        own = f"fact-{at}"
        codes = (fact.field.stem, *(code for _, code in fact.field.choices))
        weight = min((rank[code] for code in codes if code in rank), default=len(rank))
        is_touched = own in errors or entered.get(own, fact.value) != fact.value
        need = order.why_needed(fact.field)
        must_show = is_touched or weight < len(rank) or bool(need)
        is_named = order.is_named(fact.field)
        place = (place_in_group(fact.field), not is_touched, weight, not is_named)
        placed = _Placed(own, fact, place, must_show or is_named, order.is_usual(fact.field), need)
        grouped[group_of(fact.field)].append(placed)
    return tuple(
        _fact_group(name, sorted(found, key=lambda p: p.place), entered, errors)
        for name, found in grouped.items()
        if found
    )


@dataclass(frozen=True, slots=True)
class _Placed:
    own: str
    fact: FactValue
    place: tuple[int, bool, int, bool]
    must_show: bool
    is_usual: bool
    need: str
    """Why an answer needs the fact; empty if it does not."""


def _fact_group(
    name: str, found: Sequence[_Placed], entered: Mapping[str, str], errors: Mapping[str, str]
) -> FactGroup:
    shown: list[FactInput] = []
    folded: list[FactInput] = []
    for placed in found:
        field = _input(placed, entered, errors.get(placed.own, ""))
        is_shown = placed.must_show or (placed.is_usual and len(shown) < MOST_SHOWN)
        (shown if is_shown else folded).append(field)
    if not shown:  # a heading over nothing but a fold
        shown, folded = folded[:MOST_SHOWN], folded[MOST_SHOWN:]
    return FactGroup(name, tuple(shown), tuple(folded))


def changed_facts(
    values: Sequence[FactValue], entered: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, str]]:
    """Of each changed field's name its new value; and of each id what to mend: all at once."""
    changes, errors = {}, {}
    for at, fact in enumerate(values):
        own = f"fact-{at}"
        text = entered_text(fact.field, entered, own, fact.value)
        if is_ticked(entered, own) and text != NOT_KNOWN:
            name = capitalise(plain_label(fact.field))
            errors[own] = f"{name}: is entered, and ticked as not known; keep one of the two"
            continue
        if text == fact.value:
            continue
        problem = _problem(fact.field, text)
        if problem:
            errors[own] = problem
        else:
            changes[fact.field.name] = text
    return changes, errors


def changes_words(values: Sequence[FactValue], changes: Mapping[str, str]) -> str:
    """`Amiodarone no (record: yes).`"""
    known = {fact.field.name: fact for fact in values}
    parts = []
    for name, value in changes.items():
        fact = known[name]
        new, old = (_words(fact.field, text) for text in (value, fact.value))
        parts.append(f"{capitalise(name)} {new} (record: {old})")
    return f"{'; '.join(parts)}." if parts else ""


def important_codes(advice: Recommendation) -> tuple[str, ...]:
    """Codes of the facts that speak most for or against the first option, or for the dose."""
    contrasts = (reason for contrast in advice.why.contrasts for reason in contrast.reasons)
    return tuple(dict.fromkeys(reason.code for reason in (*contrasts, *advice.why.dose)))


def entered_text(field: Field, entered: Mapping[str, str], own: str, recorded: str) -> str:
    """What was entered, with the unit that was chosen for it if that is not the records'."""
    text, unit = entered.get(own, recorded).strip(), entered.get(f"{own}-unit", "").strip()
    if is_ticked(entered, own) and text in ("", NOT_KNOWN):
        return NOT_KNOWN
    is_bare = re.fullmatch(r"[-+\d.,eE]+", text) is not None
    return f"{text} {unit}" if is_bare and unit in _units(field)[1:] else text


def is_ticked(entered: Mapping[str, str], own: str) -> bool:
    """Whether the field was ticked as not known."""
    return bool(entered.get(f"{own}-unknown", ""))


def _units(field: Field) -> tuple[str, ...]:
    """The units of a number for a choice, the records' first."""
    if field.kind != "number" or not field.unit:
        return ()
    others = usual_units(field.unit, field.stem)
    return (unit_words(field.unit), *others) if others else ()


def _input(placed: _Placed, entered: Mapping[str, str], error: str) -> FactInput:
    fact, own = placed.fact, placed.own
    field, value = fact.field, entered.get(own, fact.value)
    is_unknown = is_ticked(entered, own) or value == NOT_KNOWN
    value = "" if value == NOT_KNOWN else value
    is_changed = value != fact.value and not (is_unknown and fact.value == NOT_KNOWN)
    hints = [placed.need] if placed.need and fact.value in ("", NOT_KNOWN) else []
    if is_changed and fact.value:
        hints.append(f"record: {_words(field, fact.value)}")
    elif fact.time is not None and field.kind != "age":
        hints.append(f"of {date_words(fact.time.date().isoformat())}")
    if fact.others:
        words = dict(_options(field))
        hints.append(f"also on record: {', '.join(words.get(o, o) for o in fact.others)}")
    return FactInput(
        id=own,
        label=capitalise(plain_label(field)),
        value=value,
        recorded=fact.value,
        options=_options(field),
        unit="years" if field.kind == "age" else unit_words(field.unit) if field.unit else "",
        units=_units(field),
        chosen_unit=entered.get(f"{own}-unit", ""),
        hint="; ".join(hints),
        is_number=field.kind == "number" or (field.kind == "age" and "-" not in value),
        may_be_unknown=field.required,
        is_unknown=is_unknown,
        is_changed=is_changed,
        error=error,
    )


def _options(field: Field) -> tuple[tuple[str, str], ...]:
    if field.kind == "yes_no":
        return (("yes", "yes"), ("no", "no"))
    if field.kind != "choice":
        return ()
    titles = field.titles or ("",) * len(field.choices)
    pairs = zip(field.choices, titles, strict=True)
    return tuple((word, title or word.replace("_", " ")) for (word, _), title in pairs)


def _words(field: Field, value: str) -> str:
    if value in ("", NOT_KNOWN):
        return value or "not recorded"
    if field.kind == "number" and field.unit:
        return f"{value} {unit_words(field.unit)}"
    return dict(_options(field)).get(value, value)


def _problem(field: Field, text: str) -> str:
    """What to mend of a field, in a clinician's words; read as a form of the API is."""
    if not text or is_not_known(field, text):
        return ""
    name, shown = capitalise(field.name), f"\u201c{text[:_SHOWN]}\u201d"
    shown = shown if len(text) <= _SHOWN else f"{shown[:-1]}...\u201d"
    try:
        anything = replace(field, limits=Limits())
        entries = list(read_value(anything, text, _PLACE))
    except RecordError as error:
        return f"{name}: {_mend(field, shown, str(error))}, or leave it empty"
    if field.kind == "choice" and any(entry.unknown for entry in entries):
        return f"{name}: {shown} is none of the choices; choose one, or leave it empty"
    numbers = [entry.years or (entry.value,) for entry in entries if field.kind in _MEASURED]
    wrong = [n for pair in numbers for n in pair if n is not None and not _fits(field, n)]
    if not wrong:
        return ""
    unit = "years" if field.kind == "age" else unit_words(field.unit) if field.unit else ""
    limits = field.limits.describe(unit)
    return f"{name}: {wrong[0]:g} {unit}".rstrip() + (
        f" cannot be right; enter {limits}, or leave it empty"
    )


def _fits(field: Field, number: float) -> bool:
    return math.isfinite(number) and (field.limits == Limits() or field.limits.contains(number))


def _mend(field: Field, shown: str, error: str) -> str:
    """What is wrong with a text that cannot be read as the field."""
    if field.kind == "age" and " of two decades" not in error:
        return (
            f"{shown} is no age; enter years such as 72, a range such as 70-79, or the birth date"
        )
    if field.kind == "number" and not any(words in error for words in _SPECIAL):
        unit = f" in {unit_words(field.unit)}" if field.unit else ""
        return f"{shown} is no number{unit}; enter one"
    words = error.removeprefix(_PLACE).lstrip(": ").rstrip(".")
    return words.replace("; write null if it is not known", "").replace(" or null", "")
