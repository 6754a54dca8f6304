"""One call of a service: gather the patient, judge, store what is sent, and make cards of it."""

import datetime
from dataclasses import replace
from typing import Any

from posology.domain.recommendation.recommendation import NOT_ELIGIBLE
from posology.errors import UserError
from posology.language.catalogue import tr
from posology.service.answering import Answer, Question, answer
from posology.service.cds_hooks.cards.inputs import CardInputs
from posology.service.cds_hooks.cards.response import NOTHING_TO_SAY, make_cards
from posology.service.cds_hooks.gather import CannotJudgeError, gather
from posology.service.cds_hooks.orders import Orders, read_orders
from posology.service.cds_hooks.population import ReadJob, ReadPatient, read_job
from posology.service.cds_hooks.requests import PATIENT_VIEW, HookCall
from posology.service.cds_hooks.state import hooks_state
from posology.service.deployment import Deployment
from posology.service.errors import UnusableError
from posology.service.fhir.client import same_server
from posology.service.identity import Caller
from posology.service.models.served import ServedModel
from posology.service.store import AuditEvent
from posology.service.store.cards import save_cards


async def answer_call(
    deployment: Deployment, name: str, call: HookCall, caller: Caller
) -> dict[str, Any]:
    """The body of the response. CannotJudgeError where it cannot judge."""
    state, served = hooks_state(deployment), deployment.models.get(name)
    study = served.artifact.study
    orders = read_orders(call, study, state.settings.order_codes.get(name, ()))
    if not orders.is_about_study:
        return NOTHING_TO_SAY
    authorization = call.fhirAuthorization
    token = None if authorization is None else authorization.access_token
    gathered = await gather(
        state.queries_of(served.artifact),
        call.prefetch,
        call.context.patientId,
        state.access(call.fhirServer, token),
    )
    at = datetime.datetime.now(datetime.UTC).replace(tzinfo=None).isoformat(timespec="seconds")
    patient = await read_patient(deployment, served, gathered.bundle, at)
    if call.hook == PATIENT_VIEW and not patient.is_in_study:
        await _note_nothing(deployment, served, call, caller)
        return NOTHING_TO_SAY
    if patient.required:
        raise CannotJudgeError(_lacking(patient.required))
    question = Question(
        model=name,
        patient=patient.records,
        asked_by=caller.subject,
        door="cds_hooks",
        patient_id=call.context.patientId,
        at=at,
        door_reference=call.hookInstance,
    )
    try:
        made = await answer(deployment, question)
    except UnusableError as error:
        raise CannotJudgeError(_nothing(str(error))) from error
    if call.hook == PATIENT_VIEW and made.result.recommendation.state == NOT_ELIGIBLE:
        return NOTHING_TO_SAY  # with an order, the card says that the study is not for the patient
    inputs = _card_inputs(made, served, call, orders, deployment.settings.url)
    inputs = replace(
        inputs,
        drug=state.drug_of(name),
        not_there=gathered.not_there,
        has_launch=_has_launch(deployment, call.fhirServer),
    )
    body, cards = make_cards(inputs)
    await deployment.store.write(save_cards, made.id, cards)
    return body


def _lacking(required: tuple[str, ...]) -> str:
    """What is needed and was not found in anything that was sent or fetched."""
    head = tr("No answer yet: {fact}").format(fact="")
    facts = " ".join(text.removeprefix(head) for text in required)
    return f"{_nothing(facts)} {tr('Send it by prefetch, or record it.')}"


def _nothing(why: str) -> str:
    return tr("Nothing can be judged: {why}").format(why=why)


def _has_launch(deployment: Deployment, server: str | None) -> bool:
    servers = deployment.settings.smart.servers
    return server is not None and any(same_server(server, one.fhir) for one in servers)


async def read_patient(
    deployment: Deployment, served: ServedModel, bundle: dict[str, Any], at: str
) -> ReadPatient:
    """The events of a gathered Bundle, read in a worker."""
    try:
        job = ReadJob(served.folder, served.digest, bundle, at)
        return await deployment.workers.run(read_job, job)
    except UserError as error:
        text = _nothing(tr("nothing that was sent could be read."))
        raise CannotJudgeError(text) from error


async def _note_nothing(
    deployment: Deployment, served: ServedModel, call: HookCall, caller: Caller
) -> None:
    """Audit a call about a patient whom the study is not about; nothing else of it is kept."""
    patient = deployment.patient_key(call.context.patientId)
    event = AuditEvent(
        action="nothing_to_say",
        caller=caller.subject,
        model=served.name,
        digest=served.digest,
        detail={"door": "cds_hooks", "patient": patient},
    )
    await deployment.audit(event)


def _card_inputs(
    made: Answer, served: ServedModel, call: HookCall, orders: Orders, url: str
) -> CardInputs:
    return CardInputs(
        answer=made.id,
        model=made.model,
        made_at=made.made_at,
        advice=made.result.recommendation,
        study=served.artifact.study,
        call=call,
        orders=orders,
        url=url,
        is_demo=made.is_demo,
        is_signed=made.is_signed,
    )
