"""The audit log: rows are only added, and each carries a keyed hash over itself and the one before.

Whoever can write to the database but does not have the service's key cannot change, remove or
insert a row without `verify_audit` finding it. Rows cut off at the end show only against a head
that was noted elsewhere (`posology serve audit verify --head`).
"""

import hashlib
import hmac
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Connection, Row, desc, insert, select

from posology.errors import UserError
from posology.service.store.clock import now, to_text
from posology.service.store.tables import AUDIT

_HASH = re.compile(r"[0-9a-f]{64}")
START = "0" * 64
"""What the first row has before it."""


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """Something that was done. No text of a patient or a clinician stands in it."""

    action: str
    """Such as `answer`, `decision`, `feedback`, `outcome`, `swap`, `stop`, `sign_in`."""
    caller: str
    """Subject of the person or system that did it."""
    model: str = ""
    digest: str = ""
    subject: str = ""
    """Id of the answer, decision or outcome that it is about."""
    detail: dict[str, Any] = field(default_factory=dict)
    """Plain JSON values: counts, states, keys; never free text."""


@dataclass(frozen=True, slots=True)
class AuditCheck:
    """What `verify_audit` found."""

    rows: int
    head: str
    """Hash of the last row: note it elsewhere to find rows cut off later."""
    problem: str
    """The first row that does not fit, in words; empty if all fit."""


def append_event(connection: Connection, key: bytes, event: AuditEvent) -> str:
    """Add the event as the newest row; returns its hash."""
    last = connection.execute(
        select(AUDIT.c.number, AUDIT.c.hash).order_by(desc(AUDIT.c.number)).limit(1)
    ).first()
    number, before = (last.number + 1, last.hash) if last else (1, START)
    row = {
        "number": number,
        "at": to_text(now()),
        "action": event.action,
        "caller": event.caller,
        "model": event.model,
        "digest": event.digest,
        "subject": event.subject,
        "detail": json.dumps(event.detail, sort_keys=True),
        "before": before,
    }
    row["hash"] = _hash(row, key)
    connection.execute(insert(AUDIT), row)
    return str(row["hash"])


def verify_audit(connection: Connection, key: bytes) -> AuditCheck:
    """Recompute every hash, and check that no number is left out."""
    number, head = 0, START
    for row in iterate_audit(connection):
        body = dict(row._mapping)
        number += 1
        if body["number"] != number:
            problem = f"row {number} is missing: row {body['number']} stands in its place"
            return AuditCheck(number - 1, head, problem)
        if body["before"] != head:
            problem = f"row {number} does not follow row {number - 1}: one of them was replaced"
            return AuditCheck(number - 1, head, problem)
        found = body.pop("hash")
        if not hmac.compare_digest(_hash(body, key), found):
            problem = f"row {number} was changed after it was written, or the service's key was"
            return AuditCheck(number - 1, head, problem)
        head = found
    return AuditCheck(number, head, "")


def is_own_log(connection: Connection, key: bytes) -> bool:
    """Whether the newest row was written with this key; another would break the chain unseen."""
    row = connection.execute(select(AUDIT).order_by(desc(AUDIT.c.number)).limit(1)).first()
    if row is None:
        return True
    body = dict(row._mapping)
    found = body.pop("hash")
    return hmac.compare_digest(_hash(body, key), found)


def check_head(connection: Connection, key: bytes, head: str) -> AuditCheck:
    """The same, and whether a hash noted before is still in the log (empty: none was).

    UserError where what was noted is no whole hash: it says nothing about the log.
    """
    head = head.strip().lower()
    if head and _HASH.fullmatch(head) is None:
        raise UserError(
            f"--head: has {len(head)} characters and is no head of an audit log, which has 64, "
            "each a digit or a letter from a to f; give the whole one, as `posology serve audit "
            "verify` printed it. Nothing was checked."
        )
    check = verify_audit(connection, key)
    if check.problem or not head:
        return check
    known = connection.execute(select(AUDIT.c.number).where(AUDIT.c.hash == head)).first()
    if known is None:
        return replace(check, problem="no row has the hash noted before: rows were cut off")
    return check


def iterate_audit(connection: Connection, after: int = 0) -> Iterator[Row[Any]]:
    """The rows after this number, oldest first."""
    query = select(AUDIT).where(AUDIT.c.number > after).order_by(AUDIT.c.number)
    yield from connection.execution_options(yield_per=1000).execute(query)


def _hash(row: dict[str, Any], key: bytes) -> str:
    body = json.dumps({k: v for k, v in row.items() if k != "hash"}, sort_keys=True)
    return hmac.new(key, b"audit\0" + body.encode(), hashlib.sha256).hexdigest()
