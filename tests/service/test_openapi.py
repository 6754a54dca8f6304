"""The API as it is published, and random requests that follow or break it: none is a defect."""

import asyncio
import json
import os
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable

from tests.builders.service import client, deployment_of

GOLDEN = Path(__file__).parent / "openapi.json"
WRITE = "POSOLOGY_WRITE_GOLDEN"
DOCS = Path(__file__).parents[2] / "docs" / "service.md"


def test_the_api_is_the_one_that_was_published(app: FastAPI) -> None:
    found = app.openapi()
    found["info"]["version"] = "any"
    text = json.dumps(found, indent=1, sort_keys=True) + "\n"
    if os.environ.get(WRITE):
        GOLDEN.write_text(text)
    assert text == GOLDEN.read_text(), f"review the change, then run with {WRITE}=1"


def test_every_address_of_the_api_stands_in_its_docs() -> None:
    """Those of CDS Hooks are the standard's; `resume` stands beside the whole address of `stop`."""
    docs = DOCS.read_text()
    paths = [path for path in json.loads(GOLDEN.read_text())["paths"] if "cds" not in path]
    named = [path.replace("{name}", "NAME").replace("{answer_id}", "ID") for path in paths]
    assert len(named) > 10
    for path in named:
        short = path.removeprefix("/models/NAME/")
        assert any(f"{p}{end}" in docs for p in (path, f"`{short}") for end in "`? "), path


PATHS = (
    ("POST", "/recommendations"),
    ("GET", "/recommendations/{answer_id}"),
    ("POST", "/outcomes"),
    ("GET", "/models/{name}/history"),
    ("POST", "/models/{name}/stop"),
    ("POST", "/models/{name}/swap"),
    ("POST", "/models/{name}/challenger"),
    ("POST", "/cds-services/{name}"),
    ("POST", "/cds-services/{name}/feedback"),
)
"""What of a request may be anything. `cds_hooks/test_damaged_calls.py` has more of CDS Hooks."""


@pytest.mark.parametrize(("method", "path"), PATHS)
def test_no_random_request_is_an_unhandled_error(app: FastAPI, method: str, path: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import schemathesis
        from schemathesis.generation import GenerationMode

    published = json.loads(GOLDEN.read_text())  # what the app has, says the first test
    operation = schemathesis.openapi.from_dict(published)[path][method]
    statuses: set[int] = set()

    async def send(case: Any) -> httpx.Response:
        async with client(app) as http:
            request = case.as_transport_kwargs()
            return await http.request(
                case.method,
                case.formatted_path.replace("{name}", "warfarin"),
                json=request.get("json"),
                content=request.get("data") if isinstance(request.get("data"), bytes) else None,
                headers={k: v for k, v in (request.get("headers") or {}).items() if v.isascii()},
            )

    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):

        @seed(7)
        @settings(
            max_examples=3,
            phases=[Phase.generate],
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def run(case: Any) -> None:
            statuses.add(asyncio.run(send(case)).status_code)

        with suppress(Unsatisfiable):  # a request without a body or a query cannot break the schema
            run()
    assert statuses
    assert not {status for status in statuses if status >= 500}
    assert deployment_of(app).metrics.defects._value.get() == 0
