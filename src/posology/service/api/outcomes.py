"""`POST /outcomes`: how patients fared, as it becomes known; late, corrected or sent twice."""

import datetime
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection

from posology.service.api.expected_outcomes import (
    ExpectedOutcome,
    expected_outcomes,
    find_expected,
    in_the_study_s_unit,
    unknown_code,
)
from posology.service.deployment import Deployment, get_deployment
from posology.service.errors import UnusableError
from posology.service.identity import CLINICIAN, DATA_SCIENTIST, Caller, require_caller
from posology.service.store import AuditEvent, OutcomeRecord, append_event, save_outcome
from posology.service.store.answers import first_made, models_of
from posology.service.store.clock import UtcMoment, now, to_moment, to_text

router = APIRouter(tags=["outcomes"])
_Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{0,43}$")]


CLOCK_SKEW = datetime.timedelta(minutes=5)
"""By how much the sender's clock may be ahead. Our choice."""
_DAY, _YEAR = datetime.timedelta(days=1), datetime.timedelta(days=365)
"""A day without a time may begin before its answer; what is further back than a year before every
answer has a wrong year."""
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
    code: str = Field(
        min_length=1,
        max_length=400,
        description="One that `GET /models` lists under `outcomes`, or a continuation of it.",
    )
    observed_at: UtcMoment
    value: float | None = Field(
        None, description="The number; of an event 1 or nothing where it happened, else 0."
    )
    unit: str = Field(
        "", max_length=40, description="Of the number; by default the one that `GET /models` names."
    )
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
    values = await _check(deployment, body.outcomes)
    records = [
        OutcomeRecord(
            key=f"{caller.subject}|{outcome.key}",
            code=outcome.code,
            value=value,
            observed_at=to_text(outcome.observed_at),
            sent_by=caller.subject,
            patient_key=deployment.patient_key(outcome.patient_id),
            answer=outcome.answer,
        )
        for outcome, value in zip(body.outcomes, values, strict=True)
    ]
    return OutcomesResponse(
        results=await deployment.store.write(_keep, deployment.store.key, records)
    )


@dataclass(frozen=True, slots=True)
class _Known:
    """What observations are checked against."""

    latest: datetime.datetime
    """Moment after which nothing can have been observed."""
    first: str
    """When the service's first answer was made; empty without one."""
    answers: Mapping[str, tuple[str, str]]
    """Of the answers that were named and exist, the model and when it was made."""
    expected: Mapping[str, tuple[ExpectedOutcome, ...]]
    """Of each model that is served, the outcomes and harms of its study."""

    def expected_of(self, answer: str) -> tuple[ExpectedOutcome, ...]:
        """Those of the answer's model; of every model where that is not known."""
        own = self.expected.get(self.answers.get(answer, ("", ""))[0])
        return own or tuple(one for every in self.expected.values() for one in every)


async def _check(deployment: Deployment, outcomes: list[Outcome]) -> list[float | None]:
    """Each value as it is kept; UnusableError names everything that is wrong, and keeps nothing."""
    names = {one.answer for one in outcomes} - {""}
    known = _Known(
        latest=now() + CLOCK_SKEW,
        first=await deployment.store.read(first_made),
        answers=await deployment.store.read(models_of, names) if names else {},
        expected={
            name: expected_outcomes(served.artifact.study)
            for name, served in deployment.models.current.items()
        },
    )
    values: list[float | None] = []
    problems: list[str] = []
    for at, outcome in enumerate(outcomes):
        wrong = list(_wrong_with(outcome, known))
        try:
            values.append(_value_of(outcome, known))
        except ValueError as error:
            wrong.append(str(error))
        problems += (f"outcomes.{at}.{text}" for text in wrong)
    if problems:
        shown = tuple(problems[:_MOST_NAMED])
        more = f" And {len(problems) - _MOST_NAMED} more." if len(problems) > _MOST_NAMED else ""
        raise UnusableError(f"Nothing was kept. {' '.join(shown)}{more}", shown)
    return values


def _wrong_with(outcome: Outcome, known: _Known) -> Iterator[str]:
    """What is wrong with its time and with whom it is about."""
    if outcome.observed_at > known.latest:
        yield "observed_at: lies in the future; send what was observed, once it was."
    yield from _too_early(outcome, known)
    if not (outcome.patient_id or outcome.answer):
        yield "patient_id: is missing, and so is answer; send one, or it belongs to nobody."
    if outcome.answer and outcome.answer not in known.answers:
        yield "answer: no answer has this id; send `id` of the reply to POST /recommendations."


def _too_early(outcome: Outcome, known: _Known) -> Iterator[str]:
    """A day that would move the first month of outcomes, or follow no answer at all."""
    day = outcome.observed_at.date()
    _, made = known.answers.get(outcome.answer, ("", ""))
    if made and outcome.observed_at < to_moment(made) - _DAY:
        yield (
            f"observed_at: {day} lies before the answer, which was made on {made[:10]}; mend the "
            "date, or name the answer that it followed."
        )
    elif known.first and outcome.observed_at < to_moment(known.first) - _YEAR:
        yield (
            f"observed_at: {day} lies over a year before the first answer of this service, which "
            f"was made on {known.first[:10]}; mend the date, or leave the observation out."
        )


def _value_of(outcome: Outcome, known: _Known) -> float | None:
    """The value in the study's unit; ValueError says what is wrong with the code or the value."""
    expected = known.expected_of(outcome.answer)
    found = find_expected(expected, outcome.code)
    if found is None:
        raise ValueError(unknown_code(expected))
    return in_the_study_s_unit(outcome.value, outcome.unit, found)


def _keep(connection: Connection, key: bytes, records: list[OutcomeRecord]) -> list[str]:
    results = [save_outcome(connection, record) for record in records]
    for record, result in zip(records, results, strict=True):
        if result != "known":
            event = AuditEvent(
                "outcome", record.sent_by, subject=record.answer, detail={"result": result}
            )
            append_event(connection, key, event)
    return results
