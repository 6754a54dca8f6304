"""Which challenger answered silently beside each model from when, and who changed it."""

from dataclasses import dataclass

from sqlalchemy import Connection, desc, insert, select

from posology.service.store.audit import AuditEvent, append_event
from posology.service.store.clock import now, to_text
from posology.service.store.tables import CHALLENGERS

SET, DROP = "set_challenger", "drop_challenger"


@dataclass(frozen=True, slots=True)
class ChallengerChange:
    """A challenger was set, in place of another one if there was one, or dropped."""

    model: str
    digest: str
    action: str
    """SET or DROP."""
    caller: str
    reason: str = ""
    """Why it was dropped: an administrator's words; stands in no log."""
    at: str = ""
    """Set by the store."""


def save_challenger_change(connection: Connection, key: bytes, change: ChallengerChange) -> None:
    """Keep the change and audit it."""
    row = {name: getattr(change, name) for name in ChallengerChange.__slots__}
    connection.execute(insert(CHALLENGERS), row | {"at": to_text(now())})
    event = AuditEvent(change.action, change.caller, model=change.model, digest=change.digest)
    append_event(connection, key, event)


def last_challenger_change(connection: Connection, model: str) -> ChallengerChange | None:
    """The last change of the model's challenger."""
    query = (
        select(CHALLENGERS)
        .where(CHALLENGERS.c.model == model)
        .order_by(desc(CHALLENGERS.c.number))
        .limit(1)
    )
    row = connection.execute(query).first()
    if row is None:
        return None
    return ChallengerChange(**{name: getattr(row, name) for name in ChallengerChange.__slots__})
