"""Routes of a question that a clinician enters on a page."""

import asyncio
import datetime
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from posology.advice.form.field import STATIC
from posology.advice.form.moments import parse_decision
from posology.advice.form.values import NOT_KNOWN
from posology.domain.codes import has_prefix
from posology.domain.images import IMAGE
from posology.errors import RecordError
from posology.language.catalogue import tr
from posology.report.patient.words import capitalise
from posology.service.answering import Answer, Question, answer
from posology.service.deployment import Deployment, get_deployment
from posology.service.errors import UnusableError
from posology.service.identity.callers import CLINICIAN, Caller, require_person
from posology.service.identity.people import read_form
from posology.service.models.served import ServedModel
from posology.service.models.stopped import why_stopped
from posology.service.pages.facts_form import FactGroup, changed_facts, fact_groups
from posology.service.pages.field_groups import field_order, plain_label
from posology.service.pages.responses import frame_of, page_response, redirect
from posology.workflows.advice.what_if import FactValue
from posology.workflows.patient import form_of, today

router = APIRouter(include_in_schema=False)
Clinician = Annotated[Caller, Depends(require_person(CLINICIAN))]
Service = Annotated[Deployment, Depends(get_deployment)]
_RECENT = "recent questions of pages"
TWICE_SECONDS = 20.0
"""How long the same form of the same person is the same question, as of a double click. Our
choice."""
LONGEST_NUMBER = 100
"""Characters of a patient's number."""
_SOURCE = "patient: "
"""What sentences about a patient's facts begin with."""


@dataclass(frozen=True, slots=True)
class AskPage:
    """The variables of the template."""

    model: str
    title: str
    models: tuple[tuple[str, str], ...]
    patient: str
    decision: str
    groups: tuple[FactGroup, ...]
    errors: dict[str, str]
    stopped: str
    """Why the model gives no answer; empty if it does."""


@router.get("/ask")
async def blank(request: Request, caller: Clinician, deployment: Service) -> Response:
    """The form of a model, blank."""
    del caller
    name = request.query_params.get("model", "") or deployment.models.default
    return await _page(request, deployment, deployment.models.find(name), {}, {})


@router.post("/ask")
async def ask(request: Request, caller: Clinician, deployment: Service) -> Response:
    """Answer the question, or show what to mend."""
    form = await read_form(request)
    served = deployment.models.find(form.get("model", ""))
    if served.name in deployment.models.stopped:
        return await _page(request, deployment, served, form, {})
    values = _blank_values(served)
    changes, errors = changed_facts(values, form)
    if not errors and not any(text != NOT_KNOWN for text in changes.values()):
        errors["fact-0"] = tr("Nothing is known of this patient; fill in at least one fact")
    errors = _images(served, values, changes) | errors
    errors = _about_question(form) | errors | _needed(values, changes, errors)
    if errors:
        return await _page(request, deployment, served, form, errors)
    timing = {value.field.name: value.field.timing for value in values}
    day = form.get("decision", "").strip() or datetime.date.today().isoformat()  # noqa: DTZ011
    facts = {
        name: text if timing[name] == STATIC or text == NOT_KNOWN else {"value": text, "date": day}
        for name, text in changes.items()
    }
    question = Question(
        model=served.name,
        patient={"decision": day, "facts": facts},
        patient_id=form.get("patient", "").strip(),
        asked_by=caller.subject,
        door="page",
    )
    try:
        made = await _answer_once(deployment, question, form)
    except UnusableError as error:
        found: dict[str, str] = {}
        for problem in error.problems or (str(error),):
            field = _field_of(problem, values, changes)
            found[field] = " ".join((*found.get(field, "").split(), problem.removeprefix(_SOURCE)))
        return await _page(request, deployment, served, form, found)
    return redirect(f"/answers/{made.id}")


async def _answer_once(
    deployment: Deployment, question: Question, form: Mapping[str, str]
) -> Answer:
    """The answer; the same one to the same form of the same person sent twice in a row."""
    recent = deployment.extra.setdefault(_RECENT, {})
    assert isinstance(recent, dict)
    clock = time.monotonic()
    for key in [key for key, (since, _) in recent.items() if clock - since > TWICE_SECONDS]:
        del recent[key]
    key = (question.asked_by, *sorted(form.items()))
    if key not in recent:
        recent[key] = clock, asyncio.ensure_future(answer(deployment, question))
    try:
        return await asyncio.shield(recent[key][1])
    except BaseException:
        recent.pop(key, None)
        raise


