"""What the service keeps: answers, decisions, feedback, outcomes and the audit log.

Every function takes the connection of a transaction: `await store.write(save_decision, record)`.
"""

from posology.service.store.answers import StoredAnswer, newest_answers, read_answer, save_answer
from posology.service.store.audit import AuditEvent, append_event, verify_audit
from posology.service.store.decisions import DecisionRecord, save_decision
from posology.service.store.feedback import FeedbackRecord, save_feedback
from posology.service.store.outcomes import OutcomeRecord, save_outcome
from posology.service.store.store import Store, open_store

__all__ = [
    "AuditEvent",
    "DecisionRecord",
    "FeedbackRecord",
    "OutcomeRecord",
    "Store",
    "StoredAnswer",
    "append_event",
    "newest_answers",
    "open_store",
    "read_answer",
    "save_answer",
    "save_decision",
    "save_feedback",
    "save_outcome",
    "verify_audit",
]
