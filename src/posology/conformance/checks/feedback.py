"""Replies to feedback."""

from posology.conformance.calls.transcript import Transcript
from posology.conformance.ledger import Ledger

_TAKEN = frozenset({"own-feedback", "own-twice"})


def check_feedback(ledger: Ledger, transcript: Transcript) -> None:
    """Right feedback is taken, also twice; what breaks an invariant is refused."""
    for call in transcript.feedback:
        exchange = call.exchange
        holds = exchange.succeeded if call.statement in _TAKEN else exchange.refused
        ledger.expect(call.statement, holds, call.where, exchange.outcome())
