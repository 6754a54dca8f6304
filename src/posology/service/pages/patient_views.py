"""Routes of one patient's answer: read it, decide, ask what if, print."""

import json
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from posology.errors import UserError
from posology.language.catalogue import in_language, tr
from posology.report.patient.words import date_words
from posology.service.deployment import Deployment, get_deployment
from posology.service.errors import ConflictError, NotFoundError
from posology.service.identity.callers import CLINICIAN, Caller, require_person
from posology.service.identity.people import read_form
from posology.service.keys import seal, unseal
from posology.service.pages.decision import decision_form, option_ranges, read_decision
from posology.service.pages.facts_form import (
    changed_facts,
    changes_words,
    entered_text,
    fact_groups,
    important_codes,
    is_ticked,
)
from posology.service.pages.field_groups import field_order
from posology.service.pages.opened import Opened, keep_decision, open_answer
from posology.service.pages.patient import patient_variables
from posology.service.pages.responses import (
    frame_of,
    page_response,
    patient_name,
    redirect,
    with_page_headers,
)
from posology.service.pages.stylesheet import print_stamp
from posology.service.pages.timeline import target_ranges, timeline
from posology.service.pages.what_if import NO_FORM, WhatIfForm, compare, facts_job, what_if_job
from posology.workflows.advice.what_if import PatientFacts

router = APIRouter(include_in_schema=False)
Clinician = Annotated[Caller, Depends(require_person(CLINICIAN))]
Service = Annotated[Deployment, Depends(get_deployment)]


@dataclass(frozen=True, slots=True)
class Entered:
    """What was entered in the forms of a page."""

    decision: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    """Of the decision's form."""
    facts: dict[str, str] = field(default_factory=dict)
    """Changed facts, by the id of their field."""


@router.get("/answers/{answer_id}")
async def show_answer(
    request: Request, answer_id: str, caller: Clinician, deployment: Service
) -> Response:
    """The page of an answer."""
    opened = await open_answer(deployment, answer_id, caller)
    choice = request.query_params.get("choice", "")
    facts = _unseal(deployment, answer_id, request.query_params.get("what_if", ""))
    entered = Entered({"outcome": choice} if choice else {}, facts=facts)
    with in_language(opened.language):
        return await _page(request, deployment, opened, entered)


@router.post("/answers/{answer_id}/decision")
async def decide(
    request: Request, answer_id: str, caller: Clinician, deployment: Service
) -> Response:
    """Record a decision, or show what to mend."""
    form = await read_form(request)
    opened = await open_answer(deployment, answer_id, caller)
    with in_language(opened.language):
        return await _decide(request, caller, deployment, opened, form)


async def _decide(
    request: Request,
    caller: Caller,
    deployment: Deployment,
    opened: Opened,
    form: dict[str, str],
) -> Response:
    answer_id = opened.stored.id
    if opened.state.newer:
        text = tr("This answer is out of date. Open the newer one and decide there.")
        raise ConflictError(text)
    may_accept = opened.state.may_accept
    served = deployment.models.current.get(opened.stored.model)
    ranges = {} if served is None else option_ranges(served.artifact.study)
    about = (opened.advice, ranges)
    record, errors = read_decision(form, about, may_accept, answer_id, caller.subject)
    if record is None:
        return await _page(request, deployment, opened, Entered(form, errors), 422)
    await deployment.store.write(keep_decision, deployment.store.key, record, opened.stored)
    return redirect(f"/answers/{answer_id}")


@router.post("/answers/{answer_id}/what-if")
async def ask_what_if(
    request: Request, answer_id: str, caller: Clinician, deployment: Service
) -> Response:
    """Lead to the page with the changed facts, which its address holds encrypted."""
    form = await read_form(request)
    opened = await open_answer(deployment, answer_id, caller)
    with in_language(opened.language):
        return await _ask_what_if(request, deployment, opened, form)


