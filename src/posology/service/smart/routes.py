"""Routes of SMART launches: begin, from the record system or alone, and come back."""

import datetime
import time
from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from posology.language.catalogue import tr
from posology.service.answering import Question, answer, recall
from posology.service.cds_hooks.answer_call import read_patient
from posology.service.cds_hooks.gather import CannotJudgeError, gather
from posology.service.cds_hooks.state import HooksState, hooks_state
from posology.service.deployment import Deployment, get_deployment
from posology.service.errors import NotFoundError
from posology.service.fhir.client import FhirAccess
from posology.service.identity.people import people_of
from posology.service.identity.sessions import new_session
from posology.service.models.served import ServedModel
from posology.service.pages.responses import redirect
from posology.service.smart.authorization import Grant, authorization_address, exchange
from posology.service.smart.configuration import read_configuration
from posology.service.smart.errors import LaunchError
from posology.service.smart.pending import (
    MINUTES,
    Pending,
    begin,
    read_pending,
    write_pending,
)
from posology.service.smart.person import read_person
from posology.service.smart.settings import SmartServer
from posology.service.store import AuditEvent
from posology.service.store.nonces import use_nonce
from posology.service.store.people import save_person

router = APIRouter(include_in_schema=False)
Service = Annotated[Deployment, Depends(get_deployment)]
_COOKIE = "posology-smart"
_KEY = "smart launches"
"""Purpose of the secret that encrypts the cookie."""
_LONGEST_LAUNCH = 4096


@router.get("/smart/launch")
async def launch(
    request: Request, deployment: Service, iss: str = "", launch: str = ""
) -> Response:
    """A record system opens a page for the patient that it shows."""
    servers = deployment.settings.smart.servers
    server = next((one for one in servers if one.fhir.rstrip("/") == iss.rstrip("/")), None)
    if server is None:
        raise LaunchError(tr("This record system is not on the service's list."))
    if not 0 < len(launch) <= _LONGEST_LAUNCH:
        raise LaunchError(tr("The record system did not say what it launches."))
    return await _begin(request, deployment, server, launch)


@router.get("/smart/standalone")
async def standalone(request: Request, deployment: Service, server: str = "") -> Response:
    """A person opens the page, signs in at the record system and chooses a patient there."""
    servers = deployment.settings.smart.servers
    found = next((one for one in servers if one.name == server), None)
    if found is None:
        raise NotFoundError(tr("No record system has this name."))
    return await _begin(request, deployment, found, "")


@router.get("/smart/callback")
async def come_back(
    request: Request, deployment: Service, code: str = "", state: str = "", iss: str = ""
) -> Response:
    """Exchange the code, advise on the patient, and show the page."""
    now, client = time.time(), hooks_state(deployment).client
    pending = await _take(deployment, request.cookies.get(_COOKIE, ""), state, now)
    if iss and iss != pending.configuration.issuer:
        raise LaunchError(tr("Another record system answered than the one that was called."))
    if not code:
        raise LaunchError(tr("The record system did not allow it."))
    grant = await exchange(client, pending, code, _redirect_uri(deployment))
    subject, name = await read_person(client, pending, grant.identity_token, now)
    answer_id = await _answer_for(deployment, pending.server, grant, subject)
    people = people_of(request)
    roles = pending.server.roles
    session = new_session(subject, name, roles, people.now(), is_embedded=True)
    event = AuditEvent("sign_in", subject, detail={"roles": list(roles), "door": "smart"})
    await deployment.audit(event)
    await deployment.store.write(save_person, subject, name)
    response = redirect(f"/answers/{answer_id}")
    people.start(response, session)
    response.delete_cookie(_COOKIE, path="/smart")
    return response


async def _begin(
    request: Request, deployment: Deployment, server: SmartServer, launch: str
) -> Response:
    state, now = hooks_state(deployment), time.time()
    configuration = await read_configuration(state.client, server.fhir)
    pending = begin(server, configuration, now)
    served = _model_of(deployment, server)
    queries = state.queries_of(served.artifact)
    address = authorization_address(pending, _redirect_uri(deployment), queries, launch)
    response = redirect(address)
    response.set_cookie(
        _COOKIE,
        write_pending(pending, deployment.derive_key(_KEY)),
        max_age=60 * MINUTES,
        path="/smart",
        secure=people_of(request).is_https,
        httponly=True,
        samesite="lax",
    )
    return response


async def _take(deployment: Deployment, cookie: str, state: str, now: float) -> Pending:
    """The launch that comes back to the browser that began it; each comes back once.

    It may have begun at another service on the same database.
    """
    servers = deployment.settings.smart.servers
    found = read_pending(cookie, deployment.derive_key(_KEY), servers, state, now)
    is_new = found is not None and await deployment.store.write(
        use_nonce, found.key, found.until, now
    )
    if found is None or not is_new:
        raise LaunchError(
            tr("This launch was not begun in this browser, or took too long. Try again.")
        )
    return found


async def _answer_for(
    deployment: Deployment, server: SmartServer, grant: Grant, subject: str
) -> str:
    """Id of the answer that the card's link meant, if it is of this patient; else of a new one."""
    if grant.app_context:
        stored = await recall(deployment, grant.app_context)
        if stored is not None and stored.patient_key == deployment.patient_key(grant.patient):
            return stored.id
    state, served = hooks_state(deployment), _model_of(deployment, server)
    access = _access(state, server, grant)
    try:
        gathered = await gather(state.queries_of(served.artifact), None, grant.patient, access)
    except CannotJudgeError as error:
        raise CannotJudgeError(error.for_people or str(error)) from error
    moment = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
    at = moment.isoformat(timespec="seconds")
    patient = await read_patient(deployment, served, gathered.bundle, at)
    question = Question(
        model=served.name,
        patient=patient.records,
        asked_by=subject,
        door="page",
        patient_id=grant.patient,
        at=at,
        door_reference="smart",
    )
    return (await answer(deployment, question)).id


def _access(state: HooksState, server: SmartServer, grant: Grant) -> FhirAccess:
    base = server.fhir.rstrip("/")
    return FhirAccess(state.client, base, grant.access_token, state.settings.limits)


def _model_of(deployment: Deployment, server: SmartServer) -> ServedModel:
    return deployment.models.get(server.model or deployment.models.default)


def _redirect_uri(deployment: Deployment) -> str:
    return f"{deployment.settings.url}/smart/callback"
