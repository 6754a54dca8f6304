"""Routes of the monitoring pages, and of what an administrator may change there."""

import asyncio
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from posology.language.catalogue import deferred, tr
from posology.language.kept import in_other_words
from posology.language.numbers import number
from posology.report.patient.content import QUIET, WARN, Tag
from posology.service.deployment import Deployment, get_deployment
from posology.service.errors import NotFoundError
from posology.service.followed_outcomes import read_followed
from posology.service.identity.callers import (
    ADMINISTRATOR,
    DATA_SCIENTIST,
    Caller,
    require_person,
)
from posology.service.identity.people import read_form
from posology.service.models.challenging import drop_challenger
from posology.service.models.registered import check_is_changed_here, follows_registry
from posology.service.models.served import ServedModel
from posology.service.models.switching import resume, roll_back, stop
from posology.service.monitors.cases import read_cases
from posology.service.pages.monitoring.challenger import ChallengerPart, challenger_part
from posology.service.pages.monitoring.content import ModelState, monitoring_page
from posology.service.pages.monitoring.monitors import monitors_part
from posology.service.pages.monitoring.weeks import read_use
from posology.service.pages.responses import frame_of, page_response, redirect
from posology.service.shadow.comparison import compare
from posology.service.store import verify_audit
from posology.service.store.served import changes_of

router = APIRouter(include_in_schema=False)
Reader = Annotated[Caller, Depends(require_person(DATA_SCIENTIST, ADMINISTRATOR))]
Administrator = Annotated[Caller, Depends(require_person(ADMINISTRATOR))]
Service = Annotated[Deployment, Depends(get_deployment)]
STOP, RESUME, ROLL_BACK, DROP = "stop", "resume", "roll-back", "drop-challenger"


@dataclass(frozen=True, slots=True)
class ChangePage:
    """The page that asks before a change."""

    name: str
    action: str
    heading: str
    text: str
    button: str
    needs_reason: bool
    readers: str
    """Who reads the reason."""
    error: str
    tag: Tag


_PAGES = {
    STOP: (
        deferred("Stop {model}?"),
        deferred(
            "It takes effect at once, on every screen and for every system. Clinicians then see "
            "the guideline and usual care. Answers given before stay readable."
        ),
        deferred("Stop this model"),
    ),
    RESUME: (
        deferred("Let {model} answer again?"),
        deferred("It answers from now on, everywhere."),
        deferred("Let it answer"),
    ),
    ROLL_BACK: (
        deferred("Roll {model} back?"),
        deferred(
            "The version that answered before this one takes its place, after its golden patients "
            "were answered bit for bit."
        ),
        deferred("Roll back"),
    ),
    DROP: (
        deferred("Drop the challenger of {model}?"),
        deferred(
            "It gets no more questions. Clinicians notice nothing: nobody is shown its answers. "
            "What it answered until now stays."
        ),
        deferred("Drop the challenger"),
    ),
}
_PROBLEMS = (
    (
        r"row (?P<number>\d+) is missing: row (?P<other>\d+) stands in its place",
        deferred("row {number} is missing: row {other} stands in its place"),
    ),
    (
        r"row (?P<number>\d+) does not follow row (?P<other>\d+): one of them was replaced",
        deferred("row {number} does not follow row {other}: one of them was replaced"),
    ),
    (
        r"row (?P<number>\d+) was changed after it was written, or the service's key was",
        deferred("row {number} was changed after it was written, or the service's key was"),
    ),
)
"""What the audit log says of itself, in English."""


@router.get("/monitoring", dependencies=[Depends(require_person(DATA_SCIENTIST, ADMINISTRATOR))])
async def models(deployment: Service) -> Response:
    """The first model; its page names the others."""
    return redirect(f"/monitoring/{deployment.models.default}")


