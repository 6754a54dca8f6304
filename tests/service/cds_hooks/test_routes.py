import asyncio
import io
import json
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import Connection, select

from posology.cohorts.study.reader import read_study
from posology.domain.recommendation.recommendation import NOT_ELIGIBLE
from posology.service.answering import Answer, Question
from posology.service.cds_hooks import answer_call
from posology.service.cds_hooks.settings import CdsHooksSettings
from posology.service.deployment import Deployment
from posology.service.logs import make_log
from posology.service.settings import Settings
from posology.service.store import verify_audit
from posology.service.store.tables import ANSWERS, AUDIT, CARDS, FEEDBACK
from posology.service.tokens.identify import identify_system
from posology.service.tokens.key_sets import TrustedIssuer
from posology.service.work import pack_result
from posology.workflows.recommend import recommend
from tests.builders.hook_calls import PATIENT, call, searchset
from tests.builders.hook_responses import check_response
from tests.builders.recommendations import ADVICE_BY_STATE
from tests.builders.service import client, deployment_of, running_app, save_small_model
from tests.builders.signed_tokens import ISSUER, bearer, key_set

URL = "http://posology.test"
SERVICE = "/cds-services/warfarin"
PREFETCH = {"patient": PATIENT}


@pytest.fixture(scope="module")
def app(small_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FastAPI]:
    tmp_path = tmp_path_factory.mktemp("hooks")
    keys = tmp_path / "jwks.json"
    keys.write_text(json.dumps(key_set()))
    hooks = CdsHooksSettings(
        issuers=(TrustedIssuer(ISSUER, keys),), origins=("https://ehr.example.org",)
    )
    settings = Settings(models=(), public_url=URL, allow_unsigned=True, cds_hooks=hooks)
    with running_app(small_model, tmp_path / "service", settings) as running:
        deployment = deployment_of(running)
        deployment.identify_system = identify_system(deployment.settings, deployment.store)
        yield running


def token(path: str, **changes: Any) -> dict[str, str]:
    now = int(time.time())
    return bearer(f"{URL}{path}", iat=now, exp=now + 300, **changes)


def post(app: FastAPI, path: str, body: Any, **headers: str) -> httpx.Response:
    async def run() -> httpx.Response:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {"Content-Type": "application/json", **token(path), **headers}
        async with client(app) as caller:
            return await caller.post(path, content=content, headers=sent)

    return asyncio.run(run())


def get(app: FastAPI, path: str, headers: dict[str, str] | None = None) -> httpx.Response:
    async def run() -> httpx.Response:
        async with client(app) as caller:
            return await caller.get(path, headers=token(path) if headers is None else headers)

    return asyncio.run(run())


def rows(app: FastAPI, table: Any) -> list[Any]:
    def read(connection: Connection) -> list[Any]:
        return list(connection.execute(select(table)))

    return deployment_of(app).store.read_now(read)


def outcome_text(response: httpx.Response) -> str:
    body = response.json()
    assert body["resourceType"] == "OperationOutcome"
    assert response.headers["content-type"] == "application/fhir+json"
    return body["issue"][0]["details"]["text"]


def test_discovery_lists_one_id_at_three_hooks(app: FastAPI) -> None:
    response = get(app, "/cds-services")
    services = response.json()["services"]
    assert response.status_code == 200
    assert [(one["hook"], one["id"]) for one in services] == [
        ("patient-view", "warfarin"),
        ("order-select", "warfarin"),
        ("order-sign", "warfarin"),
    ]
    assert services[0]["prefetch"]["patient"] == "Patient/{{context.patientId}}"
    assert {one["hookVersion"] for one in services} == {"1.0"}
    assert {one["version"] for one in services} == {"2.0.1"}
    assert all(one["title"] and one["description"] for one in services)


@pytest.mark.parametrize("hook", ["patient-view", "order-select", "order-sign"])
def test_a_call_is_answered_stored_and_audited(app: FastAPI, hook: str) -> None:
    body = call(hook, prefetch=needed(app), hookInstance=str(uuid.uuid4()))
    response = post(app, SERVICE, body)
    assert response.status_code == 200, response.text
    check_response(response.json())
    (card,) = response.json()["cards"]
    (kept,) = (one for one in rows(app, CARDS) if one.uuid == card["uuid"])
    (answer,) = (one for one in rows(app, ANSWERS) if one.id == kept.answer)
    assert card["summary"] == answer.headline
    assert card["links"][0]["url"] == f"{URL}/answers/{answer.id}"
    assert (answer.asked_by, answer.door_reference) == (ISSUER, body["hookInstance"])
    store = deployment_of(app).store
    assert store.read_now(verify_audit, store.key).problem == ""
    assert "Canary" not in response.text
    assert b"Canary" not in (deployment_of(app).settings.folder / "store.sqlite").read_bytes()


