"""The endpoints of CDS Hooks: discovery, the services, and feedback."""

from typing import Annotated, Any, TypeVar

import orjson
from fastapi import APIRouter, Depends
from fastapi.responses import Response
from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from posology.service.cds_hooks.answer_call import answer_call
from posology.service.cds_hooks.discovery import describe_services
from posology.service.cds_hooks.feedback import keep_feedback
from posology.service.cds_hooks.requests import HOOKS, Feedback, HookCall, issues_of
from posology.service.cds_hooks.state import hooks_state
from posology.service.deployment import Deployment, get_deployment
from posology.service.errors import BadRequestError
from posology.service.identity import Caller, require_system
from posology.service.limits import JSON
from posology.service.models.stopped import answering_model

router = APIRouter(tags=["cds-hooks"])
System = Annotated[Caller, Depends(require_system)]
Here = Annotated[Deployment, Depends(get_deployment)]
T = TypeVar("T", bound=BaseModel)
_JSON = ("application/json", "application/fhir+json")


@router.get("/cds-services")
async def discover(_caller: System, deployment: Here) -> Response:
    """The services that a record system may call."""
    state, services = hooks_state(deployment), list[dict[str, Any]]()
    for served in deployment.models.answering():
        model = served.artifact
        services += describe_services(
            served.name, model.study, state.queries_of(model), deployment.settings.is_demo
        )
    return _json({"services": services})


@router.post("/cds-services/{name}")
async def call_service(name: str, request: Request, caller: System, deployment: Here) -> Response:
    """Cards about one patient."""
    await answering_model(deployment, name)  # NotFound or stopped before anything is read
    call = await _read(request, HookCall)
    if call.hook not in HOOKS:
        raise BadRequestError(f"hook: this service is for {', '.join(HOOKS)}.")
    return _json(await answer_call(deployment, name, call, caller))


@router.post("/cds-services/{name}/feedback")
async def take_feedback(name: str, request: Request, caller: System, deployment: Here) -> Response:
    """What became of cards."""
    deployment.models.find(name)  # of a stopped model too: its cards are still on screens
    body = await _read(request, Feedback)
    store = deployment.store
    new, unknown = await store.write(keep_feedback, store.key, name, caller.subject, body)
    return _json({"received": len(body.feedback), "new": new, "unknownCards": unknown})


async def _read(request: Request, kind: type[T]) -> T:
    """The body as this type; BadRequestError names places and reasons, never values."""
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media not in _JSON:
        raise BadRequestError("The body is to be sent as application/json.")
    if JSON not in request.scope["state"]:
        raise BadRequestError("The body is not JSON.")  # there is none
    try:
        return kind.model_validate(request.scope["state"][JSON])
    except ValidationError as error:
        listed = "; ".join(f"{place}: {reason}" for place, reason in issues_of(error))
        raise BadRequestError(f"The body is not as CDS Hooks defines it: {listed}.") from error


def _json(body: dict[str, Any]) -> Response:
    return Response(
        orjson.dumps(body), 200, {"Cache-Control": "no-store"}, media_type="application/json"
    )
