"""`POST /recommendations`: the same patient as a form, FHIR Bundle or MEDS events."""

import asyncio

import httpx
import pytest
from fastapi import FastAPI

from posology.service.identity.callers import nobody
from posology.service.store import newest_answers, verify_audit
from posology.workflows.patient import today
from tests.builders.service import FORM, SYSTEM, client, deployment_of

PATIENT = {"resourceType": "Patient", "id": "7", "gender": "male"}
BUNDLE = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": PATIENT}]}


def post(app: FastAPI, body: object) -> httpx.Response:
    async def send() -> httpx.Response:
        async with client(app) as http:
            return await http.post("/recommendations", json=body)

    return asyncio.run(send())


def test_an_answer_is_stored_and_audited_before_it_is_sent(app: FastAPI) -> None:
    response = post(app, {"form": FORM, "patient_id": "MRN 4711"})
    body = response.json()
    assert response.status_code == 201
    assert response.headers["Location"] == f"/recommendations/{body['id']}"
    assert body["recommendation"]["state"] == "dose"
    store = deployment_of(app).store
    kept = store.read_now(newest_answers, 10)
    assert [(a.id, a.asked_by, a.door, a.state) for a in kept] == [
        (body["id"], SYSTEM.subject, "api", "dose")
    ]
    assert "4711" not in kept[0].patient_key
    check = store.read_now(verify_audit, store.key)
    assert (check.rows, check.problem) == (1, "")


def test_an_answer_can_be_read_again(app: FastAPI) -> None:
    made = post(app, {"form": FORM}).json()

    async def get(path: str) -> httpx.Response:
        async with client(app) as http:
            return await http.get(path)

    again = asyncio.run(get(f"/recommendations/{made['id']}"))
    assert again.json()["is_signed"] is made["is_signed"] is False
    assert again.json()["recommendation"] == made["recommendation"]
    unknown = asyncio.run(get("/recommendations/unknown"))
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "not_found")


def test_form_bundle_and_events_of_one_patient_get_one_answer(app: FastAPI) -> None:
    events = [{"code": "SEX//male"}]
    requests = ({"form": {"facts": {"sex": "male"}}}, {"bundle": BUNDLE}, {"events": events})
    answers = [post(app, request).json()["recommendation"] for request in requests]
    assert answers[0]["options"] == answers[1]["options"] == answers[2]["options"]


def test_nobody_unknown_gets_an_answer(app: FastAPI) -> None:
    deployment = deployment_of(app)
    deployment.identify_person = deployment.identify_system = nobody
    response = post(app, {"form": FORM})
    assert response.status_code == 401
    assert response.json()["error"]["code"] == "not_signed_in"
    assert deployment.store.read_now(newest_answers, 10) == []


def test_everything_that_is_wrong_is_named_at_once_with_its_field(app: FastAPI) -> None:
    facts = {"height": 1750, "weihgt": 80, "age": "old", "sex": "Jane Roe", "race": "White"}
    response = post(app, {"form": {"facts": facts}})
    assert response.status_code == 422
    error = response.json()["error"]
    assert "4 things are to be mended. `height`" in error["message"]
    assert " Fact `weihgt` is not one this model uses;" in error["message"], "a sentence each"
    height, weight, age, sex = error["problems"]
    assert "`height` of 1750 cm cannot be right" in height
    assert "fact `weihgt` is not one this model uses; did you mean `weight`?" in weight
    assert "`age` must be years" in age
    assert "`sex` is '[...]', which is none of" in sex
    assert "Roe" not in response.text


def test_a_slip_in_a_key_of_the_request_is_shown(app: FastAPI) -> None:
    response = post(app, {"form": FORM, "patient_ids": "12", "Jane Roe": 1})
    assert response.json()["error"]["problems"] == [
        "patient_ids: is no field of this request; did you mean patient_id?",
        "[...]: is no field of this request; take it out.",
    ]


@pytest.mark.parametrize(
    "patient",
    [
        {"form": {**FORM, "decision": "2990-01-01"}},
        {"form": FORM, "at": "2990-01-01"},
        {"form": {"facts": FORM["facts"] | {"age": "2990-01-01"}}},
        {"bundle": {**BUNDLE, "entry": [{"resource": {**PATIENT, "birthDate": "2031-01-01"}}]}},
        {"events": [{"code": "SEX//male"}, {"code": "MEDS_BIRTH", "time": "2990-01-01T00:00:00"}]},
        {"events": [{"code": "SEX//male"}, {"code": "WEIGHT", "time": "2990-01-01T00:00:00"}]},
    ],
)
def test_dates_of_the_future_are_refused(app: FastAPI, patient: dict) -> None:
    response = post(app, patient)
    assert response.status_code == 422, response.text
    message = response.json()["error"]["message"]
    assert "lies after" in message or "after the decision" in message


def test_a_bundle_is_decided_today_and_events_at_the_last(app: FastAPI) -> None:
    weight = {
        "resourceType": "Observation",
        "status": "final",
        "subject": {"reference": "Patient/7"},
        "code": {"coding": [{"system": "http://loinc.org", "code": "29463-7"}]},
        "effectiveDateTime": "2019-01-02",
        "valueQuantity": {"value": 80, "unit": "kg"},
    }
    bundle = {**BUNDLE, "entry": [*BUNDLE["entry"], {"resource": weight}]}
    events = [{"code": "SEX//male"}, {"code": "WEIGHT", "time": "2019-01-02", "numeric_value": 80}]
    days = []
    for patient in ({"bundle": bundle}, {"bundle": bundle, "at": "2020-01-01"}, {"events": events}):
        body = post(app, patient).json()["recommendation"]
        days.append(body["time"][:10])
        old = [text for text in body["callouts"] if "older than 366 days" in text]
        assert bool(old) == (days == [today().date().isoformat()])
    assert days[1:] == ["2020-01-01", "2019-01-02"]
    assert days[0] == today().date().isoformat()


@pytest.mark.parametrize(
    "weight", ["80 Jane Roe", "80  Jane\u00a0Roe", f"Jane Roe {'x' * 200}", "11 st 40 Jane Roe"]
)
def test_no_part_of_a_text_is_repeated_in_an_error(app: FastAPI, weight: str) -> None:
    response = post(app, {"form": {"facts": FORM["facts"] | {"weight": weight}}})
    assert response.status_code == 422
    assert "`weight`" in response.text
    assert "Roe" not in response.text
    known = post(app, {"form": {"facts": FORM["facts"] | {"weight": "80 mmol/L"}}})
    assert "unit 'mmol/L' is not one of kg" in known.json()["error"]["message"]
