"""Routes of the record system: patients, calls, feedback, and its FHIR server."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI
from fastapi.responses import JSONResponse
from starlette.requests import Request
from starlette.responses import Response

from posology.language.catalogue import tr
from posology.records.sources.fhir.search import answer_query
from posology.service.ehr.calling import Wish, discover, entries_of, fire, give_feedback
from posology.service.ehr.content import (
    as_json,
    card_content,
    cards_of,
    headline_of,
    no_hooks,
    problem_of,
)
from posology.service.ehr.record_system import (
    Call,
    RecordSystem,
    Sent,
    VirtualPatient,
    open_record_system,
)
from posology.service.ehr.trust import FHIR_PATH
from posology.service.ehr.ways import LATE_SECONDS, WAYS
from posology.service.errors import BadRequestError, ConflictError, NotFoundError
from posology.service.identity.callers import CLINICIAN, Caller, require_person
from posology.service.identity.people import read_form
from posology.service.models.stopped import why_stopped
from posology.service.pages.responses import frame_of, page_response, redirect

router = APIRouter(include_in_schema=False)
Person = Annotated[Caller, Depends(require_person(CLINICIAN))]
_COMMENT = 500
"""Characters of a comment."""


def add_record_system(app: FastAPI) -> None:
    """Add the record system to the app of a demonstration; to no other."""
    if app.state.deployment.settings.is_demo:
        app.include_router(router)


def _system(request: Request) -> RecordSystem:
    return open_record_system(request.app)


System = Annotated[RecordSystem, Depends(_system)]


@router.get("/ehr")
async def patients(request: Request, _caller: Person, system: System) -> Response:
    """The patients of the record system."""
    variables = {"patients": list(system.patients.values())}
    return page_response(
        "ehr/patients.html.j2", frame_of(request, tr("Record system"), "ehr"), variables
    )


@router.get("/ehr/jwks.json")
async def key_set(system: System) -> Response:
    """The record system's public key, for services elsewhere."""
    return JSONResponse(system.signer.key_set())


@router.get("/ehr/patients/{name}")
async def patient(name: str, request: Request, _caller: Person, system: System) -> Response:
    """One patient, and the form that calls a service."""
    found = _patient(system, name)
    server = request.query_params.get("server", system.servers[0])
    if server not in system.servers:
        raise BadRequestError(tr("This service is not on the list of the settings, ehr_services."))
    discovered = await discover(system, server)
    entries = entries_of(discovered)
    templates = {key: str(q) for e in entries for key, q in (e.get("prefetch") or {}).items()}
    variables = {
        "patient": found,
        "server": server,
        "servers": system.servers,
        "entries": entries,
        "problem": "" if entries else await _why_no_hooks(system, server, discovered),
        "templates": templates,
        "ways": tuple((way, tr(words)) for way, words in WAYS),
        "orders": system.orders,
    }
    frame = frame_of(request, found.name, "ehr")
    return page_response("ehr/patient.html.j2", frame, variables)


@router.post("/ehr/patients/{name}")
async def call_service(name: str, request: Request, _caller: Person, system: System) -> Response:
    """Call the service that the form names."""
    found, fields = _patient(system, name), await read_form(request)
    server = fields.get("server", "")
    if server not in system.servers:
        raise BadRequestError(tr("This service is not on the list of the settings, ehr_services."))
    service, _, hook = fields.get("entry", "").rpartition(" ")
    discovered = await discover(system, server)
    entries = entries_of(discovered)
    entry = next((e for e in entries if (e["id"], e["hook"]) == (service, hook)), None)
    if entry is None:
        why = tr("Open the page again.")
        if not entries:
            why = await _why_no_hooks(system, server, discovered)
        text = tr("The service does not offer this hook any more.")
        raise ConflictError(f"{text} {why}")
    ways = {k.removeprefix("way-"): way for k, way in fields.items() if k.startswith("way-")}
    may_fetch = fields.get("fetch") == "yes"
    wish = Wish(server, service, hook, fields.get("order", ""), ways, may_fetch)
    call = await fire(system, found, wish, entry)
    return redirect(f"/ehr/calls/{call.id}")


