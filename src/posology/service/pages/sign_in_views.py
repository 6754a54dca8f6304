"""Routes of sign-in and sign-out."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Form
from starlette.requests import Request
from starlette.responses import Response

from posology.language.catalogue import deferred, tr
from posology.service.deployment import Deployment, get_deployment
from posology.service.errors import NotFoundError
from posology.service.identity.one_time_links import MINUTES, Invitation
from posology.service.identity.openid import SignInRefusedError
from posology.service.identity.people import (
    People,
    end_session,
    people_of,
    read_form,
    session_of,
)
from posology.service.identity.sessions import new_session, seal, unseal
from posology.service.pages.responses import frame_of, page_response, redirect
from posology.service.store import AuditEvent
from posology.service.store.people import save_person

router = APIRouter(include_in_schema=False)
Service = Annotated[Deployment, Depends(get_deployment)]
_MEMORY = "posology-sign-in"
"""Cookie that holds what a sign-in at the provider must come back with."""
_MEMORY_SECONDS = 600
_ASK = deferred(
    "An administrator makes a new one on the page People; the server prints one for the first "
    "administrator each time it starts."
)


@dataclass(frozen=True, slots=True)
class SignInPage:
    """The variables of the template."""

    heading: str
    problem: str
    has_provider: bool
    link_name: str
    """Whom a one-time link signs in; empty without one."""
    token: str
    minutes: int
    organisation: str


@router.get("/sign-in")
async def sign_in(request: Request) -> Response:
    """How to sign in."""
    return _page(request)


@router.get("/sign-in/link")
async def show_link(request: Request, deployment: Service, token: str = "") -> Response:
    """Whom the link signs in. It is used by the button, so that no preview uses it up."""
    people = people_of(request)
    invitation = await people.links.peek(token, people.now())
    if isinstance(invitation, str):
        return _page(request, problem=f"{invitation} {tr(_ASK)}", status=403)
    if deployment.settings.is_demo:
        return await _use_link(request, deployment, token)
    return _page(request, token=token, invitation=invitation)


@router.post("/sign-in/link")
async def use_link(
    request: Request, deployment: Service, token: Annotated[str, Form()] = ""
) -> Response:
    """Sign in by a link."""
    return await _use_link(request, deployment, token)


@router.get("/sign-in/openid")
async def start_openid(request: Request) -> Response:
    """To the hospital's own sign-in page."""
    people = people_of(request)
    if people.openid is None:
        raise NotFoundError(tr("No hospital sign-in is set up."))
    try:
        start = await people.openid.start()
    except SignInRefusedError as error:
        return _page(request, problem=str(error), status=503)
    response = redirect(start.address)
    until = int(people.now()) + _MEMORY_SECONDS
    value = seal({**start.memory, "until": until}, people.key, "sign-in")
    response.set_cookie(
        _MEMORY,
        value,
        max_age=_MEMORY_SECONDS,
        path="/sign-in",
        secure=people.is_https,
        httponly=True,
        samesite="lax",
    )
    return response


@router.get("/sign-in/callback")
async def finish_openid(request: Request, deployment: Service) -> Response:
    """Back from the hospital's sign-in page."""
    people = people_of(request)
    if people.openid is None:
        raise NotFoundError(tr("No hospital sign-in is set up."))
    memory = unseal(request.cookies.get(_MEMORY, ""), people.key, "sign-in") or {}
    is_late = float(str(memory.get("until", 0))) < people.now()
    try:
        person = await people.openid.finish(dict(request.query_params), {} if is_late else memory)
    except SignInRefusedError as error:
        await deployment.audit(AuditEvent("sign_in_refused", ""))
        response = _page(request, problem=str(error), status=403)
    else:
        invitation = Invitation(person.subject, person.name, person.roles)
        response = await _start(people, deployment, invitation)
    response.delete_cookie(_MEMORY, path="/sign-in")
    return response


@router.post("/sign-out")
async def sign_out(request: Request, deployment: Service) -> Response:
    """End the session."""
    await read_form(request)
    session = session_of(request)
    await deployment.audit(AuditEvent("sign_out", session.subject))
    response = redirect("/sign-in")
    await end_session(deployment, response, session)
    return response


async def _use_link(request: Request, deployment: Deployment, token: str) -> Response:
    people = people_of(request)
    invitation = await people.links.use(token, people.now())
    if isinstance(invitation, str):
        return _page(request, problem=f"{invitation} {tr(_ASK)}", status=403)
    return await _start(people, deployment, invitation)


async def _start(people: People, deployment: Deployment, invitation: Invitation) -> Response:
    session = new_session(invitation.subject, invitation.name, invitation.roles, people.now())
    event = AuditEvent("sign_in", session.subject, detail={"roles": list(session.roles)})
    await deployment.audit(event)
    await deployment.store.write(save_person, session.subject, session.name)
    response = redirect("/")
    people.start(response, session)
    return response


def _page(
    request: Request,
    problem: str = "",
    token: str = "",
    invitation: Invitation | None = None,
    status: int = 200,
) -> Response:
    page = SignInPage(
        heading=tr("Sign in"),
        problem=problem,
        has_provider=people_of(request).openid is not None,
        link_name="" if invitation is None else invitation.name,
        token=token,
        minutes=MINUTES,
        organisation="",
    )
    return page_response("sign_in.html.j2", frame_of(request, page.heading), {"page": page}, status)
