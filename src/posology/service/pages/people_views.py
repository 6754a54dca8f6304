"""Routes by which an administrator lets another person sign in, once, without a provider."""

import hashlib
import hmac
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from posology.language.catalogue import tr
from posology.service.deployment import Deployment, get_deployment
from posology.service.identity.callers import ADMINISTRATOR, ROLES, Caller, require_person
from posology.service.identity.one_time_links import MINUTES, Invitation
from posology.service.identity.people import people_of, read_form
from posology.service.identity.sessions import ROLE_NAMES
from posology.service.pages.responses import frame_of, page_response
from posology.service.store import AuditEvent

router = APIRouter(include_in_schema=False)
Administrator = Annotated[Caller, Depends(require_person(ADMINISTRATOR))]


@dataclass(frozen=True, slots=True)
class PeoplePage:
    """The variables of the template."""

    roles: tuple[tuple[str, str], ...]
    name: str
    role: str
    link: str
    """The new link, which is shown once."""
    minutes: int
    has_provider: bool
    errors: dict[str, str]


@router.get("/people", dependencies=[Depends(require_person(ADMINISTRATOR))])
async def people(request: Request) -> Response:
    """The form of an invitation."""
    return _page(request, {}, {})


@router.post("/people")
async def invite(
    request: Request,
    caller: Administrator,
    deployment: Annotated[Deployment, Depends(get_deployment)],
) -> Response:
    """A link for one person; it is shown once and stored nowhere."""
    form = await read_form(request)
    name, role = form.get("name", "").strip()[:100], form.get("role", "")
    errors = {} if name else {"name": tr("Enter the person's name")}
    if role not in ROLES:
        errors["role"] = tr("Choose what the person does")
    if errors:
        return _page(request, form, errors)
    known = people_of(request)
    invitation = Invitation(_subject(deployment, name), name, (role,))
    token = known.links.make(invitation, known.now())
    await deployment.audit(AuditEvent("invite", caller.subject, detail={"role": role}))
    return _page(request, {}, {}, f"{deployment.settings.url}/sign-in/link?token={token}")


def _subject(deployment: Deployment, name: str) -> str:
    """The same for the same name, and no name: the audit log, which stays for good, has it."""
    own = hmac.new(deployment.derive_key("people"), name.encode(), hashlib.sha256)
    return f"local:{own.hexdigest()[:16]}"


def _page(
    request: Request, form: dict[str, str], errors: dict[str, str], link: str = ""
) -> Response:
    page = PeoplePage(
        roles=tuple((role, tr(words)) for role, words in ROLE_NAMES.items()),
        name=form.get("name", ""),
        role=form.get("role", ""),
        link=link,
        minutes=MINUTES,
        has_provider=people_of(request).openid is not None,
        errors=errors,
    )
    title = tr("People")
    title = tr("Error: {page}").format(page=title) if errors else title
    frame = frame_of(request, title, "people")
    return page_response("people.html.j2", frame, {"page": page}, 422 if errors else 200)
