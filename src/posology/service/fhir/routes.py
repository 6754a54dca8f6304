"""`/fhir`: the resources that labels of our orders refer to. None of them names a patient."""

import base64
import binascii
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Path
from fastapi.responses import Response
from sqlalchemy import Connection

from posology.domain.recommendation.recommendation import ModelLabel, Recommendation
from posology.domain.serialization import deserialize
from posology.service.answering import recall
from posology.service.deployment import Deployment, get_deployment
from posology.service.errors import NotFoundError
from posology.service.fhir.transparency import device, label, model_card, provenance
from posology.service.identity import Caller, require_caller
from posology.service.store.answers import newest_of_version
from posology.service.store.clock import to_moment
from posology.service.work import unpack
from posology.workflows.recommend import label_of

router = APIRouter(prefix="/fhir", include_in_schema=False)
Known = Annotated[Caller, Depends(require_caller())]
Here = Annotated[Deployment, Depends(get_deployment)]
Digest = Annotated[str, Path(pattern="^[0-9a-f]{64}$")]
AnswerId = Annotated[str, Path(pattern="^[0-9a-f]{2,64}$")]


@router.get("/Device/{digest}")
async def read_device(digest: Digest, _caller: Known, deployment: Here) -> Response:
    """One version of a model as a Device."""
    found, _ = await _label(deployment, digest)
    return _resource({**device(found), "id": digest})


@router.get("/DocumentReference/{digest}")
async def read_card(digest: Digest, _caller: Known, deployment: Here) -> Response:
    """The model card of one version."""
    found, name = await _label(deployment, digest)
    url = f"{deployment.settings.url}/model/{name}"
    return _resource({**model_card(found, url), "id": digest})


@router.get("/Provenance/{ident}")
async def read_provenance(ident: AnswerId, _caller: Known, deployment: Here) -> Response:
    """Which version made an answer, and when."""
    stored = await recall(deployment, _answer_of(ident))
    if stored is None:
        raise NotFoundError("No answer has this id.")
    target = f"{deployment.settings.url}/recommendations/{stored.id}"
    who = (f"Device/{stored.digest}", f"DocumentReference/{stored.digest}")
    made = provenance(target, to_moment(stored.made_at), who)
    return _resource(label({**made, "id": ident}))


def provenance_id(answer_id: str) -> str:
    """The answer's id as FHIR allows one: FHIR has no underscores."""
    return base64.urlsafe_b64decode(answer_id + "=" * (-len(answer_id) % 4)).hex()


def _answer_of(ident: str) -> str:
    try:
        return base64.urlsafe_b64encode(binascii.unhexlify(ident)).decode().rstrip("=")
    except binascii.Error as error:
        raise NotFoundError("No answer has this id.") from error


async def _label(deployment: Deployment, digest: str) -> tuple[ModelLabel, str]:
    """The label and name of a version: one that is served, or one that answered before."""
    for name, served in deployment.models.current.items():
        if served.digest == digest:
            return label_of(served.artifact), name
    found = await deployment.store.read(_answered, digest)
    if found is None:
        raise NotFoundError("No version of a model has this digest.")
    return found


def _answered(connection: Connection, digest: str) -> tuple[ModelLabel, str] | None:
    stored = newest_of_version(connection, digest)
    if stored is None or stored.body is None:
        return None
    advice = deserialize(Recommendation, unpack(stored.body)["recommendation"], {})
    return advice.model, stored.model


def _resource(body: dict[str, Any]) -> Response:
    return Response(orjson.dumps(body), 200, media_type="application/fhir+json")
