"""Whatever is damaged in a call, it is judged, or refused with a reason: never a defect."""

import asyncio
import copy
import datetime
from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from posology.advice.form.build import build_study_form
from posology.domain.recommendation.recommendation import BETTER_FOR_PATIENT, DOSE_ONLY
from posology.errors import UserError
from posology.service.cds_hooks.cards.inputs import CardInputs
from posology.service.cds_hooks.cards.response import make_cards
from posology.service.cds_hooks.gather import gather
from posology.service.cds_hooks.orders import Orders, read_orders
from posology.service.cds_hooks.queries import make_queries
from posology.service.cds_hooks.requests import HookCall
from posology.service.errors import ServiceError
from posology.service.fhir.medication_request import Drug
from posology.workflows.patient import read_given
from tests.builders.hook_calls import (
    PATIENT,
    RXNORM,
    call,
    draft,
    observation,
    searchset,
    study,
)
from tests.builders.hook_responses import check_response
from tests.builders.recommendations import ADVICE_BY_STATE

STUDY = study()
QUERIES = make_queries(STUDY, build_study_form(STUDY), {}, 250)
ORDER = {**draft("111"), "status": "active", "authoredOn": "2026-01-01"}
CONDITION = {
    "resourceType": "Condition",
    "id": "c",
    "subject": {"reference": "Patient/p-1"},
    "code": {"coding": [{"system": "http://snomed.info/sct", "code": "84114007"}]},
    "recordedDate": "2020-01-01",
    "verificationStatus": {"coding": [{"code": "confirmed"}]},
}
WHOLE = {
    "patient": PATIENT,
    "conditions": searchset(CONDITION),
    "allergies": None,
    "medicationRequests": searchset(ORDER, total=1),
    "observationsNeeded": searchset(observation()),
    "observations": searchset(observation("98979-8"), link=[{"relation": "self", "url": "x"}]),
}
ODD: Any = st.sampled_from(
    [
        None,
        "",
        "x",
        "é\ud7ff",
        0,
        -1,
        1e308,
        True,
        [],
        {},
        [None],
        [[]],
        {"x": None},
        ["x"],
        "#",
        "/",
    ]
)


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items: Any = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    return [path, *(place for key, item in items for place in _places(item, (*path, key)))]


BODY = call("order-sign", prefetch=WHOLE)
BODY["context"]["draftOrders"]["entry"][0]["resource"] |= {
    "meta": {"security": [{"code": "R"}]},
    "contained": [{"resourceType": "Medication", "id": "m", "code": {"text": "x"}}],
    "dosageInstruction": [{"text": "1 daily"}],
}
PLACES = _places(BODY)[1:]


def _damaged(changes: list[tuple[tuple[Any, ...], Any]]) -> Any:
    body: Any = copy.deepcopy(BODY)
    for place, value in changes:
        inner = body
        try:
            for key in place[:-1]:
                inner = inner[key]
            if place[-1] in inner or isinstance(inner, list):
                inner[place[-1]] = copy.deepcopy(value)
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change removed the place
    return orjson.loads(orjson.dumps(body))


def _inputs(parsed: HookCall, orders: Orders, state: str) -> CardInputs:
    return CardInputs(
        answer="a-1",
        model="warfarin",
        made_at=datetime.datetime(2026, 11, 28, tzinfo=datetime.UTC),
        advice=ADVICE_BY_STATE[state],
        study=STUDY,
        call=parsed,
        orders=orders,
        url="https://cds.example.org",
        drug=Drug(RXNORM, "111", "warfarin"),
    )


REFUSALS = (ValidationError, ServiceError, UserError)


async def _judge(body: Any) -> str:
    """`judged`, or the reason of a refusal."""
    try:
        parsed = HookCall.model_validate(body)
        orders = read_orders(parsed, STUDY, ())
        for state in (BETTER_FOR_PATIENT, DOSE_ONLY):
            check_response(make_cards(_inputs(parsed, orders, state))[0])
        found = await gather(QUERIES, parsed.prefetch, parsed.context.patientId, "nothing")
        read_given(found.bundle)
    except REFUSALS as error:
        return str(error)
    return "judged"


def test_the_undamaged_call_is_judged() -> None:
    assert asyncio.run(_judge(_damaged([]))) == "judged"


@settings(max_examples=25)
@given(st.lists(st.tuples(st.sampled_from(PLACES), ODD), min_size=1, max_size=4))
def test_a_damaged_call_is_judged_or_refused(changes: list[tuple[tuple[Any, ...], Any]]) -> None:
    assert asyncio.run(_judge(_damaged(changes))).strip(), "a refusal has its reason"
