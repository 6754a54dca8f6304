"""Requests of HL7's own CDS Hooks sandbox, recorded in November 2026, with its real tokens."""

import asyncio
import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from posology.service.cds_hooks.settings import CdsHooksSettings
from posology.service.settings import ModelSettings, Settings
from posology.service.tokens.identify import identify_by_token, make_verifier
from posology.service.tokens.key_sets import TrustedIssuer
from tests.builders.hook_responses import check_response
from tests.builders.service import client, deployment_of, running_app

URL = "http://127.0.0.1:8090"
SANDBOX = "https://sandbox.cds-hooks.org"
SANDBOX_KEYS = {
    "keys": [
        {
            "kty": "EC",
            "use": "sig",
            "crv": "P-384",
            "kid": "44823f3d-0b01-4a6c-a80e-b9d3e8a7226f",
            "x": "dw_JGR8nB2I6XveNxUOl2qk699ZPLM2nYI5STSdiEl9avAkrm3CkfYMbrrjr8laB",
            "y": "Sm3mLE-n1zYNla_aiE3cb3nZsL51RbC7ysw3q8aJLxGm-hx79RPMYpITDjp7kgzy",
            "alg": "ES384",
        }
    ]
}
"""The sandbox's public key, which it publishes at its jku."""
Clock = list[float]


@pytest.fixture(scope="module")
def recorded(shared: Path) -> list[Any]:
    path = shared / "data" / "cds-hooks" / "sandbox_recorded_requests.json"
    calls = [one for one in json.loads(path.read_text()) if one[0] != "FHIR"]
    assert [one[0] for one in calls].count("POST") == 4
    assert [one[0] for one in calls].count("FEEDBACK") == 2
    return calls


@pytest.fixture(scope="module")
def app(
    small_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[FastAPI, Clock]]:
    folder = tmp_path_factory.mktemp("sandbox")
    keys = folder / "jwks.json"
    keys.write_text(json.dumps(SANDBOX_KEYS))
    issuer = TrustedIssuer(SANDBOX, keys, (f"{SANDBOX}/.well-known/jwks.json",))
    hooks = CdsHooksSettings(issuers=(issuer,), origins=("http://127.0.0.1:8091",))
    models = tuple(
        ModelSettings(f"rx-{hook}", small_model) for hook in ("patient-view", "order-select")
    )
    settings = Settings(models=models, public_url=URL, allow_unsigned=True, cds_hooks=hooks)
    clock: Clock = [0.0]
    with running_app(small_model, folder / "service", settings) as running:
        verifier = replace(make_verifier(hooks), clock=lambda: clock[0])
        deployment_of(running).identify_system = identify_by_token(verifier, URL)
        yield running, clock


def send(app: FastAPI, clock: Clock, one: list[Any], body: Any = None) -> httpx.Response:
    """The request as it was recorded, at the second of its token."""
    kind, target, headers = one[:3]
    token = headers.get("authorization", "").removeprefix("Bearer ")
    if token:
        part = token.split(".")[1]
        clock[0] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))["iat"] + 1.0
    path = {"GET": target, "POST": f"/cds-services/{target}"}.get(
        kind, f"/cds-services/{target}/feedback"
    )
    kept = {k: v for k, v in headers.items() if k not in ("host", "content-length", "connection")}

    async def run() -> httpx.Response:
        async with client(app) as caller:
            if kind == "GET":
                return await caller.get(path, headers=kept)
            return await caller.post(path, content=json.dumps(body or one[3]), headers=kept)

    return asyncio.run(run())


def test_every_recorded_request_is_answered(
    app: tuple[FastAPI, Clock], recorded: list[Any]
) -> None:
    statuses = []
    for one in recorded:
        response = send(*app, one)
        statuses.append((one[0], response.status_code))
        if "origin" in one[2]:
            assert response.headers["access-control-allow-origin"] == one[2]["origin"]
    # the first was curl without a token; of other templates than ours, the patient is read
    assert statuses == [
        ("GET", 401),
        ("GET", 200),
        ("POST", 200),
        ("POST", 200),
        ("GET", 200),
        ("POST", 200),
        ("FEEDBACK", 200),
        ("POST", 200),
        ("FEEDBACK", 200),
    ]


def test_with_the_templates_of_our_discovery_each_call_gets_a_card(
    app: tuple[FastAPI, Clock], recorded: list[Any]
) -> None:
    running, clock = app
    verifier = replace(make_verifier(running.state.deployment.settings.cds_hooks))
    verifier = replace(verifier, clock=lambda: clock[0])
    running.state.deployment.identify_system = identify_by_token(verifier, URL)
    for one in recorded:
        if one[0] != "POST":
            continue
        body = one[3]
        prefetch = body["prefetch"]
        sent = {"patient": prefetch["patient"], "medicationRequests": prefetch["meds"]}
        sent |= {"conditions": None, "observations": None}
        response = send(running, clock, one, {**body, "prefetch": sent})
        assert response.status_code == 200, response.text
        check_response(response.json())
        assert len(response.json()["cards"]) == 1
        assert "Chalmers" not in response.text
