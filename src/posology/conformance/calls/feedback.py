"""Feedback on the first card that can have some: right, repeated, and against the invariants."""

import uuid
from datetime import UTC, datetime
from typing import Any

from posology.conformance.calls.exchange import Caller, Request, send
from posology.conformance.calls.transcript import FeedbackCall, Transcript

Card = dict[str, Any]


async def converse_feedback(caller: Caller, transcript: Transcript) -> None:
    """Send feedback to each service of which a card with a uuid came."""
    done: set[str] = set()
    for call in transcript.of_kind("all data"):
        name = call.service["id"]
        card = _first_card(call.exchange.body)
        if name in done or card is None:
            continue
        done.add(name)
        for number, (statement, entries) in enumerate(_feedback(card)):
            request = Request("feedback", f"{name}/feedback", body={"feedback": entries})
            exchange = await send(caller, request)
            if number == 0 and exchange.status in {404, 405, 501}:
                break  # the endpoint is optional
            where = f"feedback to {name}"
            transcript.feedback.append(FeedbackCall(statement, where, exchange))


def _first_card(body: Any) -> Card | None:
    cards = body.get("cards") if isinstance(body, dict) else None
    for card in cards if isinstance(cards, list) else ():
        if isinstance(card, dict) and isinstance(card.get("uuid"), str):
            return card
    return None


def _feedback(card: Card) -> list[tuple[str, list[dict[str, Any]]]]:
    entry = {
        "card": card["uuid"],
        "outcome": "overridden",
        "outcomeTimestamp": datetime.now(UTC).isoformat(timespec="milliseconds")[:-6] + "Z",
    }
    reason = _override_reason(card)
    overridden = entry | ({"overrideReason": {"reason": reason}} if reason else {})
    suggestion = _suggestion_id(card)
    accepted = entry | {"outcome": "accepted", "acceptedSuggestions": [{"id": suggestion}]}
    with_suggestion = [("own-feedback", [accepted])] if suggestion else []
    return [
        ("own-feedback", [overridden]),
        ("own-twice", [overridden]),
        *with_suggestion,
        ("cds-fb-1", [entry | {"outcome": "ignored"}]),
        ("cds-fb-2", [entry | {"outcome": "accepted"}]),
        ("cds-fb-3", [entry | {"overrideReason": {}}]),
        ("cds-fb-1", [{"card": str(uuid.uuid4())}]),
    ]


def _suggestion_id(card: Card) -> str:
    suggestions = card.get("suggestions")
    for suggestion in suggestions if isinstance(suggestions, list) else ():
        if isinstance(suggestion, dict) and isinstance(suggestion.get("uuid"), str):
            return suggestion["uuid"]
    return ""


def _override_reason(card: Card) -> dict[str, Any] | None:
    reasons = card.get("overrideReasons")
    if isinstance(reasons, list) and reasons and isinstance(reasons[0], dict):
        return reasons[0]
    return None
