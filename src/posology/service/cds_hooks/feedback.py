"""What became of cards, as clients report it: kept once, however often it is sent."""

from sqlalchemy import Connection

from posology.service.cds_hooks.cards.override_reasons import OVERRIDE_REASONS
from posology.service.cds_hooks.requests import CardFeedback, Feedback
from posology.service.store.audit import AuditEvent, append_event
from posology.service.store.cards import find_card
from posology.service.store.feedback import FeedbackRecord, save_feedback

_OURS = dict(OVERRIDE_REASONS)
_OTHER = "other"
"""In the audit log, for a reason that no card offered: it may be any text, and the log stays."""


def keep_feedback(
    connection: Connection, key: bytes, service: str, sent_by: str, body: Feedback
) -> tuple[int, int]:
    """Keep the reports in one transaction; how many were new, and how many of unknown cards."""
    new = unknown = 0
    for one in body.feedback:
        record = _record(connection, service, sent_by, one)
        unknown += not record.answer
        if save_feedback(connection, record):
            new += 1
            reason = record.reason if record.reason in _OURS or not record.reason else _OTHER
            card = record.card if record.answer else _OTHER
            event = AuditEvent(
                action="feedback",
                caller=sent_by,
                subject=record.answer,
                detail={"outcome": record.outcome, "reason": reason, "card": card},
            )
            append_event(connection, key, event)
    return new, unknown


def _record(
    connection: Connection, service: str, sent_by: str, report: CardFeedback
) -> FeedbackRecord:
    card = find_card(connection, report.card)
    reason = None if report.overrideReason is None else report.overrideReason.reason
    comment = "" if report.overrideReason is None else report.overrideReason.userComment or ""
    return FeedbackRecord(
        service=service,
        card=report.card,
        outcome=report.outcome,
        outcome_at=report.outcomeTimestamp.isoformat(timespec="milliseconds"),
        sent_by=sent_by,
        answer="" if card is None else card[0],
        reason="" if reason is None else reason.code,
        comment=comment,
        suggestions=tuple(one.id for one in report.acceptedSuggestions or ()),
    )
