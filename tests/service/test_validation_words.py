"""Every way in which a request can be wrong is said in plain words, without a value."""

import asyncio
import gzip
from typing import Any

import httpx
from fastapi import FastAPI

from tests.builders.service import FORM, client

CANARY = "Zwitscherling"
OUTCOME = {"key": "k", "code": "MEDS_DEATH", "observed_at": "2026-05-01T08:00:00Z"}
JARGON = (
    "type",
    "parsing",
    "forbidden",
    "pydantic",
    "model_",
    "input should",
    "_error",
    "field req",
)


def send(app: FastAPI, method: str, path: str, **given: Any) -> httpx.Response:
    async def run() -> httpx.Response:
        async with client(app) as http:
            return await http.request(method, path, **given)

    return asyncio.run(run())


CASES: list[tuple[str, Any, str]] = [
    ("/outcomes", {}, "outcomes: is missing; send it."),
    ("/outcomes", [], "the body: is a list; send an object."),
    ("/outcomes", None, "the body: is missing; send it."),
    ("/outcomes", {"outcomes": CANARY}, "outcomes: is a text; send a list."),
    ("/outcomes", {"outcomes": []}, "outcomes: is empty; send at least one."),
    ("/outcomes", {"outcomes": [7]}, "outcomes.0: is a number; send an object."),
    (
        "/outcomes",
        {"outcomes": [OUTCOME | {"observed_at": CANARY}]},
        "outcomes.0.observed_at: is a text; send a date and time with its zone, such as "
        "2026-05-01T08:00:00Z.",
    ),
    (
        "/outcomes",
        {"outcomes": [OUTCOME | {"key": ""}]},
        "outcomes.0.key: is empty; send a text.",
    ),
    (
        "/outcomes",
        {"outcomes": [OUTCOME | {"key": CANARY * 20}]},
        "outcomes.0.key: has more than 200 characters; shorten it.",
    ),
    (
        "/outcomes",
        {"outcomes": [OUTCOME | {"answer": f"{CANARY} ?"}]},
        "outcomes.0.answer: is a text of another form; send one that matches "
        "^[A-Za-z0-9_-]{0,43}$.",
    ),
    (
        "/outcomes",
        {"outcomes": [OUTCOME] * 1001},
        "outcomes: has more than 1,000 entries; send them in several requests.",
    ),
    ("/recommendations", {"form": FORM, "at": 7}, "at: is a number; send a text."),
    (
        "/recommendations",
        {"form": FORM, "reasons": CANARY},
        "reasons: is a text; send true or false.",
    ),
    ("/recommendations", {"form": [CANARY]}, "form: is a list; send an object."),
    ("/recommendations", {"events": {}}, "events: is an object; send a list."),
    (
        "/recommendations",
        {"events": [{"code": None}]},
        "events.0.code: is null; send a text.",
    ),
]


def test_a_field_that_is_wrong_is_named_with_its_mend(app: FastAPI) -> None:
    for path, body, problem in CASES:
        response = send(app, "POST", path, json=body)
        error = response.json()["error"]
        assert (response.status_code, error.get("problems")) == (422, [problem]), error
        assert error["message"] == f"The request does not fit. {problem}"
        assert CANARY not in response.text
        assert not [word for word in JARGON if word in response.text.lower()], response.text


def test_a_query_that_is_wrong_is_named_as_one(app: FastAPI) -> None:
    error = send(app, "GET", "/models/warfarin/history?at=soon").json()["error"]
    assert error["problems"] == [
        "query at: is a text; send a date and time with its zone, such as 2026-05-01T08:00:00Z."
    ]


def test_a_body_with_another_content_type_is_a_415_with_the_mend(app: FastAPI) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        headers = {"content-type": kind} if kind else {}
        response = send(app, "POST", "/recommendations", content=b'{"form": {}}', headers=headers)
        error = response.json()["error"]
        assert (response.status_code, error["code"]) == (415, "not_json")
        assert error["message"] == (
            "The body was not sent as JSON; send it with the header Content-Type: application/json."
        )


def test_a_wrong_address_or_method_is_said_with_the_mend(app: FastAPI) -> None:
    """A slash at the end once was an empty 307 to an address that the token was not made for."""
    for method, path, status, message in (
        (
            "GET",
            "/nothing",
            404,
            "There is nothing at this address; /openapi.json lists the addresses.",
        ),
        (
            "POST",
            "/outcomes/",
            404,
            "There is nothing at this address; take the slash off its end.",
        ),
        ("GET", "/models/", 404, "There is nothing at this address; take the slash off its end."),
        ("DELETE", "/outcomes", 405, "This address does not take DELETE, but POST."),
    ):
        response = send(app, method, path)
        assert (response.status_code, response.json()["error"]["message"]) == (status, message)


def test_health_is_answered_to_a_load_balancer_s_head(app: FastAPI) -> None:
    for path in ("/health", "/ready"):
        assert send(app, "HEAD", path).status_code == 200


def test_a_compressed_body_is_refused_and_never_unpacked(app: FastAPI) -> None:
    """It once read "The body is not JSON"."""
    bomb = gzip.compress(b" " * 1_000_000)
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    response = send(app, "POST", "/recommendations", content=bomb, headers=headers)
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (415, "encoded")
    assert error["message"] == "Compressed bodies are not read; send it without Content-Encoding."


def test_many_wrong_fields_are_counted(app: FastAPI) -> None:
    response = send(app, "POST", "/outcomes", json={"outcomes": [7] * 25})
    error = response.json()["error"]
    assert len(error["problems"]) == 20
    assert error["message"].endswith(" And 5 more.")
