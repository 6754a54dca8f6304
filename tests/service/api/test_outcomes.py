"""`POST /outcomes`: sent twice it is kept once, sent otherwise it is a correction."""

import asyncio
import datetime
from typing import Any

import httpx
from fastapi import FastAPI
from sqlalchemy import select

from posology.service.store.tables import OUTCOMES
from tests.builders.service import client, deployment_of

FIRST = {"key": "lab-1", "code": "INR", "value": 2.5, "observed_at": "2026-05-01T08:00:00Z"}


def post(app: FastAPI, *outcomes: dict[str, Any]) -> httpx.Response:
    async def send() -> httpx.Response:
        async with client(app) as http:
            return await http.post("/outcomes", json={"outcomes": outcomes})

    return asyncio.run(send())


def test_an_outcome_is_kept_once_and_every_correction_stays(app: FastAPI) -> None:
    assert post(app, FIRST).json() == {"results": ["kept"]}
    assert post(app, FIRST, FIRST | {"key": "lab-2"}).json() == {"results": ["known", "kept"]}
    assert post(app, FIRST | {"value": 3.5}).json() == {"results": ["corrected"]}
    assert post(app, FIRST | {"value": 3.5}).json() == {"results": ["known"]}
    query = select(OUTCOMES.c.version, OUTCOMES.c.value).where(OUTCOMES.c.key.endswith("lab-1"))
    rows = deployment_of(app).store.read_now(lambda c: c.execute(query).all())
    assert sorted(map(tuple, rows)) == [(1, 2.5), (2, 3.5)]


def test_an_outcome_that_does_not_fit_is_refused_and_not_repeated(app: FastAPI) -> None:
    response = post(app, FIRST | {"value": "Jane Roe"}, FIRST | {"colour": "Jane Roe"})
    assert response.status_code == 422
    assert response.json()["error"]["message"] == (
        "The request does not fit: body.outcomes.0.value: float parsing; body.outcomes.1.[...]: "
        "extra forbidden."
    )
    assert "Roe" not in response.text


def test_an_observation_of_the_future_is_refused_and_named(app: FastAPI) -> None:
    def at(**ahead: float) -> str:
        return (datetime.datetime.now(datetime.UTC) + datetime.timedelta(**ahead)).isoformat()

    late = FIRST | {"key": "lab-9", "observed_at": at(minutes=7)}
    response = post(app, FIRST, late, late | {"observed_at": at(days=2)})
    assert response.status_code == 422
    assert response.json()["error"]["problems"] == [
        "outcomes.1.observed_at lies in the future; send what was observed, once it was.",
        "outcomes.2.observed_at lies in the future; send what was observed, once it was.",
    ]
    assert deployment_of(app).store.read_now(lambda c: c.execute(select(OUTCOMES)).all()) == []
    assert post(app, FIRST | {"observed_at": at(minutes=4)}).json() == {"results": ["kept"]}
