"""`POST /recommendations`: advice for one patient, as a form, FHIR Bundle or MEDS events."""

from typing import Annotated, Any

import orjson
import pyarrow as pa
from fastapi import APIRouter, Depends, Path
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from posology.records.schema import EVENTS
from posology.service.answering import Answer, Question, answer, recall
from posology.service.deployment import Deployment, get_deployment
from posology.service.errors import BadRequestError, NotFoundError
from posology.service.identity import CLINICIAN, Caller, require_caller
from posology.service.store.clock import UtcMoment, to_text
from posology.service.work import unpack_json
from posology.workflows.patient import today

router = APIRouter(tags=["recommendations"])


class MedsEvent(BaseModel):
    """One MEDS event of the patient."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    code: str = Field(min_length=1, max_length=400)
    time: UtcMoment | None = None
    numeric_value: float | None = None
    text_value: str | None = None
    unit: str | None = None


class RecommendationRequest(BaseModel):
    """The patient in exactly one of three forms, and what is to be answered."""

    model_config = ConfigDict(extra="forbid")

    model: str = Field("", max_length=200, description="Name of the model; empty: the first.")
    patient_id: str = Field("", max_length=200, description="The caller's id; stored hashed.")
    at: str | None = Field(
        None,
        max_length=40,
        description="Date of the decision. Without it a form and a Bundle are decided today, "
        "events at the last of them.",
    )
    reasons: bool = Field(True, description="Whether the answer says why.")
    form: dict[str, Any] | None = Field(None, description="As `posology template MODEL` writes.")
    bundle: dict[str, Any] | None = Field(None, description="A FHIR Bundle of one patient.")
    events: list[MedsEvent] | None = Field(None, description="MEDS events of one patient.")


@router.post("/recommendations", status_code=201)
async def recommend(
    body: RecommendationRequest,
    caller: Annotated[Caller, Depends(require_caller(CLINICIAN))],
    deployment: Annotated[Deployment, Depends(get_deployment)],
) -> Response:
    """Advise on one patient. The answer is stored and audited before it is sent."""
    question = Question(
        model=body.model,
        patient=_patient_of(body),
        patient_id=body.patient_id,
        at=body.at or (today().date().isoformat() if body.bundle is not None else None),
        asked_by=caller.subject,
        door="api",
        reasons=body.reasons,
    )
    made = await answer(deployment, question)
    headers = {"Location": f"/recommendations/{made.id}", "Cache-Control": "no-store"}
    return Response(_write(made), 201, headers, "application/json")


@router.get("/recommendations/{answer_id}")
async def read(
    answer_id: Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,43}$")],
    _caller: Annotated[Caller, Depends(require_caller(CLINICIAN))],
    deployment: Annotated[Deployment, Depends(get_deployment)],
) -> Response:
    """An answer as it was given; its recommendation is null once its retention is over."""
    stored = await recall(deployment, answer_id)
    if stored is None:
        raise NotFoundError("No answer has this id.")
    body = {
        "id": stored.id,
        "made_at": stored.made_at,
        "model": stored.model,
        "digest": stored.digest,
        "is_demo": stored.is_demo,
        "is_signed": stored.is_signed,
        "recommendation": None if stored.body is None else unpack_json(stored.body),
    }
    return Response(orjson.dumps(body), 200, {"Cache-Control": "no-store"}, "application/json")


def _patient_of(body: RecommendationRequest) -> dict[str, Any] | pa.Table:
    given = [part for part in (body.form, body.bundle, body.events) if part is not None]
    if len(given) != 1:
        raise BadRequestError("Give exactly one of form, bundle and events.")
    if body.bundle is not None and body.bundle.get("resourceType") != "Bundle":
        raise BadRequestError("bundle: is no FHIR Bundle; its resourceType must be Bundle.")
    if body.form is not None and "resourceType" in body.form:
        raise BadRequestError("form: is a FHIR resource; send it as bundle.")
    return to_table(body.events) if body.events is not None else given[0]


def to_table(events: list[MedsEvent]) -> pa.Table:
    """The events of one patient as MEDS, whose times are UTC without a zone."""
    rows = [
        event.model_dump()
        | {"subject_id": 1, "time": event.time and event.time.replace(tzinfo=None)}
        for event in events
    ]
    return pa.Table.from_pylist(rows, schema=EVENTS)


def _write(made: Answer) -> bytes:
    label = {
        "id": made.id,
        "made_at": to_text(made.made_at),
        "model": made.model,
        "digest": made.digest,
        "is_demo": made.is_demo,
        "is_signed": made.is_signed,
    }
    return orjson.dumps(label | {"recommendation": orjson.Fragment(made.json)})