@router.get("/monitoring/{name}")
async def monitoring(request: Request, caller: Reader, deployment: Service, name: str) -> Response:
    """What a model did in the last weeks."""
    served = deployment.models.find(name)
    use = await deployment.store.read(read_use, name)
    changes = await deployment.store.read(changes_of, name)
    cases = await deployment.store.read(read_cases, name, served.artifact)
    monitors = await asyncio.to_thread(monitors_part, served.artifact, cases)
    state = ModelState(
        name=name,
        stopped=deployment.models.stopped.get(name, ""),
        changes=tuple(changes),
        may_change=ADMINISTRATOR in caller.roles,
        follows_registry=follows_registry(deployment, name),
        audit=await _audit_words(deployment) if "verify" in request.query_params else "",
        alarm=monitors.alarm,
    )
    followed = await deployment.store.read(read_followed, name, served.artifact.study)
    page = await asyncio.to_thread(monitoring_page, use, followed, served.artifact, state)
    frame = frame_of(request, tr("Monitoring {model}").format(model=name), "monitoring")
    others = [other for other in deployment.models.current if other != name]
    variables = {
        "page": page,
        "others": others,
        "challenger": await _challenger(deployment, served),
        "monitors": monitors,
    }
    return page_response("monitoring.html.j2", frame, variables)


async def _challenger(deployment: Deployment, served: ServedModel) -> ChallengerPart | None:
    challenger = deployment.models.challengers.get(served.name)
    if challenger is None:
        return None
    found = await asyncio.to_thread(compare, deployment, served, challenger)
    return challenger_part(found, served.artifact.study)


@router.get("/monitoring/{name}/{action}", dependencies=[Depends(require_person(ADMINISTRATOR))])
async def confirm(request: Request, deployment: Service, name: str, action: str) -> Response:
    """Ask before a change."""
    _check_change(deployment, name, action)
    return _confirm(request, name, action)


@router.post("/monitoring/{name}/{action}")
async def change(
    request: Request, caller: Administrator, deployment: Service, name: str, action: str
) -> Response:
    """Stop, resume, roll back, or drop the challenger."""
    form = await read_form(request)
    _check_change(deployment, name, action)
    reason = form.get("reason", "").strip()
    if action in (STOP, RESUME, DROP) and not reason:
        return _confirm(request, name, action, tr("Write why, so that others understand it"))
    if action == STOP:
        await stop(deployment, name, reason, caller.subject)
    elif action == RESUME:
        await resume(deployment, name, reason, caller.subject)
    elif action == ROLL_BACK:
        await roll_back(deployment, name, caller.subject)
    elif action == DROP:
        await drop_challenger(deployment, name, reason, caller.subject)
    else:
        raise NotFoundError(tr("There is no such action."))
    return redirect(f"/monitoring/{name}")


def _check_change(deployment: Deployment, name: str, action: str) -> None:
    """NotFoundError; ConflictError of a change that the model's registry would undo in seconds."""
    deployment.models.find(name)
    if action in (ROLL_BACK, DROP):
        check_is_changed_here(deployment, name)


def _confirm(request: Request, name: str, action: str, error: str = "") -> Response:
    if action not in _PAGES:
        raise NotFoundError(tr("There is no such page."))
    heading, text, button = _PAGES[action]
    page = ChangePage(
        name=name,
        action=action,
        heading=tr(heading).format(model=name),
        text=tr(text),
        button=tr(button),
        needs_reason=action != ROLL_BACK,
        readers=tr("It stays in the store.") if action == DROP else tr("Clinicians read it."),
        error=error,
        tag=Tag(tr("This changes what clinicians see"), WARN, "warn")
        if action != DROP
        else Tag(tr("Clinicians notice nothing"), QUIET, "info"),
    )
    title = tr("Error: {page}").format(page=page.heading) if error else page.heading
    frame = frame_of(request, title, "monitoring")
    return page_response("change.html.j2", frame, {"page": page}, 422 if error else 200)


async def _audit_words(deployment: Deployment) -> str:
    found = await deployment.store.read(verify_audit, deployment.store.key)
    if found.problem:
        problem = in_other_words(found.problem, _PROBLEMS)
        return tr("The audit log was changed: {problem}.").format(problem=problem)
    text = tr("Audit log verified: {count} entries, chain unbroken, head {head}.")
    return text.format(count=number(f"{found.rows:,}"), head=found.head)