@pytest.mark.parametrize("hook", ["patient-view", "order-sign"])
def test_a_patient_whom_the_study_is_not_for_has_a_card_only_with_an_order(
    app: FastAPI, monkeypatch: pytest.MonkeyPatch, hook: str
) -> None:
    made = answer_call.answer

    async def not_eligible(deployment: Deployment, question: Question) -> Answer:
        found = await made(deployment, question)
        advice = ADVICE_BY_STATE[NOT_ELIGIBLE]
        result = replace(found.result, recommendation=advice)
        return replace(found, stored=pack_result(result))

    monkeypatch.setattr(answer_call, "answer", not_eligible)
    body = call(hook, prefetch=needed(app), hookInstance=str(uuid.uuid4()))
    cards = post(app, SERVICE, body).json()["cards"]
    if hook == "patient-view":
        assert cards == []
        return
    (card,) = cards
    assert card["summary"] == "No answer: this study is not for this patient."
    assert "It is for patients of 18 years and over" in card["detail"]
    assert (card["indicator"], card.get("suggestions")) == ("info", None)


def needed(app: FastAPI) -> dict[str, Any]:
    """The patient, and nothing for every other template."""
    services = get(app, "/cds-services").json()["services"]
    return {**dict.fromkeys(services[0]["prefetch"]), **PREFETCH}


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/cds-services", {}),
        ("/cds-services", {"Authorization": "Basic dTpw"}),
        ("/cds-services", {"Authorization": "Bearer x"}),
        ("/cds-services", bearer(f"{URL}/cds-services", iat=1, exp=300)),
        ("/cds-services", token("/cds-services/warfarin")),
        ("/cds-services", token("/cds-services", iss="https://evil.org")),
    ],
)
def test_nobody_unknown_is_answered(app: FastAPI, path: str, headers: dict[str, str]) -> None:
    response = get(app, path, headers)
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Bearer"
    assert "evil" not in outcome_text(response)


def test_the_log_says_why_and_holds_no_token(app: FastAPI) -> None:
    deployment, lines = deployment_of(app), io.StringIO()
    before, deployment.log = deployment.log, make_log(lines)
    headers = token("/cds-services", aud="https://secret.example/other")
    assert get(app, "/cds-services", headers).status_code == 401
    deployment.log = before
    refused, _ = (json.loads(line) for line in lines.getvalue().splitlines())
    assert (refused["event"], refused["reason"]) == ("token_refused", "audience")
    assert "secret" not in lines.getvalue()
    assert headers["Authorization"][-40:] not in lines.getvalue()


def test_a_token_is_used_once_also_after_a_restart(app: FastAPI) -> None:
    headers = token("/cds-services")
    assert get(app, "/cds-services", headers).status_code == 200
    assert get(app, "/cds-services", headers).status_code == 401
    deployment = deployment_of(app)
    deployment.store.write_now(lambda _: None)  # what was to be written later is written
    deployment.identify_system = identify_system(deployment.settings, deployment.store)
    assert get(app, "/cds-services", headers).status_code == 401
    assert get(app, "/cds-services").status_code == 200


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        (b"{", 400, "The body is not JSON: look at line 1, column 2."),
        (b"[" * 5000, 413, "The body is nested more than 64 levels deep."),
        ([], 400, "The body is not as CDS Hooks defines it: body:"),
        (call(hookInstance="7"), 400, "hookInstance: "),
        (call(hook="encounter-start"), 400, "hook: this service is for patient-view, order-sel"),
        (call(prefetch=None), 412, "prefetch `patient` (the patient) was not sent"),
        (call(prefetch={"patient": None}), 412, "was sent as an error, or is no answer"),
        (
            call(prefetch={"patient": {"resourceType": "OperationOutcome"}}),
            412,
            "was sent as an error",
        ),
    ],
)
def test_what_cannot_be_answered_says_why(app: FastAPI, body: Any, status: int, text: str) -> None:
    before = len(rows(app, ANSWERS))
    response = post(app, SERVICE, body)
    assert response.status_code == status
    assert text in outcome_text(response)
    assert len(rows(app, ANSWERS)) == before


