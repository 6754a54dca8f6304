"""Our own service broken in one place: what is wrong, and which statements must fail for it."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from posology.service.cds_hooks import cors, discovery, gather, state
from posology.service.cds_hooks.prefetch import ABSENT
from posology.service.deployment import Deployment
from posology.service.fhir.client import FhirAccess
from posology.service.tokens.claims import Claims
from posology.service.tokens.identify import identify_by_token, make_verifier
from posology.service.tokens.refusal import TokenError
from posology.service.tokens.verify import TokenVerifier
from tests.builders.own_cds_service import Edit, Reply

Patch = Callable[[pytest.MonkeyPatch, Deployment], None]
Json = dict[str, Any]
DISCOVERY = "/cds-services"


def nothing(*_anything: object) -> None:
    """An edit or a patch that changes nothing."""


@dataclass(frozen=True, slots=True)
class OwnFault:
    """One fault.

    Attributes:
        fails: every statement that must fail, and no other.
        edit: what is sent in place of a reply, as a route that is wrong would send it.
        patch: what is wrong inside.
        url: where the service seems to stand.
        opens: what of tester and service it needs: "tokens" (and "calls" beside them), "fhir",
            "browser".
    """

    name: str
    fails: frozenset[str]
    edit: Edit = nothing
    patch: Patch = nothing
    url: str = "http://127.0.0.1:8000"
    opens: frozenset[str] = field(default_factory=frozenset)


def _sent(name: str, fails: str, edit: Edit) -> OwnFault:
    return OwnFault(name, frozenset(fails.split()), edit)


def _inside(name: str, fails: str, patch: Patch, opens: str = "") -> OwnFault:
    return OwnFault(name, frozenset(fails.split()), patch=patch, opens=frozenset(opens.split()))


def _is_discovery(reply: Reply) -> bool:
    return reply.method == "GET" and reply.path == DISCOVERY


def _is_answer(reply: Reply) -> bool:
    return reply.method == "POST" and reply.status == 200 and not reply.path.endswith("feedback")


def _discovery(name: str, fails: str, **changes: Any) -> OwnFault:
    """Fields of the reply to discovery; `status` is that of the reply."""

    def edit(reply: Reply) -> None:
        if _is_discovery(reply):
            reply.status = changes.get("status", reply.status)
            others = {key: value for key, value in changes.items() if key != "status"}
            reply.body = reply.body | others if reply.status < 300 else {}

    return _sent(name, fails, edit)


def _entry(name: str, fails: str, **changes: Any) -> OwnFault:
    """Fields of every service that is offered; `...` removes one."""

    def edit(reply: Reply) -> None:
        if _is_discovery(reply):
            for entry in reply.body["services"]:
                _change(entry, changes)

    return _sent(name, fails, edit)


def _template(name: str, fails: str, template: object, key: str = "user") -> OwnFault:
    """One more prefetch template."""

    def edit(reply: Reply) -> None:
        if _is_discovery(reply):
            reply.body["services"][0]["prefetch"][key] = template

    return _sent(name, fails, edit)


def _change(part: Json, changes: Json) -> None:
    for key, value in changes.items():
        if value is ...:
            del part[key]
        else:
            part[key] = value


def _answer(name: str, fails: str, path: str, **changes: Any) -> OwnFault:
    """Fields of a part of every answer, at a path such as "cards.0.source"; `...` removes one."""

    def edit(reply: Reply) -> None:
        part = reply.body
        if not _is_answer(reply) or (path and not part["cards"]):
            return
        for step in path.split(".") if path else ():
            part = part[int(step)] if step.isdigit() else part[step]
        _change(part, changes)

    return _sent(name, fails, edit)


def _later(reply: Reply, seen: list[Reply]) -> None:
    """Discovery goes away after its first call."""
    if _is_discovery(reply):
        seen.append(reply)
        reply.status = 200 if len(seen) == 1 else 503


def _fails_later() -> OwnFault:
    seen: list[Reply] = []
    return _sent("discovery goes away", "cds-5", lambda reply: _later(reply, seen))


def _as_text(reply: Reply) -> None:
    reply.headers["content-type"] = "text/plain"


def _no_endpoint(reply: Reply) -> None:
    if reply.method == "POST":
        reply.status, reply.body = 404, {}


FOUND = (
    _discovery("discovery elsewhere", "cds-4", status=404),
    _fails_later(),
    _discovery("services is an object", "cds-6", services={"warfarin": {"hook": "order-sign"}}),
    _discovery("discovery has status 203", "cds-13", status=203),
    _entry("no hook", "cds-7", hook=...),
    _entry("no description", "cds-9", description=...),
    _entry("a number as id", "cds-10", id=7),
    _sent("no endpoint", "cds-16", _no_endpoint),
    _entry("templates in an array", "cds-29", prefetch=["Patient/1"]),
    _template("an empty key", "cds-36", "Practitioner/1", key=""),
    _template("single braces", "cds-55", "Practitioner/{userPractitionerId}"),
    _template("an unknown token", "cds-56", "Practitioner/{{today()}}"),
    _template("a structure as token", "cds-57", "Practitioner/{{context.draftOrders}}"),
    _template("a field without context", "cds-59", "Practitioner/{{userId}}"),
)

_CARD, _SOURCE, _TOPIC = "cards.0", "cards.0.source", "cards.0.source.topic"
_SUGGESTION, _REASON = "cards.0.suggestions.0", "cards.0.overrideReasons.0"
_UPDATE = "cards.0.suggestions.0.actions.0"
_DELETE, _CREATE = "cards.0.suggestions.1.actions.0", "cards.0.suggestions.1.actions.1"
_LATER_REASON = "cards.0.overrideReasons.1"
_LINK = "cards.0.links.0"

ANSWERS = (
    _answer("cards as object", "cds-74", "", cards={"summary": "low start"}),
    _answer("system actions as object", "cds-75", "", systemActions={"type": "create"}),
    _answer("uuid as number", "cds-80", _CARD, uuid=7),
    _answer("summary of 140", "cds-83", _CARD, summary="x" * 140),
    _answer("detail as object", "cds-85", _CARD, detail={"text": "x"}),
    _answer("HTML in a card", "own-html", _CARD, detail="<b>low start</b>"),
    _answer("no indicator", "cds-87", _CARD, indicator=...),
    _answer("indicator of version 1.0", "cds-88", _CARD, indicator="hard-stop"),
    _answer("no source", "cds-90", _CARD, source=...),
    _answer("suggestions as object", "cds-92", _CARD, suggestions={"label": "x"}),
    _answer("no selectionBehavior", "cds-93 cds-resp-6", _CARD, selectionBehavior=...),
    _answer("another selectionBehavior", "cds-95", _CARD, selectionBehavior="all"),
    _answer("selectionBehavior as array", "cds-96", _CARD, selectionBehavior=["any"]),
    _answer("reasons as object", "cds-98", _CARD, overrideReasons={"code": "x"}),
    _answer("reason without display", "cds-100 cds-resp-4", _REASON, display=...),
    _answer("links as object", "cds-103", _CARD, links={"url": "x"}),
    _answer("no label of the source", "cds-105", _SOURCE, label=...),
    _answer("relative url of the source", "cds-107", _SOURCE, url="/model/warfarin"),
    _answer("relative icon", "cds-111", _SOURCE, icon="icon.png"),
    _answer("topic as text", "cds-115", _SOURCE, topic="dose"),
    _answer("no label of a suggestion", "cds-117", _SUGGESTION, label=...),
    _answer("uuid of a suggestion as number", "cds-119", _SUGGESTION, uuid=7),
    _answer("isRecommended as text", "cds-121", _SUGGESTION, isRecommended="yes"),
    _answer("actions as object", "cds-124", _SUGGESTION, actions={"type": "create"}),
    _answer("another action", "cds-127", _CREATE, type="replace"),
    _answer("blank description", "cds-128", _CREATE, description=" "),
    _answer("resource as text", "cds-130", _CREATE, resource="MedicationRequest/1"),
    _answer("create without resource", "cds-131", _CREATE, resource=...),
    _answer("update without the resource", "cds-132", _UPDATE, resource=...),
    _answer("delete with a resource", "cds-133 cds-resp-2", _DELETE, resource={"id": "1"}),
    _answer("delete without resourceId", "cds-134 cds-resp-2", _DELETE, resourceId=...),
    _answer("resourceId as number", "cds-135", _DELETE, resourceId=2),
    _answer("reason without words", "cds-136", _REASON, display="-1"),
    _answer("no label of a link", "cds-138", _LINK, label=...),
    _answer("relative link", "cds-139", _LINK, url="answers/1"),
    _answer("no type of a link", "cds-141", _LINK, type=...),
    _answer("another type of link", "cds-142", _LINK, type="relative"),
    _answer("appContext as object", "cds-144", _LINK, type="smart", appContext={"answer": 1}),
    _answer("appContext on a page", "cds-147 cds-146 cds-resp-3", _LINK, appContext="answer=1"),
    _answer("coding without code", "cds-216", _TOPIC, code=...),
    _answer("coding without system", "cds-217", _TOPIC, system=...),
    _answer("code as number", "cds-218", _TOPIC, code=7),
    _answer("display of a reason as number", "cds-219", _LATER_REASON, display=1),
    _answer("display of a topic as number", "cds-220", _TOPIC, display=7),
    _answer("null", "cds-3", _CARD, note=None),
    _answer("extension as array", "cds-214", _CARD, extension=[{"url": "x"}]),
    _sent("text", "cds-1", _as_text),
    OwnFault("HTTP in production", frozenset({"cds-2", "cds-168"}), url="http://dose.example"),
)


def _twice(patch: pytest.MonkeyPatch, _deployment: Deployment) -> None:
    patch.setattr(discovery, "HOOKS", ("order-sign", "order-sign"))


def _crashes_without_key(patch: pytest.MonkeyPatch, _deployment: Deployment) -> None:
    intact = gather.read_prefetch

    def read(query: Any, prefetch: Any) -> Any:
        received = intact(query, prefetch)
        if received.status == ABSENT:
            raise KeyError(query.key)
        return received

    patch.setattr(gather, "read_prefetch", read)


def _another_access_token(patch: pytest.MonkeyPatch, _deployment: Deployment) -> None:
    intact = state.HooksState.access

    def access(self: Any, server: str | None, token: str | None) -> Any:
        found = intact(self, server, token)
        return replace(found, token="another") if isinstance(found, FhirAccess) else found

    patch.setattr(state.HooksState, "access", access)


def _any_patient(patch: pytest.MonkeyPatch, _deployment: Deployment) -> None:
    patch.setattr(gather, "put_together", lambda _resources, _patient: {"resourceType": "Bundle"})


def _no_browser(patch: pytest.MonkeyPatch, _deployment: Deployment) -> None:
    patch.setitem(cors._PREFLIGHT, "Access-Control-Allow-Headers", "Content-Type")


INSIDE = (
    _inside("one id twice for one hook", "cds-211", _twice),
    _inside("a crash without a key", "cds-54", _crashes_without_key),
    _inside("another access token", "cds-61 cds-34", _another_access_token, "fhir"),
    _inside("data of another patient", "own-patient", _any_patient),
    _inside("no Authorization from browsers", "cds-208", _no_browser, "browser"),
)

Forgives = Callable[[str, Json, Json], bool]
"""Whether a token that was refused for this reason, with this header and claims, is accepted."""


@dataclass(frozen=True, slots=True)
class _ForgivingVerifier:
    """The service's verifier, which accepts some of what it should refuse."""

    intact: TokenVerifier
    forgives: Forgives

    @property
    def keys(self) -> Any:
        return self.intact.keys

    async def verify(self, authorization: str | None, endpoint: str) -> Claims:
        try:
            return await self.intact.verify(authorization, endpoint)
        except TokenError as error:
            header, claims = _parts(authorization or "")
            if not self.forgives(error.reason, header, claims):
                raise
        return Claims(next(iter(self.intact.keys.issuers)), "", 0.0)


