"""A service with made-up patients of twelve weeks, for pictures of its pages and for browsers."""

import asyncio
import datetime
import random
from collections.abc import Iterator

from fastapi import FastAPI
from sqlalchemy import Connection, update

from posology.domain.recommendation.recommendation import ABSTAINED, STATES
from posology.service.store import DecisionRecord, StoredAnswer, save_answer, save_decision
from posology.service.store.clock import now, to_text
from posology.service.store.shadows import ShadowAnswer, save_shadows
from posology.service.store.tables import DECISIONS
from tests.builders.pages import made_up_answer
from tests.builders.service import FORM, deployment_of

_NAMES = ("Robin", "Ines", "Omar", "Wen", "Ada", "Joe", "Mina", "Lee", "Kit", "Noor", "Paul")
_REASONS = ("patient_wish", "not_in_record", "not_in_record", "guideline", "safety")
_Row = tuple[StoredAnswer, DecisionRecord | None]


def fill(app: FastAPI) -> str:
    """Store the answers; returns the id of the one with everything on its page."""
    today = list(_today(deployment_of(app).models.find("warfarin").digest))
    rows = [*_earlier(today[0][0].digest), *today]

    def write(connection: Connection) -> None:
        for stored, decision in rows:
            save_answer(connection, stored)
            if decision is not None and save_decision(connection, decision):
                made = update(DECISIONS).where(DECISIONS.c.key == decision.key)
                connection.execute(made.values(decided_at=stored.made_at))
        challenger = deployment_of(app).models.challengers.get("warfarin")
        if challenger is not None:
            save_shadows(connection, list(_shadows(challenger.digest, rows)))

    asyncio.run(deployment_of(app).store.write(write))
    return today[0][0].id


def _shadows(digest: str, rows: list[_Row]) -> Iterator[ShadowAnswer]:
    """What a challenger of this version answered to the same questions."""
    draw = random.Random(2)
    for stored, _ in rows:
        is_answered = stored.state not in ABSTAINED
        dose = draw.choice((16.0, 16.0, 17.5, 21.0, 24.5))
        yield ShadowAnswer(
            answer=stored.id,
            made_at=stored.made_at,
            digest=digest,
            state=stored.state if draw.random() < 0.96 else "unsure",
            option="low" if dose < 21 else "medium",
            dose=dose if is_answered else None,
            champion_option="low" if is_answered else "",
            champion_dose=16.0 if is_answered else None,
            milliseconds=draw.uniform(14.0, 60.0),
        )


def _earlier(digest: str) -> Iterator[_Row]:
    """Two or three answers a day, each with a decision."""
    draw, moment = random.Random(1), now()
    for day in range(83, 1, -1):
        for number in range(draw.choice((2, 2, 3))):
            made = moment - datetime.timedelta(days=day, minutes=60 * number + draw.randrange(59))
            state = draw.choices(("better", "no_option_better", "too_few_alike"), (6, 3, 2))[0]
            stored = made_up_answer(state, to_text(made), f"earlier {day} {number}", digest)
            outcome = draw.choices(("accepted", "modified", "overridden"), (7, 1, 1))[0]
            reason = "" if outcome == "accepted" else draw.choice(_REASONS)
            decision = DecisionRecord(stored.id, stored.id, outcome, "x", "low", 16.0, reason)
            yield stored, decision


def _today(digest: str) -> Iterator[_Row]:
    """One patient of each state; two of them with a decision."""
    for at, (state, name) in enumerate(zip(STATES, _NAMES, strict=True)):
        made = to_text(now() - datetime.timedelta(minutes=10 + 7 * at))
        stored = made_up_answer(state, made, f"SAMPLE, {name} (999 000 04{at:02d})", digest, FORM)
        decision = None
        if at == 1:
            decision = DecisionRecord(
                "a", stored.id, "overridden", "local:demo", "medium", 25.0, "guideline"
            )
        if at == 4:
            decision = DecisionRecord(
                "b", stored.id, "deferred", "local:demo", reason="awaits_result"
            )
        yield stored, decision
