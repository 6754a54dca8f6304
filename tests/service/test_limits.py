"""Bodies that are too large, too deep or not JSON, and more questions than can wait."""

import asyncio
import threading
from collections.abc import AsyncGenerator
from dataclasses import replace
from io import StringIO
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from posology.service.app import create_app
from posology.service.errors import BusyError, TimedOutError
from posology.service.logs import make_log
from posology.service.settings import Limits, Settings
from posology.service.workers import make_workers
from tests.builders.service import client, deployment_of

JSON = {"content-type": "application/json"}


def post(app: FastAPI, content: bytes) -> httpx.Response:
    async def send() -> httpx.Response:
        async with client(app) as http:
            return await http.post("/recommendations", content=content, headers=JSON)

    return asyncio.run(send())


@pytest.mark.parametrize(
    ("content", "status", "message"),
    [
        (b"{", 400, "The body is not JSON: look at line 1, column 2."),
        (b'{"form": NaN}', 400, "The body is not JSON: look at line 1, column 10."),
        (b"[" * 70 + b"]" * 70, 413, "The body is nested more than 64 levels deep."),
        (b"[" * 65 + b"]" * 65, 413, "The body is nested more than 64 levels deep."),
        (b'{"a": ' * 65 + b"1" + b"}" * 65, 413, "The body is nested more than 64 levels deep."),
        (
            b"[" * 64 + b"1" + b"]" * 64,
            422,
            "The request does not fit. the body: is a list; send an object.",
        ),
        (b"[" * 5000 + b"]" * 5000, 413, "The body is nested more than 64 levels deep."),
        (b" " * (4 << 20) + b"{}", 413, "The body has more than 4,194,304 bytes."),
    ],
)
def test_a_body_beyond_the_limits_is_refused(
    app: FastAPI, content: bytes, status: int, message: str
) -> None:
    response = post(app, content)
    assert (response.status_code, response.json()["error"]["message"]) == (status, message)
    assert response.json()["error"]["request_id"] == response.headers["x-request-id"]


def test_a_body_that_does_not_arrive_is_refused(app: FastAPI) -> None:
    async def slowly() -> AsyncGenerator[bytes]:
        yield b"{"
        await asyncio.sleep(5)

    async def send() -> httpx.Response:
        async with client(app) as http:
            return await http.post("/recommendations", content=slowly(), headers=JSON)

    deployment = deployment_of(app)
    quick = replace(deployment.settings, limits=Limits(seconds=0.05))
    app = create_app(quick, deployment)
    response = asyncio.run(send())
    assert (response.status_code, response.json()["error"]["message"]) == (
        408,
        "The body did not arrive within 0.05 seconds.",
    )


def test_an_exception_that_nobody_expected_is_a_500_without_its_text(
    app: FastAPI,
) -> None:
    logs = StringIO()
    deployment_of(app).log = make_log(logs)

    async def fail(request: object) -> None:
        raise RuntimeError("Jane Roe")

    deployment_of(app).identify_system = fail
    response = post(app, b'{"form": {}}')
    assert (response.status_code, response.json()["error"]["code"]) == (500, "defect")
    shown = logs.getvalue()
    assert '"error": "RuntimeError"' in shown
    assert response.json()["error"]["request_id"] in shown
    assert "Roe" not in shown + response.text


def test_questions_beyond_those_that_may_wait_are_refused_and_none_waits_for_ever(
    tmp_path: Path,
) -> None:
    settings = Settings((), tmp_path, threads=1, limits=Limits(waiting=1, seconds=0.2))
    go = threading.Event()

    async def run() -> list[type | object]:
        workers = make_workers(settings)
        jobs = [asyncio.create_task(workers.run(go.wait, 5)) for _ in range(3)]
        results = await asyncio.gather(*jobs, return_exceptions=True)
        go.set()
        await asyncio.sleep(0.05)
        assert workers.running == 0
        again = await workers.run(str, 1)
        workers.close()
        return [*map(type, results), again]

    assert asyncio.run(run()) == [TimedOutError, TimedOutError, BusyError, "1"]


def test_metrics_are_for_this_machine_or_for_who_has_the_token(app: FastAPI) -> None:
    async def get(headers: dict[str, str]) -> httpx.Response:
        async with client(app) as http:
            return await http.get("/metrics", headers=headers)

    assert "posology_requests" in asyncio.run(get({})).text
    assert asyncio.run(get({"x-forwarded-for": "10.0.0.1"})).status_code == 401
    deployment = deployment_of(app)
    deployment.settings = replace(deployment.settings, metrics_token="secret")
    assert asyncio.run(get({})).status_code == 401
    assert asyncio.run(get({"authorization": "Bearer secret"})).status_code == 200


EDGE = "0001-01-01T00:00:00+14:00"
"""A moment that no calendar holds in UTC."""


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (
            "/outcomes",
            {
                "outcomes": [
                    {
                        **{"key": "a", "code": "OUTCOME//WARFARIN_DOSE", "value": 35.0},
                        **{"patient_id": "1", "observed_at": EDGE},
                    }
                ]
            },
        ),
        ("/recommendations", {"events": [{"code": "SEX//male", "time": EDGE}]}),
        (
            "/cds-services/warfarin/feedback",
            {
                "feedback": [
                    {
                        **{"card": "c", "outcome": "accepted", "outcomeTimestamp": EDGE},
                        "acceptedSuggestions": [{"id": "x"}],
                    }
                ]
            },
        ),
        ("/models/warfarin/history?at=0001-01-01T00:00:00%2B14:00", None),
    ],
)
def test_a_moment_that_no_calendar_holds_is_refused(
    app: FastAPI, path: str, body: dict | None
) -> None:
    response = asyncio.run(_send(app, path, body))
    assert response.status_code in (400, 422)
    assert "lies outside the years 1 to 9999; send a time within them" in response.text


async def _send(app: FastAPI, path: str, body: dict | None) -> httpx.Response:
    async with client(app) as http:
        return await (http.get(path) if body is None else http.post(path, json=body))


def test_an_empty_form_is_a_form(app: FastAPI) -> None:
    response = asyncio.run(_send(app, "/recommendations", {"form": {}}))
    assert response.status_code == 422
    assert "the policy knows none of its facts" not in response.text
