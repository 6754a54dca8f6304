"""Cards that were sent to CDS Hooks clients, so that feedback finds its answer."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, insert, select

from posology.service.store.tables import CARDS


@dataclass(frozen=True, slots=True)
class SentCard:
    """A card of an answer."""

    uuid: str
    suggestions: Mapping[str, str]
    """The option that each suggestion stands for, by the suggestion's UUID."""


def save_cards(connection: Connection, answer: str, cards: Sequence[SentCard]) -> None:
    """Keep the cards of an answer."""
    rows = [
        {"uuid": card.uuid, "answer": answer, "suggestions": json.dumps(dict(card.suggestions))}
        for card in cards
    ]
    connection.execute(insert(CARDS), rows)


def find_card(connection: Connection, uuid: str) -> tuple[str, SentCard] | None:
    """Id of the answer, and the card of this UUID; None if no such card was sent."""
    row = connection.execute(select(CARDS).where(CARDS.c.uuid == uuid)).first()
    return None if row is None else (row.answer, SentCard(uuid, json.loads(row.suggestions)))
