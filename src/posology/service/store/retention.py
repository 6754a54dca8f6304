"""What is erased with time: facts, texts and comments; counts, states and the audit log stay."""

import datetime
from dataclasses import asdict, dataclass

from sqlalchemy import ColumnElement, Connection, Table, func, select, update

from posology.service.store.audit import AuditEvent, append_event
from posology.service.store.clock import now, to_text
from posology.service.store.tables import ANSWERS, DECISIONS, FEEDBACK, SHADOWS


@dataclass(frozen=True, slots=True)
class Erasable:
    """What is older than a number of days, and not erased yet."""

    before: str
    """Moment before which it was made or received."""
    answers: int
    """Answers with the patient's facts or a text."""
    comments: int
    """Comments of decisions and of feedback."""
    shadows: int = 0
    """Texts of challengers' answers."""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to erase."""
        return not (self.answers or self.comments or self.shadows)

    @property
    def words(self) -> str:
        """`the facts of 3 answers and 2 comments`."""
        facts, comments = f"the facts of {self.answers:,} answers", f"{self.comments:,} comments"
        if not self.shadows:
            return f"{facts} and {comments}"
        return f"{facts}, {comments} and {self.shadows:,} answers of challengers"


def count_erasable(connection: Connection, days: int) -> Erasable:
    """What `erase_patients` would erase now."""
    before = _days_ago(days)
    counts = {
        table.name: connection.scalar(select(func.count()).select_from(table).where(condition)) or 0
        for table, condition in _erasable(before).items()
    }
    answers, shadows = counts.pop(ANSWERS.name), counts.pop(SHADOWS.name)
    return Erasable(before, answers, sum(counts.values()), shadows)


def erase_patients(connection: Connection, key: bytes, days: int) -> Erasable:
    """Erase the patients' facts of answers older than so many days; returns what was erased.

    The answer's id, model, state and times stay, and so does the hash of the patient's id, by which
    outcomes are matched. The erasure itself is audited.
    """
    found = count_erasable(connection, days)
    if found.is_empty:
        return found
    facts = {"body": None, "given": None, "headline": "", "door_reference": ""}
    for table, condition in _erasable(found.before).items():
        erased = {ANSWERS: facts, SHADOWS: {"body": None}}.get(table, {"comment": ""})
        connection.execute(update(table).where(condition).values(erased))
    append_event(connection, key, AuditEvent("erase", "service", detail=asdict(found)))
    return found


def _erasable(before: str) -> dict[Table, ColumnElement[bool]]:
    """The rows of each table; a comment goes with its answer, and without one by its own time."""
    old = ANSWERS.c.made_at < before
    answers = select(ANSWERS.c.id).where(old)
    has_facts = ANSWERS.c.body.is_not(None) | (ANSWERS.c.headline != "")
    comments = {}
    for table in (DECISIONS, FEEDBACK):
        is_old = table.c.answer.in_(answers)
        if table is FEEDBACK:
            is_old |= (table.c.answer == "") & (table.c.received_at < before)
        comments[table] = (table.c.comment != "") & is_old
    shadows = SHADOWS.c.body.is_not(None) & SHADOWS.c.answer.in_(answers)
    return {ANSWERS: old & has_facts, SHADOWS: shadows, **comments}


def _days_ago(days: int) -> str:
    return to_text(now() - datetime.timedelta(days=days))