def _parts(authorization: str) -> tuple[Json, Json]:
    """Header and claims of a bearer token, as far as they can be read."""
    found = []
    for part in authorization.removeprefix("Bearer ").split(".")[:2]:
        try:
            found.append(json.loads(base64.urlsafe_b64decode(part + "===")))
        except ValueError:
            found.append({})
    return (found[0], found[1]) if len(found) == 2 else ({}, {})


def _forgiving(name: str, fails: str, forgives: Forgives) -> OwnFault:
    def patch(patcher: pytest.MonkeyPatch, deployment: Deployment) -> None:
        verifier: Any = _ForgivingVerifier(make_verifier(deployment.settings.cds_hooks), forgives)
        identify = identify_by_token(verifier, deployment.settings.url)
        patcher.setattr(deployment, "identify_system", identify)

    return _inside(name, fails, patch, "tokens")


def _reason(*reasons: str) -> Forgives:
    return lambda reason, _header, _claims: reason in reasons


def _wants_jku(patcher: pytest.MonkeyPatch, deployment: Deployment) -> None:
    """Discovery is open; elsewhere only tokens that name a key set are looked at."""
    intact = deployment.identify_system
    strict = identify_by_token(
        make_verifier(deployment.settings.cds_hooks), deployment.settings.url
    )

    async def identify(request: Any) -> Any:
        if request.url.path == DISCOVERY:
            return await intact(request)
        header, _ = _parts(request.headers.get("authorization", ""))
        return await strict(request) if "jku" in header else None

    patcher.setattr(deployment, "identify_system", identify)


