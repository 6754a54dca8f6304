"""Outcomes as they come back, late or corrected: every version is kept, the last one counts."""

import hashlib
import json
from dataclasses import asdict, dataclass

from sqlalchemy import Connection, desc, insert, select

from posology.service.store.clock import now, to_text
from posology.service.store.tables import OUTCOMES

LONGEST_KEY = 200
"""Characters of a key that the table holds; of a longer one its hash is kept."""


@dataclass(frozen=True, slots=True)
class OutcomeRecord:
    """One observation of how a patient fared."""

    key: str
    """The sender's id of the observation: sent again with other content, it is a correction."""
    code: str
    value: float | None
    observed_at: str
    """Date or time of the observation, ISO 8601."""
    sent_by: str
    patient_key: str = ""
    answer: str = ""
    """Id of the answer that it belongs to, where the sender knows it."""


def save_outcome(connection: Connection, record: OutcomeRecord) -> str:
    """Keep the outcome: `kept`, `corrected`, or `known` if the last version is the same."""
    key = record.key
    if len(key) > LONGEST_KEY:
        key = hashlib.sha256(key.encode()).hexdigest()
    query = (
        select(OUTCOMES.c.key, OUTCOMES.c.version, OUTCOMES.c.digest)
        .where(OUTCOMES.c.key.in_((key, record.key)))  # SQLite kept long keys until November 2026
        .order_by(desc(OUTCOMES.c.version))
        .limit(1)
    )
    last = connection.execute(query).first()
    digest = hashlib.sha256(json.dumps(asdict(record), sort_keys=True).encode()).hexdigest()
    if last is not None and last.digest == digest:
        return "known"
    version = 1 if last is None else last.version + 1
    row = asdict(record) | {
        "key": key if last is None else last.key,
        "version": version,
        "received_at": to_text(now()),
        "digest": digest,
    }
    connection.execute(insert(OUTCOMES), row)
    return "kept" if version == 1 else "corrected"
