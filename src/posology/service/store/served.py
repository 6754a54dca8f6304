"""Which version of each model answered from when, and who changed it."""

from dataclasses import dataclass

from sqlalchemy import Connection, desc, insert, select

from posology.service.store.audit import AuditEvent, append_event
from posology.service.store.clock import now, to_text
from posology.service.store.tables import SERVED

START, SWAP, ROLLBACK, STOP, RESUME = "start", "swap", "rollback", "stop", "resume"


@dataclass(frozen=True, slots=True)
class Change:
    """One change of what is served."""

    model: str
    digest: str
    action: str
    caller: str
    reason: str = ""
    """In the words of an administrator; stands in no log."""


def save_change(connection: Connection, key: bytes, change: Change) -> None:
    """Keep the change and audit it."""
    row = {name: getattr(change, name) for name in Change.__slots__}
    connection.execute(insert(SERVED), row | {"at": to_text(now())})
    event = AuditEvent(change.action, change.caller, model=change.model, digest=change.digest)
    append_event(connection, key, event)


def changes_of(connection: Connection, model: str, limit: int = 100) -> list[tuple[str, Change]]:
    """Times and changes of the model, newest first."""
    query = (
        select(SERVED).where(SERVED.c.model == model).order_by(desc(SERVED.c.number)).limit(limit)
    )
    names = Change.__slots__
    return [
        (row.at, Change(**{name: getattr(row, name) for name in names}))
        for row in connection.execute(query)
    ]


def current_state(connection: Connection, model: str) -> tuple[str, bool, str]:
    """The digest last chosen for the model, whether it is stopped, and the reason."""
    digest, stop = "", None
    for _, change in reversed(changes_of(connection, model, 1000)):
        if change.action in (START, SWAP, ROLLBACK):
            digest = change.digest
        if change.action in (STOP, RESUME):
            stop = change if change.action == STOP else None
    return digest, stop is not None, "" if stop is None else stop.reason


def served_on(connection: Connection, model: str, moment: str) -> str:
    """Digest of the version that answered at this time (as `to_text` writes it); empty if none."""
    query = (
        select(SERVED.c.digest)
        .where(SERVED.c.model == model, SERVED.c.at <= moment)
        .where(SERVED.c.action.in_((START, SWAP, ROLLBACK)))
        .order_by(desc(SERVED.c.number))
        .limit(1)
    )
    row = connection.execute(query).first()
    return "" if row is None else row.digest
