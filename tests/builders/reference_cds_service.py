"""A small correct CDS Hooks 2.0 service, with places where a test can break it."""

from __future__ import annotations

import asyncio
import base64
import json
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import jwt
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

JSON = dict[str, Any]
LARGEST = 30_000
"""Bytes of a body that the service reads."""
PREFETCH = {
    "patient": "Patient/{{context.patientId}}",
    "weights": "Observation?patient={{context.patientId}}&code=29463-7&_sort=-date&_count=1",
    "user": "Practitioner/{{userPractitionerId}}",
}
UNCHECKED = {"verify_aud": False, "verify_exp": False, "verify_nbf": False}
REASONS = "http://terminology.hl7.org/CodeSystem/non-adherence-reason-codes"


class RefusedError(Exception):
    """The call is answered with this status."""

    def __init__(self, status: int) -> None:
        self.status = status


def _same(value: Any) -> Any:
    return value


@dataclass(slots=True)
class ReferenceService:
    """The service as an ASGI application.

    Attributes:
        keys: public JWKs of the clients allowed, by kid; None wants no token.
        edit_discovery, edit_reply, edit_response: change what is sent.
        leave_out: checks that the service forgets, by name.
        origins: browsers' clients that are allowed.
        hooks: where the service is offered.
    """

    keys: dict[str, JSON] | None = None
    issuer: str = ""
    edit_discovery: Callable[[JSON], Any] = _same
    edit_reply: Callable[[JSON], Any] = _same
    edit_response: Callable[[Request, Response], Response] = lambda _request, response: response
    leave_out: frozenset[str] = frozenset()
    origins: tuple[str, ...] = ()
    hooks: tuple[str, ...] = ("order-sign",)
    used: set[str] = field(default_factory=set)
    discoveries: int = 0
    in_flight: int = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            response = await self._answer(request)
        except RefusedError as refusal:
            outcome = {"resourceType": "OperationOutcome", "issue": [{"severity": "error"}]}
            response = JSONResponse(outcome, refusal.status)
        await self.edit_response(request, response)(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        parts = [part for part in request.url.path.split("/") if part]
        if request.method == "OPTIONS":
            return self._preflight(request)
        verify(self, request)
        if parts == ["cds-services"] and request.method == "GET":
            self.discoveries += 1
            return JSONResponse(self.edit_discovery(discovery(self.hooks)))
        if len(parts) not in {2, 3} or parts[0] != "cds-services":
            raise RefusedError(404)
        if parts[1] != "dose-advisor" and "unknown" not in self.leave_out:
            raise RefusedError(404)
        if request.method != "POST":
            raise RefusedError(405)
        body = await read_json(self, request)
        if parts[2:] == ["feedback"]:
            take_feedback(self, body)
            return Response(status_code=200)
        self.in_flight += 1
        await asyncio.sleep(0)
        if self.in_flight > 1 and "burst" in self.leave_out:
            raise RefusedError(500)
        try:
            return JSONResponse(self.edit_reply(await judge(self, body)))
        finally:
            self.in_flight -= 1

    def _preflight(self, request: Request) -> Response:
        origin = request.headers.get("origin", "")
        if origin not in self.origins:
            return Response(status_code=400)
        return Response(
            status_code=204,
            headers={
                "Access-Control-Allow-Origin": origin,
                "Access-Control-Allow-Methods": "GET, POST",
                "Access-Control-Allow-Headers": "Authorization, Content-Type",
            },
        )


def verify(service: ReferenceService, request: Request) -> None:
    """Refuse (401) every token but a valid one for this endpoint."""
    if service.keys is None:
        return
    _kind, _, token = request.headers.get("authorization", "").partition(" ")
    leave_out = service.leave_out
    is_open = "open discovery" in leave_out and request.method == "GET"
    if is_open or (not token and "token" in leave_out):
        return
    if "wants jku" in leave_out:
        raise RefusedError(401)
    try:
        header = jwt.get_unverified_header(token)
        claims = jwt.decode(token, options={"verify_signature": False})
        if "signature" not in leave_out:
            _check_header(service, header)
            key = jwt.PyJWK(service.keys[header["kid"]]).key
            jwt.decode(token, key, ["ES384"], options=UNCHECKED)
        _check_claims(service, claims, str(request.url))
    except (jwt.PyJWTError, KeyError, ValueError) as error:
        if header_is(token, service.leave_out):
            return
        raise RefusedError(401) from error


def header_is(token: str, kinds: frozenset[str]) -> bool:
    """Whether the token has a header that a broken service accepts without looking further."""
    try:
        header = json.loads(base64.urlsafe_b64decode(token.partition(".")[0] + "=="))
    except ValueError:
        return bool(token) and "garbage" in kinds
    signature = token.rpartition(".")[2]
    found = {
        "none": str(header.get("alg")).lower() == "none",
        "symmetric": str(header.get("alg")).startswith("HS"),
        "zero": signature == "A" * 128,
        "changed": header.get("alg") == "ES384" and not signature,
        "kid": header.get("kid") == "../../dev/null",
        **{name: name in header for name in ("jku", "jwk", "x5c", "crit")},
    }
    return any(found.get(kind, False) for kind in kinds)


def _check_header(service: ReferenceService, header: JSON) -> None:
    if header.keys() & {"jku", "jwk", "x5c", "crit"} or header.get("typ") != "JWT":
        raise jwt.InvalidTokenError


def _check_claims(service: ReferenceService, claims: JSON, endpoint: str) -> None:
    now = time.time()
    wrong = {
        "aud": "elsewhere.example" in str(claims.get("aud", "elsewhere.example")),
        "endpoint": claims.get("aud") != endpoint and "elsewhere.example" not in str(claims),
        "exp": claims.get("exp", now + 9) < now,
        "nbf": claims.get("nbf", 0) > now,
        "issuer": claims.get("iss") != service.issuer,
        "claims": not claims.keys() >= {"exp", "iat", "jti"},
        "replay": claims.get("jti") in service.used,
    }
    if any(is_wrong for name, is_wrong in wrong.items() if name not in service.leave_out):
        raise jwt.InvalidTokenError
    service.used.add(claims.get("jti", ""))


def discovery(hooks: tuple[str, ...]) -> JSON:
    """One id for all hooks: the cards of a later hook replace those of an earlier one."""
    entry = {
        "id": "dose-advisor",
        "title": "Dose advisor",
        "description": "Advises a dose.",
        "usageRequirements": "None.",
        "extension": {"com.example.dose": {"since": "2026"}},
    }
    return {"services": [{"hook": hook} | entry | {"prefetch": dict(PREFETCH)} for hook in hooks]}


async def read_json(service: ReferenceService, request: Request) -> JSON:
    """The body as an object: 413 where it is too large, 400 where it is none."""
    content = await request.body()
    if len(content) > LARGEST:
        raise RefusedError(500 if "huge" in service.leave_out else 413)
    try:
        body = json.loads(content)
    except (ValueError, RecursionError) as error:
        is_deep = isinstance(error, RecursionError) and "deep" in service.leave_out
        raise RefusedError(500 if is_deep else 400) from error
    if not isinstance(body, dict):
        raise RefusedError(500 if "not-json" in service.leave_out else 400)
    return body


async def judge(service: ReferenceService, body: JSON) -> JSON:
    """The cards for a call, or the status with which it is refused."""
    hook, context = body.get("hook"), body.get("context")
    crash = service.leave_out
    if hook is None or "hookInstance" not in body or not isinstance(context, dict):
        raise RefusedError(500 if "incomplete" in crash else 400)
    if hook not in service.hooks and "other-hook" not in crash:
        raise RefusedError(400)
    if not _is_uuid(body["hookInstance"]) and "bad-uuid" not in crash:
        raise RefusedError(400)
    if "unknown-fields" in crash and "unknownField" in body:
        raise RefusedError(400)
    if "extension" in crash and "extension" in body:
        raise RefusedError(400)
    if "fhirAuthorization" in body and "fhirServer" not in body:
        raise RefusedError(500 if "r-1" in crash else 400)
    token = body.get("fhirAuthorization") or {}
    if "r-2" in crash and token and "patient" not in token:
        raise RefusedError(500)
    patient = context.get("patientId")
    data = {name: await _obtain(service, body, name) for name in PREFETCH}
    if data["patient"] is None or not isinstance(patient, str):
        raise RefusedError(412)
    if data["patient"].get("id") != patient and "wrong-patient" not in crash:
        raise RefusedError(400)
    return reply(hook, patient)


def _is_uuid(value: Any) -> bool:
    try:
        return str(uuid.UUID(value)) == value
    except (ValueError, TypeError, AttributeError):
        return False


async def _obtain(service: ReferenceService, body: JSON, name: str) -> Any:
    """One key of the prefetch, fetched where it is withheld or failed."""
    prefetch = body.get("prefetch", {})
    value = prefetch.get(name, {"resourceType": "OperationOutcome"})
    if value is None:
        if "null" in service.leave_out:
            raise RefusedError(500)
        return None
    if not isinstance(value, dict) or not all(
        isinstance(entry, dict) and "resource" in entry for entry in value.get("entry", [])
    ):
        raise RefusedError(500 if "truncated" in service.leave_out else 422)
    if "link" in value and "paged" in service.leave_out:
        raise RefusedError(500)
    if value.get("resourceType") != "OperationOutcome":
        return value
    if name in prefetch and "outcome" in service.leave_out:
        raise RefusedError(500)
    return await _fetch(service, body, name)


async def _fetch(service: ReferenceService, body: JSON, name: str) -> Any:
    token = body.get("fhirAuthorization", {}).get("access_token", "")
    if not token or ":9/" in body["fhirServer"] or "fetch" in service.leave_out:
        forgets = "412" in service.leave_out and name not in body.get("prefetch", {})
        raise RefusedError(400 if forgets else 412)
    if "access token" in service.leave_out:
        token = "forgotten"
    context = body["context"]
    query = (
        PREFETCH[name]
        .replace("{{context.patientId}}", context["patientId"])
        .replace("{{userPractitionerId}}", context["userId"].partition("/")[2])
    )
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(trust_env=False, verify=False) as client:
        found = await client.get(f"{body['fhirServer']}/{query}", headers=headers)
    if found.status_code != 200:
        raise RefusedError(412)
    return found.json()


def take_feedback(service: ReferenceService, body: JSON) -> None:
    """Refuse (400) feedback that breaks an invariant of the model."""
    for entry in body["feedback"]:
        outcome = entry.get("outcome")
        broken = {
            "fb-1": outcome not in {"accepted", "overridden"},
            "fb-2": outcome == "accepted" and not entry.get("acceptedSuggestions"),
            "fb-3": entry.get("overrideReason") == {},
        }
        if any(is_broken for name, is_broken in broken.items() if name not in service.leave_out):
            raise RefusedError(400)
        key = json.dumps(entry, sort_keys=True)
        if key in service.used and "twice" in service.leave_out:
            raise RefusedError(409)
        if "feedback" in service.leave_out:
            raise RefusedError(500)
        service.used.add(key)


def reply(hook: str, patient: str) -> JSON:
    """A reply that has everything that a card can have."""
    order = {
        "resourceType": "MedicationRequest",
        "status": "draft",
        "intent": "order",
        "subject": {"reference": f"Patient/{patient}"},
    }
    card = {
        "uuid": str(uuid.uuid4()),
        "summary": "Start with 16 mg a week",
        "detail": "Of 100 patients **21 more** are in range.",
        "indicator": "info",
        "source": {
            "label": "Dose advisor",
            "url": "https://dose.example/about",
            "icon": "https://dose.example/icon.png",
            "topic": {"system": "https://dose.example", "code": "dose", "display": "Dose"},
        },
        "suggestions": [
            {
                "label": "Low start",
                "uuid": str(uuid.uuid4()),
                "isRecommended": True,
                "actions": [
                    {"type": "create", "description": "Order 16 mg", "resource": order},
                    {
                        "type": "update",
                        "description": "Change to 16 mg",
                        "resource": order | {"id": "order-1"},
                    },
                    {
                        "type": "delete",
                        "description": "Stop the old order",
                        "resourceId": "MedicationRequest/order-2",
                    },
                ],
            },
            {"label": "As usual", "uuid": str(uuid.uuid4()), "isRecommended": False},
        ],
        "selectionBehavior": "at-most-one",
        "overrideReasons": [
            {"system": REASONS, "code": "patient-ineligible", "display": "Not for this patient"}
        ],
        "links": [
            {"label": "Why", "url": "https://dose.example/why", "type": "absolute"},
            {
                "label": "Open",
                "url": "https://dose.example/launch",
                "type": "smart",
                "appContext": "answer=1",
            },
        ],
    }
    body: JSON = {"cards": [card]}
    if hook == "order-sign":
        body["systemActions"] = [
            {"type": "create", "description": "Note the advice", "resource": order}
        ]
    return body
