"""What is erased with time: facts, texts and comments; counts, states and the audit log stay."""

import datetime

from sqlalchemy import Connection, select, update

from posology.service.store.audit import AuditEvent, append_event
from posology.service.store.clock import now, to_text
from posology.service.store.tables import ANSWERS, DECISIONS, FEEDBACK


def erase_patients(connection: Connection, key: bytes, days: int) -> int:
    """Erase the patients' facts of answers older than so many days; returns how many answers.

    The answer's id, model, state and times stay, and so does the hash of the patient's id, by which
    outcomes are matched. The erasure itself is audited.
    """
    before = to_text(now() - datetime.timedelta(days=days))
    old = (ANSWERS.c.made_at < before) & (ANSWERS.c.body.is_not(None) | (ANSWERS.c.headline != ""))
    ids = select(ANSWERS.c.id).where(ANSWERS.c.made_at < before)
    erased = {"body": None, "given": None, "headline": "", "door_reference": ""}
    count = connection.execute(update(ANSWERS).where(old).values(erased)).rowcount
    for table in (DECISIONS, FEEDBACK):
        is_old = table.c.answer.in_(ids) & (table.c.comment != "")
        connection.execute(update(table).where(is_old).values(comment=""))
    if count:
        detail = {"answers": count, "before": before}
        append_event(connection, key, AuditEvent("erase", "service", detail=detail))
    return count
