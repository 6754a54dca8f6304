"""What challengers answered: one row for each answer that was also put to one."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, Row, desc, insert, select

from posology.service.store.tables import ANSWERS, SHADOWS

FAILED, TOO_SLOW, REFUSED = "failed", "too_slow", "refused"
"""States of a challenger beside those of recommendations. REFUSED: it cannot read the patient."""
NOT_ANSWERED = (FAILED, TOO_SLOW, REFUSED)
MOST_PAIRS = 10_000
"""Newest rows that are compared."""


@dataclass(frozen=True, slots=True)
class ShadowAnswer:
    """What a challenger answered to the question of an answer; nobody was shown it."""

    answer: str
    """Id of the answer that was given."""
    made_at: str
    digest: str
    """Version of the challenger."""
    state: str
    """One of the recommendation's STATES, or of NOT_ANSWERED."""
    option: str = ""
    """Name of the option that it put first; empty if it put none first."""
    dose: float | None = None
    champion_option: str = ""
    """The same of the answer that was given."""
    champion_dose: float | None = None
    milliseconds: float = 0.0
    body: bytes | None = None
    """The result, as `work.unpack_result` reads it; None after its retention."""


def save_shadows(connection: Connection, shadows: Sequence[ShadowAnswer]) -> None:
    """Keep these answers."""
    if shadows:
        connection.execute(insert(SHADOWS), [asdict(shadow) for shadow in shadows])


def read_pairs(
    connection: Connection, model: str, champion: str, challenger: str, limit: int = MOST_PAIRS
) -> list[Row[Any]]:
    """The newest answers of two versions to the same questions, without their texts.

    Of the challenger `state`, `option`, `dose` and `milliseconds`; of the model in use the same
    with `champion_` before it, when it answered, and the patient's key.
    """
    query = (
        select(
            *(SHADOWS.c[name] for name in ("answer", "state", "option", "dose", "milliseconds")),
            *(SHADOWS.c[name] for name in ("champion_option", "champion_dose")),
            ANSWERS.c.state.label("champion_state"),
            ANSWERS.c.milliseconds.label("champion_milliseconds"),
            ANSWERS.c.made_at.label("answered_at"),
            ANSWERS.c.patient_key,
        )
        .join(ANSWERS, ANSWERS.c.id == SHADOWS.c.answer)
        .where(ANSWERS.c.model == model, ANSWERS.c.digest == champion)
        .where(SHADOWS.c.digest == challenger)
        .order_by(desc(SHADOWS.c.number))
        .limit(limit)
    )
    return list(connection.execute(query))


def read_shadow_body(connection: Connection, answer: str, challenger: str) -> bytes | None:
    """The challenger's result for the question of an answer; None if there is none any more."""
    query = select(SHADOWS.c.body).where(SHADOWS.c.answer == answer, SHADOWS.c.digest == challenger)
    return connection.execute(query).scalar()
