"""In which groups of patients a challenger advises something else most often."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, desc, select

from posology.service.shadow.shares import Share, share_of
from posology.service.store.tables import ANSWERS
from posology.service.work import unpack

MOST_READ = 600
"""Newest answers of which the patient's facts are looked at."""
_MOST_SHOWN, _MOST_VALUES = 4, 8


@dataclass(frozen=True, slots=True)
class GroupDifference:
    """Patients with one value of a fact, or with a number below or above the middle one."""

    fact: str
    value: str
    differ: Share
    """Pairs in which the two advise something else."""


def compare_groups(
    connection: Connection, differs: Mapping[str, bool]
) -> tuple[GroupDifference, ...]:
    """The groups in which the two differ most; of five patients or more, the most first.

    Args:
        differs: of each answer of a pair, whether the two advise something else.
    """
    query = (
        select(ANSWERS.c.id, ANSWERS.c.patient_key, ANSWERS.c.body)
        .where(ANSWERS.c.id.in_(list(differs)[:MOST_READ]), ANSWERS.c.body.is_not(None))
        .order_by(desc(ANSWERS.c.made_at))
    )
    facts: dict[str, list[tuple[str, str, bool]]] = {}
    for answer, patient, body in connection.execute(query):
        for known in unpack(body)["recommendation"]["known"]:
            row = (known["value"], patient or answer, differs[answer])
            facts.setdefault(known["fact"], []).append(row)
    found = [group for fact, rows in facts.items() for group in _groups(fact, rows)]
    found.sort(key=lambda group: (-group.differ.percent, -group.differ.of, group.fact))
    return tuple(group for group in found if group.differ.count)[:_MOST_SHOWN]


def _groups(fact: str, rows: list[tuple[str, str, bool]]) -> Iterator[GroupDifference]:
    """A group for each value; of numbers, the halves below and above the middle one."""
    if len({value for value, _, _ in rows}) > _MOST_VALUES:
        rows = _halves(rows)
    for value in sorted({value for value, _, _ in rows}):
        own = [(holds, owner) for at, owner, holds in rows if at == value]
        differ = share_of([holds for holds, _ in own], [owner for _, owner in own])
        if differ is not None and differ.of < len(rows):
            yield GroupDifference(fact, value, differ)


def _halves(rows: list[tuple[str, str, bool]]) -> list[tuple[str, str, bool]]:
    numbers = [(number, row) for row in rows if (number := _number(row[0])) is not None]
    if len(numbers) < len(rows) or not numbers:
        return []
    ordered = sorted(number for number, _ in numbers)
    middle = ordered[len(ordered) // 2]
    unit = rows[0][0].partition(" ")[2]
    words = f"{middle:.4g} {unit}".strip()
    return [
        (f"under {words}" if number < middle else f"{words} or more", owner, holds)
        for number, (_, owner, holds) in numbers
    ]


def _number(value: Any) -> float | None:
    try:
        return float(value.split(" ")[0])
    except ValueError:
        return None
