"""A question becomes an answer that is stored and audited before anybody sees it."""

import datetime
import secrets
from dataclasses import dataclass
from functools import lru_cache

from sqlalchemy import Connection

from posology.artifact import Artifact
from posology.errors import RecordError, UserError
from posology.language.catalogue import current_language
from posology.service.deployment import Deployment
from posology.service.errors import UnusableError
from posology.service.models.served import ServedModel
from posology.service.models.stopped import answering_model
from posology.service.scrubbing import scrub
from posology.service.shadow.offering import offer
from posology.service.store import AuditEvent, StoredAnswer, append_event, read_answer, save_answer
from posology.service.store.clock import now, to_moment, to_text
from posology.service.work import Done, Job, answer_job, unpack_result
from posology.workflows.patient import Patient, form_of
from posology.workflows.recommend import RecommendResult


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be answered, for whom, and through which door it came."""

    model: str
    """Name in the settings; empty: the first model."""
    patient: Patient
    """A form, a FHIR Bundle, MEDS events, or what `read_given` made of one of them."""
    asked_by: str
    """Subject of the caller."""
    door: str
    """`api`, `cds_hooks` or `page`."""
    patient_id: str = ""
    """The caller's id of the patient: stored as a keyed hash."""
    at: str | None = None
    """Date of the decision; by default that of the form, or of the last event."""
    door_reference: str = ""
    """Such as a hook's instance."""
    reasons: bool = True
    """Whether the answer says why."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A recommendation as it was given."""

    id: str
    """Safe in an address, and cannot be guessed."""
    made_at: datetime.datetime
    model: str
    digest: str
    json: bytes
    """The result as JSON, ready to be sent."""
    is_demo: bool
    is_signed: bool
    stored: bytes
    """The result as it is kept."""
    artifact: Artifact
    """The model that answered."""

    @property
    def result(self) -> RecommendResult:
        """The result itself, which is unpacked when it is first used."""
        return _unpack(self.stored, self.artifact, current_language())


@lru_cache(maxsize=16)
def _unpack(stored: bytes, model: Artifact, _language: str) -> RecommendResult:
    return unpack_result(stored, model)


async def answer(deployment: Deployment, question: Question) -> Answer:
    """Advise on the patient, store the answer and audit it, in this order, before it returns.

    BusyError, TimedOutError, StoppedError, NotFoundError; UnusableError if the patient cannot be
    read.
    """
    served = await answering_model(deployment, question.model or deployment.models.default)
    languages = deployment.settings.languages
    about = question.patient, question.at, question.reasons
    job = Job(served.folder, served.digest, *about, languages)
    try:
        done = await deployment.workers.run(answer_job, job)
    except UserError as error:
        given = {"form": question.patient, "at": question.at}
        form = form_of(served.artifact)
        problems = error.problems if isinstance(error, RecordError) else ()
        scrubbed = tuple(scrub(text, given, form) for text in problems)
        raise UnusableError(scrub(str(error), given, form), scrubbed) from error
    deployment.models.get(served.name)  # it may have been stopped meanwhile
    stored = _to_store(deployment, question, served, done)
    await deployment.store.write(_keep, deployment.store.key, stored)
    deployment.metrics.answers.labels(served.name, question.door, done.state).inc()
    deployment.metrics.answer_seconds.labels(served.name).observe(done.milliseconds / 1000)
    offer(deployment, served, job, stored.id, done.stored)
    return Answer(
        id=stored.id,
        made_at=to_moment(stored.made_at),
        model=served.name,
        digest=served.digest,
        json=done.json,
        is_demo=stored.is_demo,
        is_signed=bool(served.signed_by),
        stored=done.stored,
        artifact=served.artifact,
    )


async def recall(deployment: Deployment, answer_id: str) -> StoredAnswer | None:
    """An answer that was given before."""
    return await deployment.store.read(read_answer, answer_id)


def _to_store(
    deployment: Deployment, question: Question, served: ServedModel, done: Done
) -> StoredAnswer:
    return StoredAnswer(
        id=secrets.token_urlsafe(24),
        made_at=to_text(now()),
        model=served.name,
        digest=served.digest,
        patient_key=deployment.patient_key(question.patient_id),
        state=done.state,
        headline=done.headline,
        asked_by=question.asked_by,
        door=question.door,
        door_reference=question.door_reference,
        is_demo=deployment.settings.is_demo,
        milliseconds=done.milliseconds,
        body=done.stored,
        given=done.given,
        is_signed=bool(served.signed_by),
    )


def _keep(connection: Connection, key: bytes, stored: StoredAnswer) -> None:
    save_answer(connection, stored)
    event = AuditEvent(
        action="answer",
        caller=stored.asked_by,
        model=stored.model,
        digest=stored.digest,
        subject=stored.id,
        detail={"state": stored.state, "door": stored.door, "patient": stored.patient_key},
    )
    append_event(connection, key, event)
