"""The facts of a patient as fields of a form: what if, and a question asked on a page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from posology.advice.form.field import Field, Limits
from posology.advice.form.unit_names import unit_words
from posology.domain.recommendation.recommendation import Recommendation
from posology.report.patient.words import capitalise, date_words
from posology.workflows.advice.what_if import FactValue

MOST_FIRST = 9
"""Fields that stand before `more facts`."""


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
    hint: str
    is_number: bool
    is_first: bool
    """Whether it stands before `more facts`."""
    is_changed: bool
    error: str


def fact_inputs(
    values: Sequence[FactValue],
    entered: Mapping[str, str],
    errors: Mapping[str, str],
    first: Sequence[str] = (),
) -> tuple[FactInput, ...]:
    """The fields; those of the codes `first`, then those that are recorded, before others.

    Args:
        entered: of each field's id, what was entered instead of what is recorded.
        errors: of each field's id, what to mend.
    """
    rank = {code: at for at, code in enumerate(first)}
    ids = {id(fact): f"fact-{at}" for at, fact in enumerate(values)}

    def order(fact: FactValue) -> tuple[bool, int, bool]:
        own = ids[id(fact)]
        is_touched = own in errors or entered.get(own, fact.value) != fact.value
        codes = (fact.field.stem, *(code for _, code in fact.field.choices))
        place = min((rank[code] for code in codes if code in rank), default=len(rank))
        return not is_touched, place, not fact.value

    ordered = sorted(values, key=order)
    shown = []
    for at, fact in enumerate(ordered):
        own = ids[id(fact)]
        is_first = at < MOST_FIRST
        shown.append(_input(fact, own, entered.get(own, fact.value), errors.get(own, ""), is_first))
    return tuple(shown)


def changed_facts(
    values: Sequence[FactValue], entered: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, str]]:
    """Of each changed field's name its new value; and of each id what to mend."""
    changes, errors = {}, {}
    for at, fact in enumerate(values):
        text = entered.get(f"fact-{at}", fact.value).strip()
        if text == fact.value:
            continue
        problem = _problem(fact.field, text)
        if problem:
            errors[f"fact-{at}"] = problem
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


def _input(fact: FactValue, own: str, value: str, error: str, is_first: bool) -> FactInput:
    field = fact.field
    is_changed = value != fact.value
    hints = []
    if is_changed:
        hints.append(f"record: {_words(field, fact.value)}")
    elif fact.time is not None and field.kind != "age":
        hints.append(f"of {date_words(fact.time.date().isoformat())}")
    elif not fact.value and field.required:
        hints.append("needed: no answer without it")
    return FactInput(
        id=own,
        label=capitalise(field.name),
        value=value,
        recorded=fact.value,
        options=_options(field),
        unit="years" if field.kind == "age" else unit_words(field.unit) if field.unit else "",
        hint=", ".join(hints),
        is_number=field.kind == "number" or (field.kind == "age" and "-" not in value),
        is_first=is_first,
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
    return tuple((word, title or word) for (word, _), title in pairs)


def _words(field: Field, value: str) -> str:
    if not value:
        return "not recorded"
    if field.kind == "number" and field.unit:
        return f"{value} {unit_words(field.unit)}"
    return dict(_options(field)).get(value, value)


def _problem(field: Field, text: str) -> str:
    """What to mend of a number; the rest is checked where forms are read."""
    if not text or field.kind != "number":
        return ""
    unit = unit_words(field.unit) if field.unit else ""
    try:
        number = float(text.replace(",", "."))
    except ValueError:
        given = f"{capitalise(field.name)}: \u201c{text}\u201d is no number"
        return f"{given}{f' in {unit}' if unit else ''}; enter one, or leave it empty"
    if field.limits == Limits() or field.limits.contains(number):
        return ""
    return (
        f"{capitalise(field.name)}: {number:g} {unit}".rstrip()
        + f" cannot be right; enter {field.limits.describe(unit)}, or leave it empty"
    )
