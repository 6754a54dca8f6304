"""Whatever a service sends, the tester ends with a report, or with an error that names the mend."""

import asyncio
import copy
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.responses import Response

from posology.conformance.calls.converse import Play
from posology.conformance.examine import Examination, examine_with
from posology.conformance.report.page import report_page
from posology.conformance.report.text import report_text
from posology.conformance.statements import STATEMENTS
from tests.builders.asgi_client import AsgiClient
from tests.builders.reference_cds_service import ReferenceService

QUICK = Play(huge=1_000, repeats=1, burst=1)
ODD = st.sampled_from([None, True, 7, -1.5, "", " ", "x", "\ud7ff\u202e", [], [None], {}, {"a": 1}])


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value inside."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    found = []
    for key, one in items:
        found.append((*path, key))
        if isinstance(one, dict | list):
            found += places(one, (*path, key))
    return found


def changed(body: Any, where: int, value: Any) -> Any:
    """The body with one of its values replaced."""
    body = copy.deepcopy(body)
    *path, last = (found := places(body))[where % len(found)]
    target = body
    for key in path:
        target = target[key]
    target[last] = value
    return body


def examine(service: ReferenceService) -> Examination:
    examination = asyncio.run(examine_with(AsgiClient(service), "http://127.0.0.1", QUICK))
    assert len(report_text(examination).splitlines()) > 100
    assert report_page(examination).endswith("</html>")
    return examination


@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 10_000), ODD, st.booleans())
def test_one_odd_value_anywhere_is_no_crash(where: int, value: Any, in_discovery: bool) -> None:
    def edit(body: Any) -> Any:
        return changed(body, where, value)

    service = (
        ReferenceService(edit_discovery=edit) if in_discovery else ReferenceService(edit_reply=edit)
    )
    found = [finding.statement.id for finding in examine(service).findings]
    assert sorted(found) == sorted(STATEMENTS)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"<html>",
        b"[" * 50_000,
        b'{"cards":' * 500 + b"1" + b"}" * 500,
        b"[1e999]",
    ],
)
def test_what_is_no_reply_fails_as_no_json(content: bytes) -> None:
    def edit(request: Request, response: Response) -> Response:
        is_call = request.method == "POST" and response.status_code == 200
        return Response(content, media_type="application/json") if is_call else response

    failed = {
        f.statement.id
        for f in examine(ReferenceService(edit_response=edit)).findings
        if f.verdict == "failed"
    }
    assert failed & {"cds-1", "cds-74"}


def test_a_key_that_stands_twice_is_a_fault() -> None:
    def edit(request: Request, response: Response) -> Response:
        if request.method != "GET":
            return response
        text = json.dumps({"services": [{"id": "a", "hook": "patient-view", "description": "x"}]})
        twice = text.replace('"id"', '"prefetch": {"p": "Patient/1", "p": "Patient/2"}, "id"')
        return Response(twice, media_type="application/json")

    found = {f.statement.id: f for f in examine(ReferenceService(edit_response=edit)).findings}
    assert found["cds-36"].faults[0].what == "the key 'p' stands twice"