TOKENS = (
    _forgiving("signature left out", "cds-176 jwt-zero jwt-kid", _reason("signature")),
    _forgiving("algorithm none", "cds-201", lambda _r, h, _c: h.get("alg", "").lower() == "none"),
    _forgiving("symmetric algorithm", "cds-203", lambda _r, h, _c: h.get("alg") == "HS256"),
    _forgiving("any issuer", "cds-195", _reason("issuer")),
    _forgiving("any kid", "jwt-kid", lambda r, h, _c: r == "no such key" and "jku" not in h),
    _forgiving("any key set", "jwt-jku", _reason("jku is not on the list")),
    _forgiving("its own key", "jwt-jwk", _reason("brings its own key (jwk)")),
    _forgiving("its own certificate", "jwt-x5c", _reason("brings its own key (x5c)")),
    _forgiving("unknown crit", "jwt-crit", _reason("header crit is not understood")),
    _forgiving("garbage", "jwt-garbage", lambda r, h, _c: r == "not a signed token" and not h),
    _forgiving(
        "any audience",
        "jwt-aud",
        lambda r, _h, c: r == "audience" and "127.0.0.1" not in str(c.get("aud")),
    ),
    _forgiving(
        "any endpoint", "jwt-path", lambda r, _h, c: r == "audience" and "127.0.0.1" in str(c)
    ),
    _forgiving("expired", "jwt-exp", _reason("expired")),
    _forgiving("not yet valid", "jwt-nbf", _reason("not valid yet")),
    _forgiving("claims missing", "jwt-claims", _reason("exp", "iat", "jti")),
    _forgiving("replayed", "jwt-replay", _reason("used before")),
    _inside("key sets by jku only", "cds-177 cds-199", _wants_jku, "tokens calls"),
)
OWN_FAULTS = (*FOUND, *ANSWERS, *INSIDE, *TOKENS)