WEIGHT = {
    "resourceType": "Observation",
    "id": "w-1",
    "status": "final",
    "subject": {"reference": "Patient/p-1"},
    "category": [{"coding": [{"code": "vital-signs"}]}],
    "code": {"coding": [{"system": "http://loinc.org", "code": "3141-9"}]},
    "effectiveDateTime": "2026-11-01",
    "valueQuantity": {"value": 176.37, "unit": "lb", "code": "[lb_av]"},
}


@pytest.fixture(scope="module")
def strict(small_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FastAPI]:
    """A service of the shipped study, which gives no dose without age and weight."""
    folder = tmp_path_factory.mktemp("strict")
    model = save_small_model(folder / "warfarin", read_study("iwpc"))
    keys = folder / "jwks.json"
    keys.write_text(json.dumps(key_set()))
    settings = Settings(models=(), public_url=URL, allow_unsigned=True)
    with running_app(model, folder / "service", settings) as running:
        yield running


def test_the_templates_ask_for_age_and_weight_and_say_that_both_are_needed(
    strict: FastAPI,
) -> None:
    service = get(strict, "/cds-services").json()["services"][0]
    assert service["usageRequirements"] == (
        "Answers 412 where it cannot read the patient, laboratory results and other observations "
        "(a search that finds nothing is read), or where one of age, weight is not known, by "
        "prefetch or fhirAuthorization."
    )
    assert service["prefetch"]["observationsNeeded"].endswith(
        "&code=http://loinc.org|29463-7,http://loinc.org|3141-9,http://loinc.org|3142-7"
    )
    assert "http://loinc.org|8302-2" in service["prefetch"]["observations"]


@pytest.mark.parametrize(
    ("patient", "weight", "lacking"),
    [
        (PATIENT, None, "weight is not recorded."),
        ({**PATIENT, "birthDate": None}, WEIGHT, "age is not recorded."),
        (
            {**PATIENT, "birthDate": None},
            None,
            "age is not recorded. The study needs it, and also ",
        ),
    ],
)
def test_without_a_fact_that_the_study_needs_it_cannot_judge(
    strict: FastAPI, patient: dict[str, Any], weight: dict[str, Any] | None, lacking: str
) -> None:
    before = len(rows(strict, ANSWERS))
    person = {name: value for name, value in patient.items() if value is not None}
    prefetch = {"patient": person, "observationsNeeded": weight and searchset(weight)}
    response = post(strict, SERVICE, call(prefetch=prefetch))
    assert response.status_code == 412
    assert f"Nothing can be judged: {lacking}" in outcome_text(response)
    assert len(rows(strict, ANSWERS)) == before


def test_a_birth_date_and_a_weight_in_pounds_reach_the_answer(strict: FastAPI) -> None:
    prefetch = {"patient": PATIENT, "observationsNeeded": searchset(WEIGHT)}
    response = post(strict, SERVICE, call(prefetch=prefetch))
    assert response.status_code == 200, response.text
    (answer,) = rows(strict, ANSWERS)[-1:]
    form = {"facts": {"sex": "male", "age": "1954-03-02", "weight": 80.0}}
    served = deployment_of(strict).models.get("warfarin")
    wanted = recommend(served.artifact, form, reasons=False).recommendation
    assert answer.headline == wanted.headline
    assert wanted.dose is not None
    detail = response.json()["cards"][0]["detail"]
    assert "from the date of birth" in detail
    assert "weight 80 kg, from LOINC 3141-9 of 01-Nov-2026" in detail.replace("\\", "")


def test_another_patient_is_refused(app: FastAPI) -> None:
    prefetch = {**needed(app), "patient": {**PATIENT, "id": "p-2"}}
    response = post(app, SERVICE, call(prefetch=prefetch))
    assert response.status_code == 400
    assert "is not the patient of the context" in outcome_text(response)


def test_another_media_type_or_service_is_refused(app: FastAPI) -> None:
    response = post(app, SERVICE, call(), **{"Content-Type": "text/plain"})
    assert (response.status_code, outcome_text(response)) == (
        400,
        "The body is to be sent as application/json.",
    )
    response = post(app, "/cds-services/aspirin", call())
    assert response.status_code == 404
    assert "No model has this name" in outcome_text(response)