async def _ask_what_if(
    request: Request, deployment: Deployment, opened: Opened, form: dict[str, str]
) -> Response:
    answer_id, facts = opened.stored.id, await _read_facts(deployment, opened)
    if facts is None:
        raise NotFoundError(tr("The facts of this patient are not kept any more."))
    entered = {
        f"fact-{at}": (entered_text(fact.field, form, f"fact-{at}", fact.value), fact.value)
        for at, fact in enumerate(facts.values)
        if f"fact-{at}" in form or is_ticked(form, f"fact-{at}")
    }
    changed = {name: text for name, (text, recorded) in entered.items() if text != recorded}
    if changed_facts(facts.values, changed)[1]:
        return await _page(request, deployment, opened, Entered(facts=changed), 422)
    query = f"?what_if={_seal(deployment, answer_id, changed)}" if changed else ""
    return redirect(f"/answers/{answer_id}{query}#what-if")


@router.get("/answers/{answer_id}/print.css")
async def print_style(answer_id: str, caller: Clinician, deployment: Service) -> Response:
    """What stands at the foot of every printed sheet of an answer."""
    opened = await open_answer(deployment, answer_id, caller)
    with in_language(opened.language):
        text = tr("{patient}. Record as of {day}. Answer {answer}.").format(
            patient=patient_name(deployment, opened.stored.patient_key, answer_id),
            day=date_words(opened.advice.time),
            answer=answer_id[:8],
        )
    return with_page_headers(Response(print_stamp(text), media_type="text/css"))


async def _page(
    request: Request, deployment: Deployment, opened: Opened, entered: Entered, status: int = 200
) -> Response:
    stored, advice = opened.stored, opened.advice
    who = patient_name(deployment, stored.patient_key, stored.id)
    facts = await _read_facts(deployment, opened)
    form = NO_FORM
    if facts is not None:
        form = await _what_if_form(deployment, opened, facts, entered.facts)
    is_wrong = bool(entered.errors or form.errors)
    title = tr("Error: {page}").format(page=who) if is_wrong else who
    served = deployment.models.current.get(stored.model)
    targets = {} if served is None else target_ranges(served.artifact.study)
    decision = decision_form(advice, entered.decision, entered.errors, opened.state.may_accept)
    variables = patient_variables(
        advice, opened.state, decision, form, None if facts is None else timeline(facts, targets)
    )
    return page_response(
        "patient.html.j2",
        frame_of(request, title, "worklist", f"/answers/{stored.id}/print.css"),
        variables | {"who": who, "answer_id": stored.id, "model_name": stored.model},
        status,
    )


async def _read_facts(deployment: Deployment, opened: Opened) -> PatientFacts | None:
    if opened.facts is None:
        return None
    return await deployment.workers.run(facts_job, opened.facts)


async def _what_if_form(
    deployment: Deployment, opened: Opened, facts: PatientFacts, entered: dict[str, str]
) -> WhatIfForm:
    assert opened.facts is not None
    changes, errors = changed_facts(facts.values, entered)
    result = None
    if changes and not errors:
        try:
            changed = await deployment.workers.run(what_if_job, (opened.facts, changes))
            result = compare(opened.advice, changed, changes_words(facts.values, changes))
        except UserError as error:
            errors = {next(iter(entered)): str(error).partition("what if: ")[2] or str(error)}
    order = field_order(deployment.models.find(opened.stored.model).artifact)
    first = important_codes(opened.advice)
    groups = fact_groups(facts.values, entered, errors, order, first)
    return WhatIfForm(groups, errors, result)


def _seal(deployment: Deployment, answer_id: str, facts: dict[str, str]) -> str:
    """The facts for an address: nobody but the service can read them."""
    return seal(json.dumps(facts), _key(deployment, answer_id))


def _unseal(deployment: Deployment, answer_id: str, text: str) -> dict[str, str]:
    """The facts of an address; none if it was not made for this answer."""
    facts = unseal(text, _key(deployment, answer_id))
    return {} if facts is None else json.loads(facts)


def _key(deployment: Deployment, answer_id: str) -> bytes:
    return deployment.derive_key(f"what if {answer_id}")
