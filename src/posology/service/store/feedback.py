"""Feedback of CDS Hooks clients on cards. A repeated message is kept once."""

import json
from dataclasses import asdict, dataclass

from sqlalchemy import Connection, insert, select

from posology.service.store.clock import now, to_text
from posology.service.store.tables import FEEDBACK


@dataclass(frozen=True, slots=True)
class FeedbackRecord:
    """What became of one card."""

    service: str
    card: str
    """UUID of the card."""
    outcome: str
    """`accepted` or `overridden`."""
    outcome_at: str
    """As the client sent it, RFC 3339."""
    sent_by: str
    answer: str = ""
    """Id of the answer that the card showed; empty if no card of ours has this UUID."""
    reason: str = ""
    comment: str = ""
    suggestions: tuple[str, ...] = ()
    """UUIDs of the suggestions that were accepted."""

    @property
    def key(self) -> str:
        """The same for a message sent again."""
        return f"{self.card}|{self.outcome}|{self.outcome_at}"


def save_feedback(connection: Connection, record: FeedbackRecord) -> bool:
    """Keep the feedback; False if it was kept before."""
    known = select(FEEDBACK.c.number).where(FEEDBACK.c.key == record.key)
    if connection.execute(known).first() is not None:
        return False
    row = asdict(record) | {
        "key": record.key,
        "suggestions": json.dumps(record.suggestions),
        "received_at": to_text(now()),
    }
    connection.execute(insert(FEEDBACK), row)
    return True
