"""Bodies of calls: one that is right, and what is sent in its place."""

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from posology.conformance.calls.hooks import HOOKS, context_of
from posology.conformance.calls.patient import draft_of, id_of, is_draft
from posology.conformance.calls.prefetch import (
    Prefetch,
    damaged,
    failed,
    full_prefetch,
    nothing,
    of_another,
    paged,
)
from posology.conformance.calls.transcript import Kind, Service
from posology.records.sources.fhir.search import Resource

Body = dict[str, Any]
NO_SERVER = "http://127.0.0.1:9/fhir"
"""Port 9 (discard) of the service's own machine: nobody listens there."""
DEPTH = 10_000
"""Levels of the deep body; Python's own reader stops near 1,000."""


@dataclass(frozen=True, slots=True)
class RightCall:
    """A call as a client of good will makes it.

    Attributes:
        hooks: every hook at which the service's id is offered.
    """

    service: Service
    hooks: frozenset[str]
    patient: str
    context: dict[str, Any]
    prefetch: Prefetch


def right_call(service: Service, offered: list[Service], resources: list[Resource]) -> RightCall:
    """The call of a service for this patient, with everything that it wants."""
    hooks = frozenset(str(s.get("hook")) for s in offered if s.get("id") == service["id"])
    patient = id_of(resources)
    context = context_of(str(service.get("hook")), patient, draft_of(resources))
    templates = service.get("prefetch")
    record = [resource for resource in resources if not is_draft(resource)]
    prefetch = full_prefetch(templates if isinstance(templates, dict) else {}, context, record)
    return RightCall(service, hooks, patient, context, prefetch)


def body_of(call: RightCall, prefetch: Prefetch | None = None) -> Body:
    """The body, with other prefetch where it is given; a new hookInstance each time."""
    body: Body = {
        "hook": call.service.get("hook"),
        "hookInstance": str(uuid.uuid4()),
        "context": call.context,
    }
    sent = call.prefetch if prefetch is None else prefetch
    return body | {"prefetch": sent} if sent else body


def authorization(call: RightCall, token: str) -> Body:
    """Leave to read the patient's data, as the client's authorization server gives it."""
    return {
        "access_token": token,
        "token_type": "Bearer",
        "expires_in": 300,
        "scope": "patient/*.read",
        "subject": "posology-conform",
        "patient": call.patient,
    }


def prefetch_variants(call: RightCall) -> Iterator[tuple[Kind, Body]]:
    """Calls whose data are not all there."""
    whole = call.prefetch
    yield "no prefetch", body_of(call, {})
    yield (
        "server down",
        body_of(call, {})
        | {"fhirServer": NO_SERVER, "fhirAuthorization": authorization(call, "none")},
    )
    if not whole:
        return
    if len(whole) > 1:
        for key in whole:
            rest = {name: value for name, value in whole.items() if name != key}
            yield "one key withheld", body_of(call, rest)
    yield "every key null", body_of(call, nothing(whole))
    yield "every key failed", body_of(call, failed(whole))
    yield "first pages", body_of(call, paged(whole))
    yield "damaged data", body_of(call, damaged(whole))
    if any(value is not None for value in whole.values()):
        yield "another patient", body_of(call, of_another(whole, call.patient))


def odd_bodies(call: RightCall) -> Iterator[tuple[Kind, Any]]:
    """Calls whose frame is not as it should be."""
    right = body_of(call)
    context = call.context | {"unknownField": "x"}
    yield "unknown fields", right | {"unknownField": {"a": [1]}, "context": context}
    yield "extension", right | {"extension": {"com.posology.conform": {"note": "made up"}}}
    other = next(hook for hook in (*HOOKS, "posology-hook") if hook not in call.hooks)
    yield "another hook", right | {"hook": other}
    yield "bad hookInstance", right | {"hookInstance": "not-a-uuid"}
    for name in ("hook", "hookInstance", "context"):
        yield "incomplete", {key: value for key, value in right.items() if key != name}
    rest = {name: value for name, value in call.context.items() if name != "patientId"}
    yield "incomplete", right | {"context": rest}
    token = authorization(call, "none")
    yield "no fhirServer", right | {"fhirAuthorization": token}
    del token["patient"]
    yield "scope without patient", right | {"fhirServer": NO_SERVER, "fhirAuthorization": token}


def raw_bodies(call: RightCall, huge: int) -> Iterator[tuple[Kind, bytes]]:
    """What is no JSON object, or far too large.

    Args:
        huge: bytes of the large body.
    """
    for text in ("", "{", "[]", '"text"', "null", "{'hook': 1}"):
        yield "no JSON object", text.encode()
    yield "no JSON object", b'{"hook": "\xff\xfe"}'
    yield "nested deep", b'{"context": ' + b"[" * DEPTH + b"]" * DEPTH + b"}"
    yield "huge body", json.dumps(body_of(call) | {"padding": "x" * huge}).encode()
