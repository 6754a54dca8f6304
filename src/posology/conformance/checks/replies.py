"""Replies to calls: status, shape, JSON, time; cards are checked in `cards`."""

from statistics import median

from posology.conformance.calls.exchange import Exchange
from posology.conformance.calls.transcript import Call, Transcript
from posology.conformance.checks.cards import check_cards
from posology.conformance.checks.suggestions import check_action
from posology.conformance.checks.values import (
    holes,
    is_array_of_objects,
    named,
    objects,
    show,
)
from posology.conformance.ledger import Ledger

ANSWER_SECONDS = 0.5
"""Time in which a service should answer (CDS Hooks 2.0, "on the order of 500 ms")."""
_MAY_BE_EMPTY = frozenset({"cards", "services"})


def check_replies(ledger: Ledger, transcript: Transcript) -> None:
    """Statements 1, 3, 27, 34, 52, 54, 61, 74, 75, 214 and every card that came."""
    _check_json(ledger, transcript.discovery[0], "discovery")
    for call in transcript.calls:
        if call.exchange.succeeded:
            _check_success(ledger, call)
    for call in transcript.of_kind("all data"):
        exchange = call.exchange
        if not (exchange.judged or exchange.absent or exchange.status in {401, 403}):
            ledger.expect("cds-74", False, call.where, exchange.outcome())
    _check_missing_data(ledger, transcript)
    _check_time(ledger, transcript)
    _check_fetching(ledger, transcript)


def _check_success(ledger: Ledger, call: Call) -> None:
    exchange, where = call.exchange, call.where
    _check_json(ledger, exchange, where)
    body = exchange.body
    cards = body.get("cards") if isinstance(body, dict) else None
    what = f"status {exchange.status}, cards is {show(cards)}"
    is_right = exchange.status == 200 and is_array_of_objects(cards)
    ledger.expect("cds-74", is_right, where, what)
    check_cards(ledger, objects(cards), where)
    if isinstance(body, dict) and "systemActions" in body:
        actions = body["systemActions"]
        what = f"systemActions is {show(actions)}"
        ledger.expect("cds-75", is_array_of_objects(actions), where, what)
        for number, action in enumerate(objects(actions), 1):
            check_action(ledger, action, f"{where}, system action {number}")


def _check_json(ledger: Ledger, exchange: Exchange, where: str) -> None:
    if not exchange.succeeded:
        return
    kind = exchange.headers.get("content-type", "none")
    is_json = exchange.is_json and "json" in kind.partition(";")[0]
    if not ledger.expect("cds-1", is_json, where, f"content type {kind}"):
        return
    for hole in holes(exchange.body, may_be_empty=_MAY_BE_EMPTY):
        ledger.expect("cds-3", False, where, f"{hole} is null or empty")
    ledger.expect("cds-3", True, where, "")
    for value in named(exchange.body, "extension"):
        ledger.expect("cds-214", isinstance(value, dict), where, f"extension is {show(value)}")


def _check_missing_data(ledger: Ledger, transcript: Transcript) -> None:
    for call in transcript.of_kind("no prefetch", "one key withheld", "server down"):
        if "prefetch" in call.service:
            ledger.expect("cds-54", call.exchange.judged, call.where, call.exchange.outcome())
    for call in transcript.of_kind("every key failed"):
        ledger.expect("cds-52", call.exchange.judged, call.where, call.exchange.outcome())


def _check_time(ledger: Ledger, transcript: Transcript) -> None:
    seconds: dict[tuple[str, str], list[float]] = {}
    for call in transcript.of_kind("all data"):
        name = (str(call.service.get("id")), str(call.service.get("hook")))
        seconds.setdefault(name, []).append(call.exchange.seconds)
    for (ident, hook), values in seconds.items():
        middle = median(values)
        what = f"median of {len(values)} calls {middle * 1000:.0f} ms"
        ledger.expect("cds-27", middle <= ANSWER_SECONDS, f"{ident} on {hook}", what)


def _check_fetching(ledger: Ledger, transcript: Transcript) -> None:
    for call in transcript.of_kind("fetched"):
        if "prefetch" in call.service:
            ledger.expect("cds-34", call.exchange.succeeded, call.where, call.exchange.outcome())
    wanted = f"Bearer {transcript.access_token}"
    for request in transcript.fhir_requests:
        has_token = request.authorization == wanted
        what = "another token" if request.authorization else "no token"
        ledger.expect("cds-61", has_token, f"GET {request.path.partition('?')[0]}", what)
