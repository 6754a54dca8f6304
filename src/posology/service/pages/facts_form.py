"""The facts of a patient as fields of a form: what if, and a question asked on a page."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from posology.advice.form.field import Field, Limits
from posology.advice.form.known import own_word
from posology.advice.form.unit_names import unit_words, usual_units
from posology.advice.form.values import NOT_KNOWN, is_not_known, read_value
from posology.advice.wording.fact_names import fact_name
from posology.domain.recommendation.recommendation import Recommendation
from posology.errors import RecordError
from posology.language.catalogue import GERMAN, current_language, deferred, tr
from posology.language.kept import in_other_words
from posology.language.numbers import is_ambiguous, number, read_number
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
_SPECIAL = (
    (
        r"is the range (?P<value>.+), and the model knows one number(?P<unit>.*); write .*",
        deferred(
            "is the range {value}, and the model knows one number{unit}; write the number that "
            "counts,"
        ),
    ),
    (
        r"is (?P<value>.+): a comma before three digits may mean (?P<plain>\S+) or "
        r"(?P<decimal>[^;]+); .*",
        deferred(
            "is {value}: a comma before three digits may mean {plain} or {decimal}; write the "
            "number with a point, or without a comma"
        ),
    ),
    (
        r"is (?P<value>.+): write whole (?P<large>\w+), and fewer than (?P<size>\d+) "
        r"(?P<small>\w+)",
        deferred("is {value}: write whole {large}, and fewer than {size} {small}"),
    ),
    (
        r"(?P<first>\d+) to (?P<last>\d+) years are of two decades, .* such as (?P<decade>[-\d]+)",
        deferred(
            "{first} to {last} years are of two decades, and the model knows decades of age; "
            "write one, such as {decade}"
        ),
    ),
)
"""What errors about a number say that is more than that it is none, and how a page says it."""


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
    return FactGroup(tr(name), tuple(shown), tuple(folded))


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
            both = tr("{fact}: is entered, and ticked as not known; keep one of the two")
            errors[own] = both.format(fact=name)
            continue
        if text == fact.value:
            continue
        problem = _problem(fact.field, text)
        if problem:
            errors[own] = problem
        else:
            changes[fact.field.name] = _plain(fact.field, text)
    return changes, errors


def changes_words(values: Sequence[FactValue], changes: Mapping[str, str]) -> str:
    """`Amiodarone no (record: yes).`"""
    known = {fact.field.name: fact for fact in values}
    parts = []
    for name, value in changes.items():
        fact = known[name]
        new, old = (_words(fact.field, text) for text in (value, fact.value))
        change = tr("{fact} {new} (record: {old})")
        parts.append(change.format(fact=capitalise(fact_name(name)), new=new, old=old))
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
    if field.kind == "number" and text == number(recorded):
        return recorded
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
    hints = [tr(placed.need)] if placed.need and fact.value in ("", NOT_KNOWN) else []
    if is_changed and fact.value:
        hints.append(tr("record: {value}").format(value=_words(field, fact.value)))
    elif fact.time is not None and field.kind != "age":
        day = date_words(fact.time.date().isoformat())
        hints.append(tr("of {day}").format(day=day))
    if fact.others:
        words = dict(_options(field))
        others = ", ".join(words.get(o, o) for o in fact.others)
        hints.append(tr("also on record: {values}").format(values=others))
    return FactInput(
        id=own,
        label=capitalise(plain_label(field)),
        value=number(value) if value == fact.value and field.kind == "number" else value,
        recorded=fact.value,
        options=_options(field),
        unit=_unit(field),
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
        return (("yes", tr("yes")), ("no", tr("no")))
    if field.kind != "choice":
        return ()
    titles = field.titles or ("",) * len(field.choices)
    pairs = zip(field.choices, titles, strict=True)
    return tuple((word, title or own_word(word).replace("_", " ")) for (word, _), title in pairs)


def _words(field: Field, value: str) -> str:
    if value in ("", NOT_KNOWN):
        return tr(value or "not recorded")
    if field.kind == "number" and field.unit:
        return f"{number(value)} {unit_words(field.unit)}"
    return dict(_options(field)).get(value, value)


def _problem(field: Field, text: str) -> str:
    """What to mend of a field, in a clinician's words; read as a form of the API is."""
    if not text or is_not_known(field, text):
        return ""
    name, cut = capitalise(fact_name(field.name)), "..." if len(text) > _SHOWN else ""
    shown = tr("“{value}”").format(value=f"{text[:_SHOWN]}{cut}")
    if field.kind == "number" and current_language() == GERMAN and is_ambiguous(text):
        may = tr("{fact}: {value} may be thousands or decimals; write it without a point").format
        return may(fact=name, value=shown)
    try:
        anything = replace(field, limits=Limits())
        entries = list(read_value(anything, _plain(field, text), _PLACE))
    except RecordError as error:
        wrong = tr("{fact}: {problem}, or leave it empty")
        return wrong.format(fact=name, problem=_mend(field, shown, str(error)))
    if field.kind == "choice" and any(entry.unknown for entry in entries):
        none = tr("{fact}: {value} is none of the choices; choose one, or leave it empty")
        return none.format(fact=name, value=shown)
    numbers = [entry.years or (entry.value,) for entry in entries if field.kind in _MEASURED]
    unfit = [n for pair in numbers for n in pair if n is not None and not _fits(field, n)]
    if not unfit:
        return ""
    given = f"{number(f'{unfit[0]:g}')} {_unit(field)}".rstrip()
    wrong = tr("{fact}: {value} cannot be right; enter {limits}, or leave it empty")
    return wrong.format(fact=name, value=given, limits=_limits(field))


def _plain(field: Field, text: str) -> str:
    """A number as forms of the API have it: German thousands and decimals become plain ones."""
    head = re.match(r"[-+\d.,]*", text)
    if field.kind != "number" or current_language() != GERMAN or not head or "," not in head[0]:
        return text
    try:
        return f"{read_number(head[0]):.15g}{text[head.end() :]}"
    except ValueError:
        return text


def _unit(field: Field) -> str:
    if field.kind == "age":
        return tr("years")
    return unit_words(field.unit) if field.unit else ""


def _limits(field: Field) -> str:
    """The numbers that can be right, as `Limits.describe` has them."""
    ends = (field.limits.low, field.limits.high)
    low, high = (None if end is None else number(f"{end:g}") for end in ends)
    if high is None:
        return tr("from {bound} {unit}").format(bound=low, unit=_unit(field)).strip()
    words = tr("at most {bound} {unit}") if low is None else tr("from {low} to {high} {unit}")
    return words.format(bound=high, low=low, high=high, unit=_unit(field)).strip()


def _fits(field: Field, number: float) -> bool:
    return math.isfinite(number) and (field.limits == Limits() or field.limits.contains(number))


def _mend(field: Field, shown: str, error: str) -> str:
    """What is wrong with a text that cannot be read as the field."""
    words = error.removeprefix(_PLACE).lstrip(": ").rstrip(".")
    special = in_other_words(words, _SPECIAL)
    if special:
        return special
    if field.kind == "age":
        age = tr(
            "{value} is no age; enter years such as 72, a range such as 70-79, or the birth date"
        )
        return age.format(value=shown)
    if field.kind == "number" and not field.unit:
        return tr("{value} is no number; enter one").format(value=shown)
    if field.kind == "number":
        words = tr("{value} is no number in {unit}; enter one")
        return words.format(value=shown, unit=unit_words(field.unit))
    return words.replace("; write null if it is not known", "").replace(" or null", "")
