"""Routes of the models' pages."""

import asyncio
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from posology.language.catalogue import tr, tr_count
from posology.report.patient.content import QUIET, STOP, Tag
from posology.service.deployment import Deployment, get_deployment
from posology.service.errors import NotFoundError
from posology.service.identity.callers import require_person
from posology.service.models.served import ServedModel
from posology.service.pages.model.content import model_page
from posology.service.pages.responses import (
    frame_of,
    page_response,
    redirect,
    with_page_headers,
)
from posology.workflows.facts.model_facts import model_facts

router = APIRouter(include_in_schema=False, dependencies=[Depends(require_person())])
Service = Annotated[Deployment, Depends(get_deployment)]


@dataclass(frozen=True, slots=True)
class ModelRow:
    """One model of the list."""

    name: str
    title: str
    tag: Tag
    note: str
    digest: str
    signed: str


@router.get("/model")
async def models(request: Request, deployment: Service) -> Response:
    """The models; the page of the only one."""
    current = deployment.models.current
    if len(current) == 1:
        return redirect(f"/model/{next(iter(current))}")
    rows = [_row(deployment, served) for served in current.values()]
    heading = tr_count("{count} model answers", "{count} models answer", len(rows))
    variables = {"rows": rows, "heading": heading.format(count=len(rows))}
    return page_response("models.html.j2", frame_of(request, tr("Models"), "model"), variables)


@router.get("/model/{name}")
async def model(request: Request, deployment: Service, name: str) -> Response:
    """What a model is for, what it was shown to do, and what is not known of it."""
    served = _served(deployment, name)
    kicker = tr("Model: {model}, version {version}")
    kicker = kicker.format(model=name, version=served.digest[:12])
    page = await asyncio.to_thread(model_page, name, served.artifact, kicker)
    frame = frame_of(request, tr("Model {name}").format(name=name), "model")
    return page_response("model.html.j2", frame, {"page": page})


@router.get("/model/{name}/card.xml")
async def card(deployment: Service, name: str) -> Response:
    """The model card, CHAI's XML."""
    served = _served(deployment, name)
    facts = await asyncio.to_thread(model_facts, served.artifact)
    headers = {"Content-Disposition": f'attachment; filename="{name}-card.xml"'}
    response = Response(facts.card, headers=headers, media_type="application/xml")
    return with_page_headers(response)


def _served(deployment: Deployment, name: str) -> ServedModel:
    found = deployment.models.current.get(name)
    if found is None:
        raise NotFoundError(tr("No model has this name."))
    return found


def _row(deployment: Deployment, served: ServedModel) -> ModelRow:
    stopped = deployment.models.stopped.get(served.name, "")
    tag = Tag(tr("Stopped"), STOP, "stop") if stopped else Tag(tr("Answers"), QUIET, "check")
    signed = tr("not signed")
    if served.signed_by:
        signed = tr("signed by {signer}").format(signer=served.signed_by)
    title = served.artifact.study.title
    return ModelRow(served.name, title, tag, stopped, served.digest[:12], signed)
