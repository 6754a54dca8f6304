import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from posology.service.cds_hooks.gather import CannotJudgeError, Gathered, gather
from posology.service.cds_hooks.queries import Query
from posology.service.errors import BadRequestError
from posology.service.fhir.client import FetchLimits, FhirAccess, make_client
from tests.builders.hook_calls import PATIENT, draft, observation, searchset

BASE = "https://ehr.example/fhir"
WHO = Query("patient", "Patient/{{context.patientId}}", "Patient", "age and sex", True)
LABS = Query(
    "labs", "Observation?patient={{context.patientId}}&code=a|b", "Observation", "results", True
)
MORE = Query("more", "Observation?patient={{context.patientId}}", "Observation", "more", False)
ORDERS = Query(
    "orders", "MedicationRequest?patient={{context.patientId}}", "MedicationRequest", "drugs", True
)
Handler = Callable[[httpx.Request], Any]


def collect(
    prefetch: dict[str, Any] | None,
    handler: Handler | None = None,
    queries: tuple[Query, ...] = (WHO, LABS, MORE),
    limits: FetchLimits = FetchLimits(),  # noqa: B008 - frozen
) -> Gathered:
    async def run() -> Gathered:
        if handler is None:
            return await gather(queries, prefetch, "p-1", "no fhirAuthorization was sent")
        async with make_client(httpx.MockTransport(handler)) as client:
            access = FhirAccess(client, BASE, "secret-token", limits)
            return await gather(queries, prefetch, "p-1", access)

    return asyncio.run(run())


def names(gathered: Gathered) -> list[str]:
    return [entry["resource"]["resourceType"] for entry in gathered.bundle["entry"]]


def answering(body: Any, status: int = 200, **headers: str) -> Handler:
    return lambda _request: httpx.Response(status, json=body, headers=headers)


def test_prefetch_alone_is_enough() -> None:
    prefetch = {"patient": PATIENT, "labs": searchset(observation()), "more": None}
    gathered = collect(prefetch)
    assert (names(gathered), gathered.not_there) == (["Patient", "Observation"], ())
    assert "Canary" not in str(gathered.bundle)


def test_what_helps_may_be_missing_and_the_card_says_so() -> None:
    gathered = collect({"patient": PATIENT, "labs": None})
    assert gathered.not_there == ("Not available: more. It was not sent.",)


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        ({}, "prefetch `labs` (results) was not sent; it could not be fetched: no fhirAuth"),
        ({"labs": {"resourceType": "OperationOutcome"}}, "was sent as an error, or is no answer"),
        ({"labs": searchset(observation(), total=9)}, "was sent in part only"),
    ],
)
def test_without_what_is_needed_nothing_is_judged(sent: dict[str, Any], why: str) -> None:
    with pytest.raises(CannotJudgeError) as error:
        collect({"patient": PATIENT, **sent})
    assert error.value.status == 412
    assert why in str(error.value)


def test_missing_data_are_fetched_with_the_token_of_the_call() -> None:
    seen: list[httpx.Request] = []

    def server(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json=searchset(observation()))

    gathered = collect({"patient": PATIENT, "more": None}, server)
    assert names(gathered) == ["Patient", "Observation"]
    assert [str(one.url) for one in seen] == [f"{BASE}/Observation?patient=p-1&code=a%7Cb"]
    assert seen[0].headers["authorization"] == "Bearer secret-token"


def test_every_page_is_followed() -> None:
    def server(request: httpx.Request) -> httpx.Response:
        page = int(request.url.params.get("page", "1"))
        link = [{"relation": "next", "url": f"{BASE}?page={page + 1}"}] if page < 3 else []
        result = observation(f"{page}-1")
        return httpx.Response(200, json=searchset(result, link=link, total=3))

    # the total counts all pages, so only the last link ends a search
    def without_total(request: httpx.Request) -> httpx.Response:
        body = server(request).json()
        del body["total"]
        return httpx.Response(200, json=body)

    queries = (WHO, LABS)
    assert len(names(collect({"patient": PATIENT}, without_total, queries))) == 4
    assert len(names(collect({"patient": PATIENT}, server, queries))) == 4
    with pytest.raises(CannotJudgeError, match="there are more pages than the limit"):
        collect({"patient": PATIENT}, server, queries, FetchLimits(pages=2))
    with pytest.raises(CannotJudgeError, match="there are more resources than the limit"):
        collect({"patient": PATIENT}, server, queries, FetchLimits(resources=1))


