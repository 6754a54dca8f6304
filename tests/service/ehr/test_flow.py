"""The record system of a demonstration: hooks fired well and badly, cards, feedback."""

import asyncio
import datetime
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pyarrow as pa
import pytest
from fastapi import FastAPI
from sqlalchemy import Connection, select

from posology.service import answering
from posology.service.app import create_app
from posology.service.demo.patients import DemoPatient
from posology.service.deployment import open_deployment
from posology.service.ehr.content import no_hooks
from posology.service.ehr.record_system import Call, RecordSystem, Sent, open_record_system
from posology.service.ehr.trust import with_record_system
from posology.service.ehr.views import add_record_system
from posology.service.identity.callers import CLINICIAN
from posology.service.settings import ModelSettings, Settings
from posology.service.store.tables import FEEDBACK
from posology.service.work import Done
from posology.workflows.recommend import RecommendResult
from tests.builders.hook_calls import study
from tests.builders.pages import Browser, signed_in
from tests.builders.recommendations import ADVICE_BY_STATE
from tests.builders.service import deployment_of

PAGE = "/ehr/patients/demo-01"
INR = "MEASUREMENT//LOINC//6301-6"
FIRE = {"entry": "warfarin order-sign", "order": "medium", "server": "http://127.0.0.1:8000"}


def events() -> pa.Table:
    born = datetime.datetime(1951, 4, 2)  # noqa: DTZ001 - MEDS times have no zone
    seen = datetime.datetime(2026, 11, 1, 8)  # noqa: DTZ001
    rows = [
        ("SEX//male", None, None),
        ("MEDS_BIRTH", born, None),
        (INR, seen, 1.1),
        ("CONDITION//SNOMED//84114007", seen, None),
        ("DIET//odd", None, None),
    ]
    codes, times, values = zip(*rows, strict=True)
    return pa.table(
        {
            "subject_id": [1] * len(rows),
            "time": pa.array(times, pa.timestamp("us")),
            "code": list(codes),
            "numeric_value": pa.array(values, pa.float32()),
        }
    )


@pytest.fixture(scope="module")
def app(small_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FastAPI]:
    """A demonstration whose answers are at once better for one option."""
    result = RecommendResult(ADVICE_BY_STATE["better"], study(), "")
    advice = result.recommendation
    done = Done(advice.state, advice.headline, b"{}", b"", b"", 1.0)
    models = (ModelSettings("warfarin", small_model),)
    folder = tmp_path_factory.mktemp("ehr") / "service"
    settings = with_record_system(Settings(models, folder, is_demo=True, allow_unsigned=True))
    # The small model's study is no demonstration's: its patients are given here.
    deployment = open_deployment(replace(settings, is_demo=False))
    deployment.settings = settings
    deployment.demo_patients = (DemoPatient("demo-01", "Ada Sample", events()),)
    served = deployment.models.current["warfarin"]
    model = replace(served.artifact, study=study())
    deployment.models.current["warfarin"] = replace(served, artifact=model)
    deployment.is_ready = True
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(answering, "unpack_result", lambda _stored, _model: result)
        monkeypatch.setattr(answering, "answer_job", lambda _job: done)
        yield create_app(settings, deployment)
    deployment.workers.close()
    deployment.store.close()


@pytest.fixture
def browser(app: FastAPI) -> Browser:
    return signed_in(app, CLINICIAN)


def system_of(app: FastAPI) -> RecordSystem:
    return open_record_system(app)


def last_call(app: FastAPI) -> Call:
    return next(reversed(system_of(app).calls.values()))


def last_body(app: FastAPI) -> dict:
    return last_call(app).sent.body


def fire(browser: Browser, **fields: str) -> None:
    browser.get(PAGE)
    browser.post(PAGE, FIRE | fields)


def test_patients_are_listed_with_what_cannot_be_sent(app: FastAPI, browser: Browser) -> None:
    browser.get("/ehr")
    assert "1 patient, whose record system" in browser.text
    assert PAGE in browser.links
    (patient,) = system_of(app).patients.values()
    assert patient.left_out == 1
    kinds = [resource["resourceType"] for resource in patient.resources]
    assert kinds == ["Patient", "Observation", "Condition"]
    assert patient.resources[0]["birthDate"] == "1951-04-02"
    assert patient.resources[1]["valueQuantity"]["value"] == 1.1


def test_a_hook_is_fired_and_its_suggestion_accepted(app: FastAPI, browser: Browser) -> None:
    fire(browser)
    assert "The service sent 1 card" in browser.text
    body = last_body(app)
    assert body["hook"] == "order-sign"
    order = body["context"]["draftOrders"]["entry"][0]["resource"]
    assert order["medicationCodeableConcept"]["coding"][0]["code"] == "222"
    assert body["prefetch"]["patient"]["id"] == "demo-01"
    call = last_call(app)
    card = call.sent.reply["cards"][0]
    suggestion = card["suggestions"][0]
    assert suggestion["label"] in browser.text
    address = f"/ehr/calls/{call.id}"
    browser.post(address, {"card": card["uuid"], "suggestion": suggestion["uuid"]})
    assert "Accepted: the service answered with status 200." in browser.text
    browser.post(address, {"card": card["uuid"], "reason": "0", "comment": "not today"})
    assert "Overridden: the service answered with status 200." in browser.text

    def read(connection: Connection) -> list[str]:
        return [row.outcome for row in connection.execute(select(FEEDBACK))]

    assert deployment_of(app).store.read_now(read) == ["accepted", "overridden"]


