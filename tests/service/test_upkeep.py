"""A database that is away: refused with Retry-After, not ready, and well again by itself."""

import asyncio
import contextlib
from io import StringIO

import pytest
from fastapi import FastAPI
from sqlalchemy.exc import OperationalError

from posology.service import upkeep
from posology.service.logs import make_log
from tests.builders.service import FORM, client, deployment_of

GONE = OperationalError("INSERT INTO answers VALUES (?)", ("Canary",), Exception("connection lost"))


async def _gone(*_args: object) -> None:
    raise GONE


@pytest.mark.parametrize("path", ["/recommendations", "/cds-services/warfarin/feedback"])
def test_a_database_that_is_away_is_no_defect(
    app: FastAPI, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    deployment, log = deployment_of(app), StringIO()
    deployment.log = make_log(log)
    monkeypatch.setattr(type(deployment.store), "write", _gone)
    feedback = {
        "card": "c1d2e3f4-0000-4000-8000-000000000001",
        "outcome": "accepted",
        "acceptedSuggestions": [{"id": "c1d2e3f4-0000-4000-8000-000000000002"}],
        "outcomeTimestamp": "2026-11-28T10:00:00Z",
    }
    body = {"form": FORM} if path == "/recommendations" else {"feedback": [feedback]}

    async def run() -> tuple[int, str, str]:
        async with client(app) as http:
            response = await http.post(path, json=body)
            return response.status_code, response.text, response.headers.get("retry-after", "")

    status, text, retry_after = asyncio.run(run())
    assert (status, retry_after) == (503, "5")
    assert "database does not answer, so nothing can be recorded" in text
    assert ("OperationOutcome" in text) == path.startswith("/cds-services")
    logged = log.getvalue()
    assert '"event": "store_away"' in logged
    assert "Canary" not in text + logged
    assert deployment.metrics.defects._value.get() == 0


def test_a_service_without_its_database_is_not_ready_until_it_is_back(
    app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment = deployment_of(app)
    monkeypatch.setattr(upkeep, "_FOLLOW_SECONDS", 0.0)

    async def look() -> tuple[int, int]:
        task = asyncio.create_task(upkeep.keep_up(deployment))
        async with client(app) as http:
            for _ in range(200):
                await asyncio.sleep(0.005)
                if deployment.is_store_away != was_away:
                    break
            ready, health = await http.get("/ready"), await http.get("/health")
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        return ready.status_code, health.status_code

    was_away = False
    with monkeypatch.context() as away:
        away.setattr(type(deployment.store), "read", _gone)
        assert asyncio.run(look()) == (503, 200)
    was_away = True
    assert asyncio.run(look()) == (200, 200)
