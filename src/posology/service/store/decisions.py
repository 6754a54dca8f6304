"""What a clinician decided about an answer. A repeated form is kept once, by its key."""

from dataclasses import asdict, dataclass

from sqlalchemy import Connection, desc, insert, select

from posology.service.store.clock import now, to_text
from posology.service.store.tables import DECISIONS

ACCEPTED, MODIFIED, DEFERRED, OVERRIDDEN = "accepted", "modified", "deferred", "overridden"
CHOSEN = "chosen"
"""Given where nothing was advised."""
DECISION_OUTCOMES = (ACCEPTED, MODIFIED, DEFERRED, OVERRIDDEN, CHOSEN)


@dataclass(frozen=True, slots=True)
class DecisionRecord:
    """One decision about one answer."""

    key: str
    """Of the form that was sent: sent twice, it is kept once."""
    answer: str
    outcome: str
    """One of DECISION_OUTCOMES."""
    decided_by: str
    option: str = ""
    dose: float | None = None
    reason: str = ""
    """Code of the reason to override, modify or defer."""
    comment: str = ""


def save_decision(connection: Connection, record: DecisionRecord) -> bool:
    """Keep the decision; False if its key was kept before."""
    known = select(DECISIONS.c.number).where(DECISIONS.c.key == record.key)
    if connection.execute(known).first() is not None:
        return False
    row = asdict(record) | {"decided_at": to_text(now())}
    connection.execute(insert(DECISIONS), row)
    return True


def decisions_of(connection: Connection, answer: str) -> list[tuple[DecisionRecord, str]]:
    """Decisions about the answer with their times, newest first."""
    query = select(DECISIONS).where(DECISIONS.c.answer == answer).order_by(desc(DECISIONS.c.number))
    names = DecisionRecord.__slots__
    return [
        (DecisionRecord(**{name: getattr(row, name) for name in names}), row.decided_at)
        for row in connection.execute(query)
    ]
