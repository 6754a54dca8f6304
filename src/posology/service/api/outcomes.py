"""`POST /outcomes`: how patients fared, as it becomes known; late, corrected or sent twice."""

import datetime
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection

from posology.service.deployment import Deployment, get_deployment
from posology.service.errors import UnusableError
from posology.service.identity import CLINICIAN, DATA_SCIENTIST, Caller, require_caller
from posology.service.store import AuditEvent, OutcomeRecord, append_event, save_outcome
from posology.service.store.clock import now, to_text

router = APIRouter(tags=["outcomes"])
_Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{0,43}$")]


CLOCK_SKEW = datetime.timedelta(minutes=5)
"""By how much the sender's clock may be ahead. Our choice."""
_MOST_NAMED = 20


class Outcome(BaseModel):
    """One observation."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    key: str = Field(
        min_length=1,
        max_length=200,
        description="The sender's id of the observation: sent again with other content, it is a "
        "correction.",
    )
    code: str = Field(min_length=1, max_length=400, description="As in the study's events.")
    observed_at: datetime.datetime
    value: float | None = None
    patient_id: str = Field("", max_length=200, description="As in the question; stored hashed.")
    answer: _Id = Field("", description="Id of the answer that it belongs to, if known.")


class OutcomesRequest(BaseModel):
    """Some observations, kept all or none."""

    model_config = ConfigDict(extra="forbid")

    outcomes: list[Outcome] = Field(min_length=1, max_length=1000)


class OutcomesResponse(BaseModel):
    """What became of each observation, in the order sent."""

    results: list[str] = Field(description="kept, corrected, or known: the same was kept before.")


@router.post("/outcomes")
async def keep_outcomes(
    body: OutcomesRequest,
    caller: Annotated[Caller, Depends(require_caller(CLINICIAN, DATA_SCIENTIST))],
    deployment: Annotated[Deployment, Depends(get_deployment)],
) -> OutcomesResponse:
    """Keep the observations; answers once they are on the disk, so a lost reply is sent again."""
    _check_times(body.outcomes)
    records = [
        OutcomeRecord(
            key=f"{caller.subject}|{outcome.key}",
            code=outcome.code,
            value=outcome.value,
            observed_at=to_text(_with_zone(outcome.observed_at)),
            sent_by=caller.subject,
            patient_key=deployment.patient_key(outcome.patient_id),
            answer=outcome.answer,
        )
        for outcome in body.outcomes
    ]
    return OutcomesResponse(
        results=await deployment.store.write(_keep, deployment.store.key, records)
    )


def _check_times(outcomes: list[Outcome]) -> None:
    """UnusableError that names each observation of the future."""
    latest = now() + CLOCK_SKEW
    wrong = [at for at, one in enumerate(outcomes) if _with_zone(one.observed_at) > latest]
    if not wrong:
        return
    problems = tuple(
        f"outcomes.{at}.observed_at lies in the future; send what was observed, once it was."
        for at in wrong[:_MOST_NAMED]
    )
    more = f" And {len(wrong) - _MOST_NAMED} more." if len(wrong) > _MOST_NAMED else ""
    raise UnusableError(f"Nothing was kept. {' '.join(problems)}{more}", problems)


def _with_zone(moment: datetime.datetime) -> datetime.datetime:
    """A time without a zone is in UTC."""
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=datetime.UTC)


def _keep(connection: Connection, key: bytes, records: list[OutcomeRecord]) -> list[str]:
    results = [save_outcome(connection, record) for record in records]
    for record, result in zip(records, results, strict=True):
        if result != "known":
            event = AuditEvent(
                "outcome", record.sent_by, subject=record.answer, detail={"result": result}
            )
            append_event(connection, key, event)
    return results
