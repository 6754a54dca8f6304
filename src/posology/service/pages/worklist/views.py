"""Routes of the worklist."""

import asyncio
import datetime
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Depends
from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import Response

from posology.domain.recommendation.recommendation import Recommendation
from posology.language.catalogue import current_language, tr
from posology.service.demo.worklist import fill_worklist
from posology.service.deployment import Deployment, get_deployment
from posology.service.identity.callers import CLINICIAN, Caller, require_person
from posology.service.models.stopped import stopped_since, why_stopped
from posology.service.pages.opened import person_words, read_advice
from posology.service.pages.responses import frame_of, page_response, patient_name, redirect
from posology.service.pages.standing_decision import Standing, standing_decision
from posology.service.pages.worklist.content import WorklistEntry, WorklistQuery, worklist_page
from posology.service.store import StoredAnswer, newest_answers
from posology.service.store.clock import now, to_text
from posology.service.store.decisions import DEFERRED
from posology.service.store.people import names_of

MOST_ANSWERS = 300
"""The newest answers that the worklist looks at."""
DECIDED_HOURS = 24
"""How long a patient stays on the list after a decision other than to wait."""
router = APIRouter(include_in_schema=False)


@router.get("/")
async def worklist(
    request: Request,
    caller: Annotated[Caller, Depends(require_person())],
    deployment: Annotated[Deployment, Depends(get_deployment)],
) -> Response:
    """The patients whose answers wait; who treats none is led to the models."""
    if CLINICIAN not in caller.roles:
        return redirect("/model")
    found, names = await deployment.store.read(_newest)
    if not found and deployment.demo_patients:
        await fill_worklist(deployment)
        found, names = await deployment.store.read(_newest)
    entries = await asyncio.to_thread(_entries, deployment, found, caller, names)
    stopped = tuple(deployment.models.stopped)
    since = {name: await stopped_since(deployment, name) for name in stopped}
    entries = [
        replace(e, stopped=_stopped_words(since[e.model])) if e.model in since else e
        for e in entries
    ]
    stops = [await why_stopped(deployment, name) for name in stopped]
    wanted = request.query_params
    query = WorklistQuery(
        *(wanted.get(name, "") for name in ("find", "model", "state", "whose")),
        page=_page_number(wanted.get("page", "")),
    )
    models = [(m.name, m.artifact.study.title) for m in deployment.models.current.values()]
    return page_response(
        "worklist.html.j2",
        frame_of(request, tr("Worklist"), "worklist"),
        {"page": worklist_page(entries, models, query, stops)},
    )


_Found = tuple[StoredAnswer, Standing]


def _stopped_words(since: str) -> str:
    """What stands in place of a stopped model's answer."""
    if not since:
        return tr("No advice; follow the guideline")
    return tr("No advice since {day}; follow the guideline").format(day=since)


def _page_number(text: str) -> int:
    """The page of the list that an address names; the first if it names none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 1


def _newest(connection: Connection) -> tuple[list[_Found], dict[str, str]]:
    """The newest answer to each question about each patient, with its newest decision; and the
    names of who decided."""
    recent = to_text(now() - datetime.timedelta(hours=DECIDED_HOURS))
    groups: dict[tuple[str, str], list[StoredAnswer]] = {}
    for stored in newest_answers(connection, MOST_ANSWERS):
        key = (stored.patient_key or stored.id, stored.model)
        groups.setdefault(key, []).append(stored)
    found: list[_Found] = []
    for answers in groups.values():
        standing = standing_decision(connection, answers)
        record = standing.record
        if record is None or record.outcome == DEFERRED or standing.at >= recent:
            found.append((standing.answer or answers[0], standing))
    deciders = (one.record.decided_by for _, one in found if one.record is not None)
    return found, names_of(connection, deciders)


def _entries(
    deployment: Deployment, found: list[_Found], caller: Caller, names: Mapping[str, str]
) -> list[WorklistEntry]:
    return [
        WorklistEntry(
            id=stored.id,
            made_at=stored.made_at,
            model=stored.model,
            patient=patient_name(deployment, stored.patient_key, stored.id),
            advice=advice,
            language=language,
            decision=standing.record,
            decided_at=standing.at,
            decided_by=person_words(standing.record, caller, names),
            is_mine=caller.subject
            in (stored.asked_by, "" if standing.record is None else standing.record.decided_by),
            changed_since=standing.changed_since,
            lost=standing.lost,
            is_poorer=standing.poorer is not None and standing.poorer.id == stored.id,
        )
        for stored, standing in found
        for advice, language in [_read(stored)]
    ]


def _read(stored: StoredAnswer) -> tuple[Recommendation | None, str]:
    """The advice, None after its retention, and the language in which it is read."""
    return (None, current_language()) if stored.body is None else read_advice(stored.body)