async def _why_no_hooks(system: RecordSystem, server: str, discovered: Sent) -> str:
    """In words: of this service who stopped its models and why, of others what discovery said."""
    deployment = system.deployment
    stopped = sorted(deployment.models.stopped)
    if server != deployment.settings.url or not stopped:
        return no_hooks(discovered)
    reasons = [await why_stopped(deployment, name) for name in stopped]
    again = tr("An administrator lets it answer again on the page Monitoring.")
    return " ".join([*reasons, again])


@router.get("/ehr/calls/{name}")
async def call(name: str, request: Request, _caller: Person, system: System) -> Response:
    """What was sent and what came."""
    found = _call(system, name)
    variables = {
        "call": found,
        "headline": headline_of(found),
        "problem": problem_of(found.sent),
        "cards": [card_content(card) for card in cards_of(found.sent)],
        "request_text": as_json(found.sent.body),
        "reply_text": as_json(found.sent.reply),
        "feedback": [(_outcome(one.body), one.status) for one in found.feedback],
    }
    return page_response("ehr/call.html.j2", frame_of(request, tr("Call"), "ehr"), variables)


@router.post("/ehr/calls/{name}")
async def feedback(name: str, request: Request, _caller: Person, system: System) -> Response:
    """Accept a suggestion, or override a card."""
    found, fields = _call(system, name), await read_form(request)
    cards = {str(card.get("uuid")): card for card in cards_of(found.sent)}
    card = cards.get(fields.get("card", ""))
    if card is None:
        raise BadRequestError(tr("This card was not sent with the call."))
    await give_feedback(system, found, _entry(card, fields))
    return redirect(f"/ehr/calls/{found.id}#feedback")


def _entry(card: dict[str, Any], fields: dict[str, str]) -> dict[str, Any]:
    """The feedback that a form means."""
    suggestion = fields.get("suggestion", "")
    if suggestion:
        accepted = [{"id": suggestion}]
        return {"card": card["uuid"], "outcome": "accepted", "acceptedSuggestions": accepted}
    entry: dict[str, Any] = {"card": card["uuid"], "outcome": "overridden"}
    reasons = {str(at): one for at, one in enumerate(card.get("overrideReasons") or ())}
    number, comment = fields.get("reason", ""), fields.get("comment", "").strip()[:_COMMENT]
    given: dict[str, Any] = {}
    if number in reasons:
        given["reason"] = reasons[number]
    if comment:
        given["userComment"] = comment
    return entry | {"overrideReason": given} if given else entry


def _outcome(body: dict[str, Any]) -> str:
    return str(body["feedback"][0]["outcome"])


@router.get(FHIR_PATH + "/{query:path}")
async def fhir(query: str, request: Request, system: System) -> Response:
    """A read or search of the patient whose access token is presented; 401 without one."""
    token = request.headers.get("authorization", "").removeprefix("Bearer ")
    grant = system.grants.get(token)
    if grant is None:
        outcome = {"resourceType": "OperationOutcome", "issue": [{"code": "login"}]}
        return JSONResponse(outcome, 401, media_type="application/fhir+json")
    patient_id, late = grant
    if query.partition("/")[0] in late:
        await asyncio.sleep(LATE_SECONDS)
    search = request.url.query
    full = f"{query}?{search}" if search else query
    found = answer_query(full, system.patients[patient_id].resources)
    if found is None:
        raise NotFoundError("There is no such resource.")
    return JSONResponse(found, media_type="application/fhir+json")


def _patient(system: RecordSystem, name: str) -> VirtualPatient:
    if name not in system.patients:
        raise NotFoundError(tr("There is no such patient."))
    return system.patients[name]


def _call(system: RecordSystem, name: str) -> Call:
    if name not in system.calls:
        raise NotFoundError(tr("This call is not kept any more."))
    return system.calls[name]
