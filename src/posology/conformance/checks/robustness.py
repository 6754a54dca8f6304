"""What is not demanded by anyone, but was seen to fail."""

from posology.conformance.calls.transcript import Call, Kind, Transcript
from posology.conformance.ledger import Ledger

LONGEST_SECONDS = 10.0
"""Time in which a huge body is refused (our choice: a client's usual timeout)."""
_BUSY = frozenset({429, 503})
_REFUSED: dict[Kind, str] = {
    "another hook": "own-hook",
    "bad hookInstance": "own-bad-uuid",
    "incomplete": "own-partial",
    "no JSON object": "own-not-json",
    "nested deep": "own-deep",
}
_JUDGED_KINDS: dict[Kind, str] = {
    "every key null": "own-null",
    "first pages": "own-paged",
    "unknown fields": "own-fields",
    "extension": "own-extension",
}
_NO_CRASH: dict[Kind, str] = {
    "damaged data": "own-damaged",
    "no fhirServer": "cds-r-1",
    "scope without patient": "cds-r-2",
}


def check_robustness(ledger: Ledger, transcript: Transcript) -> None:
    """Everything of `statements/own.py` that is about calls, and cds-r-1, cds-r-2."""
    for call in transcript.calls:
        _check_call(ledger, call)
    unknown = transcript.unknown_service
    if unknown is not None and unknown.status not in {401, 403}:
        ledger.expect("own-unknown", unknown.status == 404, "POST", unknown.outcome())


def _check_call(ledger: Ledger, call: Call) -> None:
    exchange, where = call.exchange, call.where
    outcome = exchange.outcome()
    if call.kind in _REFUSED:
        ledger.expect(_REFUSED[call.kind], exchange.refused, where, outcome)
    if call.kind in _JUDGED_KINDS:
        ledger.expect(_JUDGED_KINDS[call.kind], exchange.judged, where, outcome)
    is_answer = exchange.succeeded or exchange.refused
    if call.kind in _NO_CRASH:
        ledger.expect(_NO_CRASH[call.kind], is_answer, where, outcome)
    if call.kind == "huge body":
        quick = exchange.seconds <= LONGEST_SECONDS
        what = f"{outcome} after {exchange.seconds:.1f} s"
        ledger.expect("own-huge", is_answer and quick, where, what)
    if call.kind == "another patient":
        ledger.expect("own-patient", not _has_cards(call), where, "cards came")
    if call.kind == "burst":
        is_taken = exchange.judged or exchange.status in _BUSY
        ledger.expect("own-burst", is_taken, where, outcome)
    if exchange.status >= 400:
        is_object = isinstance(exchange.body, dict)
        ledger.expect("own-errors", is_object, where, f"{outcome} without a JSON object")


def _has_cards(call: Call) -> bool:
    body = call.exchange.body
    return call.exchange.succeeded and isinstance(body, dict) and bool(body.get("cards"))