def _needed(
    values: Sequence[FactValue], changes: Mapping[str, str], errors: Mapping[str, str]
) -> dict[str, str]:
    """What to mend of needed facts that are neither entered nor ticked as not known."""
    needed = tr("{fact} is needed: enter it, or tick “Not known”")
    return {
        f"fact-{at}": needed.format(fact=capitalise(plain_label(fact.field)))
        for at, fact in enumerate(values)
        if fact.field.required and fact.field.name not in changes and f"fact-{at}" not in errors
    }


def _images(
    served: ServedModel, values: Sequence[FactValue], changes: Mapping[str, str]
) -> dict[str, str]:
    """Facts that are images, which a page does not take, if the model reads them."""
    refused = tr(
        "{fact}: a page takes no image; choose “not recorded”, or have a program send its pixels "
        "to POST /recommendations"
    )
    return {
        f"fact-{at}": refused.format(fact=capitalise(plain_label(fact.field)))
        for at, fact in enumerate(values)
        if served.artifact.study.profile.images
        and has_prefix(fact.field.stem, IMAGE)
        and changes.get(fact.field.name, NOT_KNOWN) != NOT_KNOWN
    }


def _about_question(form: Mapping[str, str]) -> dict[str, str]:
    """What to mend of the patient's number and the date of the decision."""
    found: dict[str, str] = {}
    if len(form.get("patient", "").strip()) > LONGEST_NUMBER:
        shorten = tr("Shorten the patient's number to {count} characters")
        found["patient"] = shorten.format(count=LONGEST_NUMBER)
    day = form.get("decision", "").strip()
    if day:
        try:
            moment = parse_decision(day, "decision", today())
            is_ahead = moment.date() > datetime.date.today()  # noqa: DTZ011 - local
        except RecordError as error:
            words, is_ahead = str(error).removeprefix("decision: ").rstrip("."), _is_ahead(day)
            wrong = tr("Date of the decision: {problem}; empty: today")
            found["decision"] = wrong.format(problem=words)
        if is_ahead:
            found["decision"] = tr("A decision of the future cannot be advised on; empty: today")
    return found


def _is_ahead(day: str) -> bool:
    """Whether a text that is no day of a decision is one of the future."""
    try:
        return datetime.date.fromisoformat(day[:10]) > datetime.date.today()  # noqa: DTZ011
    except ValueError:
        return False


def _field_of(message: str, values: Sequence[FactValue], changes: Mapping[str, str]) -> str:
    """Id of the field that the message names; else of the first one that was filled in."""
    filled = [
        (f"fact-{at}", v.field.name) for at, v in enumerate(values) if v.field.name in changes
    ]
    named = [own for own, name in filled if f"`{name}`" in message]
    return named[0] if named else filled[0][0]


def _blank_values(served: ServedModel) -> tuple[FactValue, ...]:
    return tuple(FactValue(f, "") for f in form_of(served.artifact).fields if f.is_listed)


async def _page(
    request: Request,
    deployment: Deployment,
    served: ServedModel,
    entered: Mapping[str, str],
    errors: dict[str, str],
) -> Response:
    is_stopped = served.name in deployment.models.stopped
    stopped = await why_stopped(deployment, served.name) if is_stopped else ""
    page = AskPage(
        model=served.name,
        title=served.artifact.study.title,
        models=tuple((m.name, m.artifact.study.title) for m in deployment.models.current.values()),
        patient=entered.get("patient", ""),
        decision=entered.get("decision", ""),
        groups=fact_groups(_blank_values(served), entered, errors, field_order(served.artifact)),
        errors=errors,
        stopped=stopped,
    )
    title = tr("Ask about a patient")
    title = tr("Error: {page}").format(page=title) if errors else title
    frame = frame_of(request, title, "worklist")
    is_refused = is_stopped and request.method == "POST"
    status = 503 if is_refused else 422 if errors else 200
    return page_response("ask.html.j2", frame, {"page": page}, status)
