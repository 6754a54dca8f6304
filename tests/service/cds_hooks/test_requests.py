from typing import Any

import pytest
from pydantic import ValidationError

from posology.service.cds_hooks.requests import Feedback, HookCall, issues_of
from tests.builders.hook_calls import call

GRANT = {
    "access_token": "abc",
    "token_type": "Bearer",
    "expires_in": 300,
    "scope": "patient/*.rs",
    "subject": "cds",
}


def _with(path: str, value: Any, hook: str = "patient-view") -> dict[str, Any]:
    body: Any = call(hook)
    *outer, last = path.split(".")
    inner = body
    for name in outer:
        inner = inner.setdefault(name, {})
    inner[last] = value
    return body


@pytest.mark.parametrize(
    "body",
    [
        call(),
        call("order-select"),
        call("order-sign"),
        call(prefetch=None),
        _with("prefetch.x", None),
        _with("extension", {"com.example.timestamp": "x"}),
        _with("context.encounterId", "e-1"),
        call(fhirServer="https://ehr.example/fhir", fhirAuthorization=GRANT),
        call(fhirServer="http://127.0.0.1:8092"),
    ],
)
def test_good_calls_are_taken(body: dict[str, Any]) -> None:
    assert HookCall.model_validate(body).context.patientId == "p-1"


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (call(hook=None), "hook"),
        (call(hookInstance=None), "hookInstance"),
        (call(hookInstance="1"), "hookInstance"),
        (call(context=None), "context"),
        (_with("context.patientId", "../../Patient/9"), "context.patientId"),
        (_with("context.patientId", "a?b=c"), "context.patientId"),
        (_with("context.patientId", "a\n"), "context.patientId"),
        (_with("context.patientId", ""), "context.patientId"),
        (_with("context.patientId", 7), "context.patientId"),
        (_with("context.userId", "Device/9"), "context.userId"),
        (_with("context.userId", "d-7"), "context.userId"),
        (_with("fhirServer", "file:///etc/passwd"), "fhirServer"),
        (_with("fhirServer", "https://user@evil.org"), "fhirServer"),
        (_with("fhirAuthorization", GRANT), "body"),
        (_with("prefetch", []), "prefetch"),
        (_with("prefetch.patient", "x"), "prefetch.patient"),
        (_with("context.selections", None, "order-select"), "body"),
        (_with("context.draftOrders", None, "order-sign"), "body"),
        (_with("context.draftOrders", [], "order-sign"), "context.draftOrders"),
    ],
)
def test_what_is_wrong_is_named_by_its_place_only(body: dict[str, Any], place: str) -> None:
    with pytest.raises(ValidationError) as error:
        HookCall.model_validate(body)
    issues = issues_of(error.value)
    assert place in [one[0] for one in issues]
    assert "passwd" not in str(issues)
    assert "evil" not in str(issues)


GOOD = {"card": "c-1", "outcome": "overridden", "outcomeTimestamp": "2026-11-28T09:00:00Z"}


@pytest.mark.parametrize(
    ("change", "is_good"),
    [
        ({}, True),
        ({"overrideReason": {"userComment": "x"}}, True),
        ({"overrideReason": {"reason": {"code": "a", "system": "b"}}}, True),
        ({"outcome": "accepted", "acceptedSuggestions": [{"id": "s-1"}]}, True),
        ({"outcome": "accepted"}, False),  # cds-fb-2
        ({"outcome": "accepted", "acceptedSuggestions": []}, False),
        ({"outcome": "ignored"}, False),  # cds-fb-1
        ({"overrideReason": {}}, False),  # cds-fb-3
        ({"outcomeTimestamp": "yesterday"}, False),
        ({"outcomeTimestamp": "2026-11-28T09:00:00"}, False),
        ({"card": ""}, False),
        ({"card": 7}, False),
    ],
)
def test_feedback(change: dict[str, Any], is_good: bool) -> None:
    body = {"feedback": [{**GOOD, **change}]}
    if is_good:
        assert Feedback.model_validate(body).feedback
    else:
        with pytest.raises(ValidationError):
            Feedback.model_validate(body)


def test_feedback_must_hold_reports() -> None:
    for body in ({}, {"feedback": []}, {"feedback": {}}, []):
        with pytest.raises(ValidationError):
            Feedback.model_validate(body)
