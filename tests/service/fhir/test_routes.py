"""Device, model card and Provenance of an order resolve to resources, and name no patient."""

import asyncio

import httpx
import pytest
from fastapi import FastAPI

from posology.service.fhir.routes import provenance_id
from posology.service.identity.callers import nobody
from posology.workflows.recommend import label_of
from tests.builders.service import FORM, client, deployment_of


def get(app: FastAPI, *paths: str) -> list[httpx.Response]:
    async def send() -> list[httpx.Response]:
        async with client(app) as http:
            return [await http.get(path) for path in paths]

    return asyncio.run(send())


def test_what_an_order_refers_to_can_be_read(app: FastAPI) -> None:
    async def ask() -> str:
        async with client(app) as http:
            sent = await http.post("/recommendations", json={"form": FORM, "patient_id": "Canary"})
            return sent.json()["id"]

    answer = asyncio.run(ask())
    digest = deployment_of(app).models.get("warfarin").digest
    made = f"/fhir/Provenance/{provenance_id(answer)}"
    responses = get(app, f"/fhir/Device/{digest}", f"/fhir/DocumentReference/{digest}", made)
    assert [r.status_code for r in responses] == [200, 200, 200]
    device, card, provenance = (r.json() for r in responses)
    assert {r.headers["content-type"] for r in responses} == {"application/fhir+json"}
    assert (device["resourceType"], device["id"]) == ("Device", digest)
    assert card["description"] == label_of(deployment_of(app).models.get("warfarin").artifact).title
    assert provenance["agent"][0]["who"]["reference"] == f"Device/{digest}"
    assert provenance["entity"][0]["what"]["reference"] == f"DocumentReference/{digest}"
    assert provenance["target"][0]["reference"].endswith(f"/recommendations/{answer}")
    assert "patient" not in device
    assert not any("Canary" in r.text for r in responses)


@pytest.mark.parametrize(
    "path",
    [f"/fhir/Device/{'0' * 64}", f"/fhir/DocumentReference/{'0' * 64}", "/fhir/Provenance/00ff"],
)
def test_what_is_not_there_and_who_is_not_known(app: FastAPI, path: str) -> None:
    (response,) = get(app, path)
    assert (response.status_code, response.json()["resourceType"]) == (404, "OperationOutcome")
    deployment_of(app).identify_person = deployment_of(app).identify_system = nobody
    assert get(app, path)[0].status_code == 401