@pytest.mark.parametrize(
    ("handler", "why"),
    [
        (answering({}, 401), "the FHIR server refused the token"),
        (answering({}, 302, Location="https://evil.org"), "redirects, which is not followed"),
        (answering({}, 500), "answered with status 500"),
        (answering([]), "did not answer with a resource"),
        (lambda _: httpx.Response(200, text="<html>"), "did not answer with JSON"),
        (answering({"resourceType": "OperationOutcome"}), "gave no answer to the query"),
        (
            answering(searchset(observation(), total=2)),
            "the FHIR server gave a part only",
        ),
        (
            answering(
                searchset(observation(), link=[{"relation": "next", "url": "https://evil.org/f"}])
            ),
            "a next page lies on another server",
        ),
        (
            answering(
                searchset(
                    observation(),
                    link=[{"relation": "next", "url": "https://ehr.example/admin?x=1"}],
                )
            ),
            "a next page lies on another server",
        ),
        (
            answering(
                searchset(
                    observation(),
                    link=[{"relation": "next", "url": "https://u:p@ehr.example/fhir?x"}],
                )
            ),
            "a next page lies on another server",
        ),
        (
            lambda _: httpx.Response(200, content=b"x" * 200),
            "answer of the FHIR server is too l",
        ),
    ],
)
def test_a_server_that_does_not_give_it(handler: Handler, why: str) -> None:
    limits = FetchLimits(bytes=100) if why.endswith("too l") else FetchLimits()
    with pytest.raises(CannotJudgeError, match=why):
        collect({"patient": PATIENT}, handler, (WHO, LABS), limits)


def test_a_slow_or_silent_server_is_not_waited_for() -> None:
    async def slow(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(5)
        return httpx.Response(200)

    def silent(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused: 10.0.0.7")

    with pytest.raises(CannotJudgeError, match="the FHIR server took too long"):
        collect({"patient": PATIENT}, slow, (WHO, LABS), FetchLimits(seconds=0.05))
    with pytest.raises(CannotJudgeError) as error:
        collect({"patient": PATIENT}, silent, (WHO, LABS))
    assert "did not answer (ConnectError)" in str(error.value)
    assert "10.0.0.7" not in str(error.value)


def test_another_patients_resources_are_refused() -> None:
    other = {**PATIENT, "id": "p-2"}
    with pytest.raises(BadRequestError, match="is not the patient of the context") as error:
        collect({"patient": other, "labs": None})
    assert "p-2" not in str(error.value)
    mixed = searchset(observation(), observation(patient="p-2"))
    with pytest.raises(BadRequestError, match="Observation: one that was sent is not about"):
        collect({"patient": PATIENT, "labs": mixed})


def test_medications_that_orders_refer_to_are_fetched_or_nothing_is_judged() -> None:
    order = {**draft(""), "medicationReference": {"reference": "Medication/m-1", "display": "x"}}
    medication = {"resourceType": "Medication", "id": "m-1", "code": {"text": "warfarin"}}
    queries = (WHO, ORDERS)
    sent = {"patient": PATIENT, "orders": searchset(order)}
    with pytest.raises(CannotJudgeError, match="orders refer to Medication resources that were no"):
        collect(sent, queries=queries)
    gathered = collect(sent, answering(medication), queries)
    assert names(gathered) == ["Patient", "MedicationRequest", "Medication"]
    whole = {"patient": PATIENT, "orders": searchset(order, medication)}
    assert names(collect(whole, queries=queries)) == names(gathered)
    for other in ({"resourceType": ["x"]}, {**medication, "id": "m-2"}, PATIENT):
        with pytest.raises(CannotJudgeError, match="the FHIR server gave something else"):
            collect(sent, answering(other), queries)
    odd = {"patient": PATIENT, "orders": searchset(order, {**medication, "id": []})}
    with pytest.raises(CannotJudgeError, match="orders refer to Medication resources that were no"):
        collect(odd, queries=queries)
