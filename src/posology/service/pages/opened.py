"""A stored answer opened for a page: the recommendation, and what became of it since."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection

from posology.domain.recommendation.recommendation import Recommendation
from posology.domain.serialization import deserialize
from posology.language.catalogue import current_language, in_language, tr
from posology.service.answering import recall
from posology.service.deployment import Deployment
from posology.service.errors import NotFoundError
from posology.service.identity.callers import Caller
from posology.service.pages.patient import AnswerState
from posology.service.pages.responses import local_time
from posology.service.pages.standing_decision import Standing, lost_words, standing_decision
from posology.service.pages.what_if import FactsJob
from posology.service.store import (
    AuditEvent,
    DecisionRecord,
    StoredAnswer,
    append_event,
    newest_answers,
    save_decision,
)
from posology.service.store.decisions import decisions_of
from posology.service.store.people import names_of
from posology.service.work import unpack, unpack_spoken


@dataclass(frozen=True, slots=True, eq=False)
class Opened:
    """A stored answer that a page shows."""

    stored: StoredAnswer
    advice: Recommendation
    state: AnswerState
    language: str
    """In which the answer is read: the reader's, or English where it was not kept in theirs."""
    facts: FactsJob | None
    """How to read the patient's facts again; None after their retention, or if the version of the
    model that answered is not the one that answers now."""


async def open_answer(deployment: Deployment, answer_id: str, caller: Caller) -> Opened:
    """The answer and what became of it; NotFoundError."""
    stored = await recall(deployment, answer_id)
    if stored is None:
        raise NotFoundError(tr("No answer has this address."))
    if stored.body is None:
        raise NotFoundError(tr("This answer was kept as long as it may be."))
    advice, language = await asyncio.to_thread(read_advice, stored.body)
    with in_language(language):
        return await _open(deployment, caller, stored, advice)


async def _open(
    deployment: Deployment, caller: Caller, stored: StoredAnswer, advice: Recommendation
) -> Opened:
    found, names = await deployment.store.read(_state, stored)
    served = deployment.models.current.get(stored.model)
    is_served = served is not None and served.digest == stored.digest
    state = replace(
        found,
        decided_by=person_words(found.decision, caller, names),
        stopped=deployment.models.stopped.get(stored.model, ""),
        is_replaced=served is not None and not is_served,
    )
    facts = None
    if served is not None and is_served and stored.given is not None and not state.stopped:
        given: dict[str, Any] = unpack(stored.given)
        facts = FactsJob(served.folder, served.digest, given, advice.time)
    return Opened(stored, advice, state, current_language(), facts)


def read_advice(body: bytes) -> tuple[Recommendation, str]:
    """The recommendation of a stored result in the reader's language; and which one it is in."""
    parts = unpack_spoken(body)
    return deserialize(Recommendation, parts["recommendation"], {}), parts["language"]


def person_words(decision: DecisionRecord | None, caller: Caller, names: Mapping[str, str]) -> str:
    """Who decided: the name that the person signed in with.

    Args:
        names: of people who signed in before, by their subjects.
    """
    if decision is None:
        return ""
    if decision.decided_by == caller.subject and caller.name:
        return caller.name
    return names.get(decision.decided_by) or tr("another clinician")


def keep_decision(
    connection: Connection, key: bytes, record: DecisionRecord, stored: StoredAnswer
) -> None:
    """Store the decision and audit it, in one transaction; sent twice, it is kept once."""
    if not save_decision(connection, record):
        return
    event = AuditEvent(
        action="decision",
        caller=record.decided_by,
        model=stored.model,
        digest=stored.digest,
        subject=stored.id,
        detail={"outcome": record.outcome, "reason": record.reason, "option": record.option},
    )
    append_event(connection, key, event)


def _state(connection: Connection, stored: StoredAnswer) -> tuple[AnswerState, dict[str, str]]:
    """What became of the answer, and the names of who decided."""
    state = _with_others(connection, stored)
    record = state.decision
    return state, names_of(connection, [] if record is None else [record.decided_by])


def _with_others(connection: Connection, stored: StoredAnswer) -> AnswerState:
    """The decision that stands for the answer; or the newer answer that replaced it."""
    same = [stored]
    if stored.patient_key:
        found = newest_answers(connection, 50, stored.patient_key)
        same = [a for a in found if a.model == stored.model] or same
    standing = standing_decision(connection, same)
    holds = standing.answer or same[0]
    if stored.id in (holds.id, same[0].id) or holds.made_at <= stored.made_at:
        return _of_standing(standing, stored, holds)
    decided = decisions_of(connection, stored.id)
    record, at = decided[0] if decided else (None, "")
    return AnswerState(record, at, newer=holds.id, newer_at=local_time(holds.made_at))


def _of_standing(standing: Standing, stored: StoredAnswer, holds: StoredAnswer) -> AnswerState:
    """The state of the answer that holds, or of a newer one that knew less."""
    state = AnswerState(
        standing.record,
        standing.at,
        changed_since=local_time(standing.changed_since) if standing.changed_since else "",
    )
    poorer = standing.poorer
    if poorer is None:
        return state
    lost = lost_words(standing.lost)
    if stored.id == holds.id != poorer.id:
        at = local_time(poorer.made_at)
        newer = tr("A newer answer, of {moment}, knew {less}.").format(moment=at, less=lost)
        return replace(state, fewer=newer, other=poorer.id)
    other = "" if holds.id == stored.id else holds.id
    return replace(state, fewer=tr("This answer knew {less}.").format(less=lost), other=other)
