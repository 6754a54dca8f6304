"""Facts of one patient that cannot both be true."""

import datetime
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from posology.advice.form.field import normalise
from posology.advice.form.values import Entry, may_have_several
from posology.domain.codes import words_of_code
from posology.errors import RecordError
from posology.language.catalogue import tr
from posology.language.numbers import number

_ABSENT, _RANGE = "_ABSENT", "_RANGE"
"""Ends of the families of what is stated to be absent, and of ranges of a family's number."""
_SAME_FAMILY = {
    "MEDICATION": "DRUG",
    "DRUG_PER_DAY": "DRUG",
    "DRUG_RATE": "DRUG",
    "COMORBIDITY": "CONDITION",
}
"""Families that say the same of a name."""
ANY = "any"
"""Name that stands for every one of a family: `MEDICATION_ABSENT//any` is no medication at all."""
_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*-\s*(\d+(?:\.\d+)?)")


@dataclass(frozen=True, slots=True)
class Statement:
    """One thing that a file says of the patient."""

    words: str
    """As the file has it: `drug amiodarone: no`."""
    code: str
    """What it states, or what it denies."""
    is_denied: bool = False
    value: float | None = None
    time: datetime.datetime | None = None
    only: str = ""
    """Prefix of the codes of which a patient has one only; "" if there may be several."""
    from_records: bool = False
    """Whether it is an event of the records, and not a fact that a person filled in."""


def statements_of(entries: Sequence[Entry], key: str = "") -> list[Statement]:
    """What the entries of a field state; without a key those of events."""
    found = []
    for entry in entries:
        if not entry.code:
            continue
        field = entry.field
        has_one = field.kind != "event" and field.age_as != "birth" and not may_have_several(field)
        words = f"{key}: {_said(entry)}" if key else words_of_code(entry.code)
        if not key and entry.value is not None:
            words = f"{words}: {number(f'{entry.value:.4g}')}"
        only = field.stem if has_one else ""
        found.append(
            Statement(words, entry.code, False, entry.value, entry.time, only, from_records=not key)
        )
    return found


def _said(entry: Entry) -> str:
    if entry.value is not None:
        return f"{entry.value:.4g}"
    last = entry.code.rpartition("//")[2]
    if entry.field.kind == "yes_no":
        return "no" if last == "no" else "yes"
    return last.replace("_", " ")


def check_form(statements: Sequence[Statement], source: str) -> tuple[str, ...]:
    """Sentences on what the events of a form contradict; RecordError for facts that do."""
    sentences = []
    for first, second in find_contradictions(statements):
        is_written = not (first.from_records or second.from_records)
        if is_written or (first.only and first.only == second.only):
            text = tr(
                "`{first}` and `{second}` contradict each other; correct one of them or leave it "
                'out. If the records hold both, write one under "events".'
            )
            text = text.format(first=first.words, second=second.words)
            raise RecordError(f"{source}: {text}")
        sentences.append(_sentence(first, second))
    return tuple(dict.fromkeys(sentences))


def check_records(statements: Sequence[Statement]) -> tuple[str, ...]:
    """Sentences on what records contradict: they are read as they are."""
    return tuple(dict.fromkeys(_sentence(*pair) for pair in find_contradictions(statements)))


def _sentence(first: Statement, second: Statement) -> str:
    text = tr("Contradicting facts: {first}; {second}. Both are read as recorded.")
    return text.format(first=first.words, second=second.words)


def find_contradictions(statements: Sequence[Statement]) -> Iterator[tuple[Statement, Statement]]:
    """Pairs of statements that cannot both be true."""
    stated: dict[tuple[str, str], list[tuple[Statement, bool]]] = {}
    for statement in statements:
        topic, is_denied = _topic(statement)
        for other, was_denied in stated.get(topic, ()):
            if is_denied != was_denied and _same_time(statement, other):
                yield other, statement
        stated.setdefault(topic, []).append((statement, is_denied))
    yield from _of_everything(stated)
    yield from _two_of_one(statements)
    yield from _outside_range(statements)


def _topic(statement: Statement) -> tuple[tuple[str, str], bool]:
    """What a statement is about, and whether it denies it."""
    family, *rest = statement.code.split("//")
    is_denied = statement.is_denied
    if family.endswith(_ABSENT):
        family, is_denied = family.removesuffix(_ABSENT), not is_denied
    if rest and rest[-1] in ("yes", "no"):
        is_denied ^= rest.pop() == "no"
    return (_SAME_FAMILY.get(family, family), normalise("//".join(rest))), is_denied


def _same_time(first: Statement, second: Statement) -> bool:
    """A fact may end: two dates that differ contradict nothing."""
    return first.time is None or second.time is None or first.time == second.time


def _of_everything(
    stated: dict[tuple[str, str], list[tuple[Statement, bool]]],
) -> Iterator[tuple[Statement, Statement]]:
    """`no medication at all` beside a medication."""
    for (family, name), found in stated.items():
        nothing = [statement for statement, is_denied in found if is_denied and name == ANY]
        others = [
            statement
            for (of, about), listed in stated.items()
            for statement, is_denied in listed
            if of == family and about != ANY and not is_denied
        ]
        for statement in nothing[:1]:
            yield from ((statement, other) for other in others[:1] if _same_time(statement, other))


def _outside_range(statements: Sequence[Statement]) -> Iterator[tuple[Statement, Statement]]:
    """A number outside of the range that another fact states of it."""
    for statement in statements:
        family, _, text = statement.code.partition("//")
        span = _SPAN.fullmatch(text.strip()) if family.endswith(_RANGE) else None
        if span is None:
            continue
        for other in statements:
            is_same = other.code == family.removesuffix(_RANGE) and other.value is not None
            if is_same and not float(span[1]) <= (other.value or 0.0) <= float(span[2]):
                yield other, statement


def _two_of_one(statements: Sequence[Statement]) -> Iterator[tuple[Statement, Statement]]:
    """Two values of what a patient has one of."""
    first: dict[str, Statement] = {}
    for statement in statements:
        if not statement.only:
            continue
        earlier = first.setdefault(statement.only, statement)
        if (earlier.code, earlier.value) != (statement.code, statement.value):
            yield earlier, statement