@pytest.mark.parametrize(
    ("way", "sent"),
    [
        ("withheld", "absent"),
        ("late", "absent"),
        ("none", None),
        ("failed", "OperationOutcome"),
        ("damaged", "Bundle"),
    ],
)
def test_a_patient_sent_badly_cannot_be_judged(
    app: FastAPI, browser: Browser, way: str, sent: str | None
) -> None:
    fire(browser, **{"way-patient": way})
    assert "The service cannot judge this patient without more data (status 412" in browser.text
    value = last_body(app)["prefetch"].get("patient", {"resourceType": "absent"})
    assert (value and value["resourceType"]) == sent


def test_a_first_page_says_that_there_are_more(app: FastAPI, browser: Browser) -> None:
    fire(browser, **{"way-observationsNeeded": "first_page"})
    page = last_body(app)["prefetch"]["observationsNeeded"]
    assert (page["total"], len(page["entry"])) == (250, 1)
    assert page["link"][0]["relation"] == "next"
    assert "status 412" in browser.text


def test_an_order_that_the_study_is_not_about_brings_no_card(browser: Browser) -> None:
    fire(browser, order="other")
    assert "The service judged, and has nothing to say" in browser.text


def test_leave_to_fetch_opens_one_patient_by_its_token(app: FastAPI, browser: Browser) -> None:
    fire(browser, **{"fetch": "yes", "way-medicationRequests": "late", "way-unknown": "late"})
    leave = last_body(app)["fhirAuthorization"]
    assert last_body(app)["fhirServer"] == "http://127.0.0.1:8000/ehr/fhir"
    late = frozenset({"MedicationRequest"})
    assert system_of(app).grants[leave["access_token"]] == ("demo-01", late)

    async def read(path: str, token: str) -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            headers = {"Authorization": f"Bearer {token}"}
            return await client.get(f"/ehr/fhir/{path}", headers=headers)

    found = asyncio.run(read("Observation?patient=demo-01&code=6301-6", leave["access_token"]))
    assert found.json()["total"] == 1
    assert asyncio.run(read("Patient/demo-01", "other")).status_code == 401
    assert asyncio.run(read("Patient/demo-02", leave["access_token"])).status_code == 404


def test_only_servers_on_the_list_are_called(app: FastAPI, browser: Browser) -> None:
    before = len(system_of(app).calls)
    browser.get(PAGE)
    page = browser.post(PAGE, FIRE | {"server": "http://169.254.169.254"})
    assert page.status_code == 400
    assert "not on the list of the settings, ehr_services" in browser.text
    assert browser.get(f"{PAGE}?server=http://169.254.169.254").status_code == 400
    assert len(system_of(app).calls) == before


@pytest.mark.parametrize(
    ("path", "status"),
    [("/ehr/patients/nobody", 404), ("/ehr/calls/nothing", 404)],
)
def test_what_is_not_there(browser: Browser, path: str, status: int) -> None:
    assert browser.get(path).status_code == status


def test_a_stopped_model_is_said_in_words_where_a_hook_would_be_fired(
    app: FastAPI, browser: Browser
) -> None:
    """The page once read "discovery has status 200", or gave a bare error."""
    browser.get(PAGE)
    deployment_of(app).models.stopped["warfarin"] = "doses were wrong"
    try:
        page = browser.post(PAGE, FIRE)
        assert page.status_code == 409
        assert "does not offer this hook any more. The model warfarin was stopped" in browser.text
        assert browser.get(PAGE).status_code == 200
    finally:
        del deployment_of(app).models.stopped["warfarin"]
    assert "No hook can be fired The model warfarin was stopped: doses were wrong." in browser.text
    assert "An administrator lets it answer again on the page Monitoring." in browser.text
    assert "status" not in browser.text


@pytest.mark.parametrize(
    ("status", "reply", "words"),
    [
        (0, {"problem": "ConnectError"}, "cannot be reached. Check that it runs, and its address"),
        (401, {}, "does not accept this record system's token. Name the issuer and the key set"),
        (
            503,
            {"resourceType": "OperationOutcome", "issue": [{"details": {"text": "It starts."}}]},
            "refused discovery (status 503): It starts.",
        ),
        (500, "oops", "refused discovery (status 500): it gave no reason"),
        (200, {"services": []}, "The service offers no hook at the moment."),
    ],
)
def test_why_another_service_offers_no_hook(status: int, reply: object, words: str) -> None:
    assert words in no_hooks(Sent("http://other/cds-services", {}, status, reply, 0.1))


def test_a_form_of_another_site_is_refused(browser: Browser) -> None:
    browser.get(PAGE)
    assert browser._send("POST", PAGE, FIRE | {"csrf": "x"}).status_code == 403


def test_the_key_set_holds_no_private_key(app: FastAPI, browser: Browser) -> None:
    keys = json.loads(browser.get("/ehr/jwks.json").text)["keys"]
    assert [sorted(key.keys() & {"d", "kid"}) for key in keys] == [["kid"]]
    folder = deployment_of(app).settings.folder
    assert (folder / "ehr-key.pem").stat().st_mode & 0o777 == 0o600


def test_outside_demonstrations_there_is_no_record_system(small_model: Path) -> None:
    settings = Settings((ModelSettings("warfarin", small_model),))
    assert with_record_system(settings) is settings
    bare = FastAPI()
    bare.state.deployment = type("Bare", (), {"settings": settings})()
    add_record_system(bare)
    assert not [route for route in bare.routes if "/ehr" in str(getattr(route, "path", ""))]