def test_feedback_is_kept_once_and_finds_its_answer(app: FastAPI) -> None:
    (card,) = post(app, SERVICE, call(prefetch=needed(app))).json()["cards"]
    reason = {"code": "limited-time", "system": "http://x.org", "display": "No time"}
    known = {
        "card": card["uuid"],
        "outcome": "overridden",
        "overrideReason": {"reason": reason, "userComment": "later"},
        "outcomeTimestamp": "2026-11-28T09:00:00.123Z",
    }
    other = {
        "card": str(uuid.uuid4()),
        "outcome": "accepted",
        "acceptedSuggestions": [{"id": "s"}],
        "outcomeTimestamp": "2026-11-28T09:00:01Z",
    }
    path = f"{SERVICE}/feedback"
    first = post(app, path, {"feedback": [known, other]})
    again = post(app, path, {"feedback": [known]})
    assert first.json() == {"received": 2, "new": 2, "unknownCards": 1}
    assert again.json() == {"received": 1, "new": 0, "unknownCards": 0}
    kept = {row.card: row for row in rows(app, FEEDBACK)}
    assert len(kept) == len(rows(app, FEEDBACK)) == 2
    assert kept[card["uuid"]].answer in [row.id for row in rows(app, ANSWERS)]
    assert kept[card["uuid"]].reason == "limited-time"
    assert (kept[other["card"]].answer, kept[other["card"]].suggestions) == ("", '["s"]')


def test_the_audit_log_has_no_text_that_feedback_made_up(app: FastAPI) -> None:
    made_up = {
        "card": "Zebulon Canary",
        "outcome": "overridden",
        "overrideReason": {"reason": {"code": "Zebulon Canary refused"}},
        "outcomeTimestamp": "2026-11-28T09:00:00Z",
    }
    assert post(app, f"{SERVICE}/feedback", {"feedback": [made_up]}).json()["new"] == 1
    assert rows(app, FEEDBACK)[-1].reason == "Zebulon Canary refused"
    detail = [row.detail for row in rows(app, AUDIT) if row.action == "feedback"][-1]
    assert json.loads(detail) == {"outcome": "overridden", "reason": "other", "card": "other"}
    long = made_up | {"overrideReason": {"reason": {"code": "x" * 201}}}
    refused = post(app, f"{SERVICE}/feedback", {"feedback": [long]})
    assert refused.status_code == 400
    assert "reason.code: has more than 200 characters; shorten it" in outcome_text(refused)


def test_feedback_that_is_none_is_refused_whole(app: FastAPI) -> None:
    before = len(rows(app, FEEDBACK))
    good = {"card": "c", "outcome": "overridden", "outcomeTimestamp": "2026-11-28T09:00:00Z"}
    response = post(app, f"{SERVICE}/feedback", {"feedback": [good, {**good, "outcome": "x"}]})
    assert response.status_code == 400
    assert "feedback[1].outcome: is a text; send one of 'accepted' or 'overridden'" in outcome_text(
        response
    )
    assert len(rows(app, FEEDBACK)) == before


@pytest.mark.parametrize(
    ("origin", "status", "allowed"),
    [
        ("https://ehr.example.org", 204, "https://ehr.example.org"),
        ("https://evil.org", 403, None),
        ("null", 403, None),
    ],
)
def test_browsers_may_call_from_named_origins_only(
    app: FastAPI, origin: str, status: int, allowed: str | None
) -> None:
    async def run() -> tuple[httpx.Response, httpx.Response]:
        asks = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        async with client(app) as caller:
            preflight = await caller.options(SERVICE, headers=asks)
            actual = await caller.get("/cds-services", headers={"Origin": origin})
            return preflight, actual

    preflight, actual = asyncio.run(run())
    assert preflight.status_code == status
    for response in (preflight, actual):
        assert response.headers.get("access-control-allow-origin") == allowed
        assert "access-control-allow-credentials" not in response.headers
        assert response.headers["vary"] == "Origin"


def test_other_paths_have_no_cors(app: FastAPI) -> None:
    response = get(app, "/health", {"Origin": "https://ehr.example.org"})
    assert "access-control-allow-origin" not in response.headers
