"""The reference service broken in one place: what is wrong, and which checks must see it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tests.builders.reference_cds_service import JSON, ReferenceService

Edit = Callable[[JSON], Any]


@dataclass(frozen=True)
class Broken:
    """One fault.

    Attributes:
        fails: every statement that must fail, and no other.
        url: where the service seems to stand.
        opens: what of tester and service it needs: "tokens" (and "calls" beside them), "fhir",
            "browser", "no time" to answer in.
    """

    name: str
    fails: frozenset[str]
    service: Callable[[], ReferenceService] = ReferenceService
    url: str = "http://127.0.0.1"
    opens: frozenset[str] = field(default_factory=frozenset)


def _discovery(name: str, fails: str, edit: Edit) -> Broken:
    """Every entry of discovery edited."""

    def edited(body: JSON) -> Any:
        for entry in body["services"]:
            edit(entry)
        return body

    return Broken(name, frozenset(fails.split()), lambda: ReferenceService(edit_discovery=edited))


def _reply(name: str, fails: str, edit: Edit) -> Broken:
    return Broken(name, frozenset(fails.split()), lambda: ReferenceService(edit_reply=edit))


def _part(path: str) -> Callable[[JSON], Any]:
    """The part of a reply at a path such as "cards.0.source"."""

    def part(body: JSON) -> Any:
        value: Any = body
        for step in path.split(".") if path else ():
            value = value[int(step)] if step.isdigit() else value[step]
        return value

    return part


def _set(name: str, fails: str, path: str, **changes: Any) -> Broken:
    """Fields of a part of the reply set, or removed where the value is `...`."""

    def edit(body: JSON) -> JSON:
        part = _part(path)(body)
        for key, value in changes.items():
            if value is ...:
                del part[key]
            else:
                part[key] = value
        return body

    return _reply(name, fails, edit)


def _forgets(name: str, fails: str, *what: str, opens: str = "") -> Broken:
    """A check left out."""
    return Broken(
        name,
        frozenset(fails.split()),
        lambda: ReferenceService(leave_out=frozenset(what)),
        opens=frozenset(opens.split()),
    )


def _status(path_end: str, method: str, status: int) -> Callable[[Request, Response], Response]:
    """Another status of every success at an endpoint."""

    def change(request: Request, response: Response) -> Response:
        is_there = request.url.path.endswith(path_end) and request.method == method
        if is_there and response.status_code == 200:
            response.status_code = status
        return response

    return change


def _at_discovery(name: str, fails: str, status: int) -> Broken:
    change = _status("/cds-services", "GET", status)
    return Broken(name, frozenset(fails.split()), lambda: ReferenceService(edit_response=change))


def _late_outage() -> ReferenceService:
    service = ReferenceService()

    def change(request: Request, response: Response) -> Response:
        if request.method == "GET" and service.discoveries > 1:
            return JSONResponse({}, 503)
        return response

    service.edit_response = change
    return service


def _as_text(_request: Request, response: Response) -> Response:
    response.headers["content-type"] = "text/plain"
    return response


def _errors_as_text(_request: Request, response: Response) -> Response:
    return Response("no", response.status_code) if response.status_code >= 400 else response


def _gone(request: Request, response: Response) -> Response:
    return JSONResponse({}, 404) if request.method == "POST" else response


def _template(name: str, fails: str, template: Any) -> Broken:
    return _discovery(name, fails, lambda entry: entry["prefetch"].update(user=template))


DISCOVERY = (
    _at_discovery("discovery elsewhere", "cds-4", 404),
    Broken("discovery goes away", frozenset({"cds-5"}), _late_outage),
    _at_discovery("discovery has status 203", "cds-13", 203),
    Broken(
        "services is an object",
        frozenset({"cds-6"}),
        lambda: ReferenceService(edit_discovery=lambda body: {"services": {"a": 1}}),
    ),
    _discovery("no hook", "cds-7", lambda entry: entry.pop("hook")),
    _discovery("no description", "cds-9", lambda entry: entry.pop("description")),
    _discovery("a number as id", "cds-10", lambda entry: entry.update(id=7)),
    _discovery("no title", "cds-8", lambda entry: entry.pop("title")),
    Broken(
        "endpoint elsewhere",
        frozenset({"cds-16"}),
        lambda: ReferenceService(edit_response=_gone),
    ),
    _discovery("templates in an array", "cds-29", lambda e: e.update(prefetch=["Patient/1"])),
    _template("a template that is a number", "cds-29", 7),
    _discovery("an empty key", "cds-36", lambda e: e["prefetch"].update({"": "Patient/1"})),
    _template("single braces", "cds-55", "Practitioner/{userPractitionerId}"),
    _template("an unclosed token", "cds-55", "Practitioner/{{userPractitionerId"),
    _template("an unknown token", "cds-56", "Practitioner/{{today()}}"),
    _template("an unknown field", "cds-56", "Practitioner/{{context.pilot}}"),
    _template("a structure as token", "cds-57", "Practitioner/{{context.draftOrders}}"),
    _template("a path into the context", "cds-57", "Practitioner/{{context.userId.id}}"),
    _template("a field without context", "cds-59", "Practitioner/{{userId}}"),
    _template("a chained parameter", "cds-58", "Encounter?patient.name=x"),
    _template("a modifier", "cds-58", "Encounter?status:not=finished"),
    _template("an include", "cds-58", "Encounter?_include=Encounter:subject"),
    _template("a prefix", "cds-58", "Encounter?date=ne2026-01-01"),
    _template("an operation", "cds-58", "Patient/1/$everything"),
    Broken(
        "one id twice for one hook",
        frozenset({"cds-211"}),
        lambda: ReferenceService(hooks=("order-sign", "order-sign")),
    ),
)

_CARD, _SOURCE = "cards.0", "cards.0.source"
_SUGGESTION, _ACTIONS = "cards.0.suggestions.0", "cards.0.suggestions.0.actions"
_REASON, _TOPIC = "cards.0.overrideReasons.0", "cards.0.source.topic"
_LINK, _SMART = "cards.0.links.0", "cards.0.links.1"
_RECOMMENDED = {"label": "Two", "isRecommended": True}

REPLIES = (
    _reply("no cards", "cds-74", lambda body: {"systemActions": body["systemActions"]}),
    Broken(
        "status 201",
        frozenset({"cds-74"}),
        lambda: ReferenceService(edit_response=_status("dose-advisor", "POST", 201)),
    ),
    _set("system actions as object", "cds-75", "", systemActions={"type": "create"}),
    Broken("text", frozenset({"cds-1"}), lambda: ReferenceService(edit_response=_as_text)),
    _set("null", "cds-3", _CARD, note=None),
    _set("empty array", "cds-3", _CARD, note=[]),
    _set("extension as array", "cds-214", _CARD, extension=[{"url": "x"}]),
    _set("uuid as number", "cds-80", _CARD, uuid=7),
    _set("no uuid", "own-card-uuid", _CARD, uuid=...),
    _set("summary of 140", "cds-83", _CARD, summary="x" * 140),
    _set("no summary", "cds-83", _CARD, summary=...),
    _set("detail as object", "cds-85", _CARD, detail={"text": "x"}),
    _set("HTML", "own-html", _CARD, detail="<b>now</b>"),
    _set("no indicator", "cds-87", _CARD, indicator=...),
    _set("indicator of version 1.0", "cds-88", _CARD, indicator="hard-stop"),
    _set("no source", "cds-90", _CARD, source=...),
    _set("suggestions as object", "cds-92", _CARD, suggestions={"label": "x"}),
    _set("no selectionBehavior", "cds-93 cds-resp-6", _CARD, selectionBehavior=...),
    _set("another selectionBehavior", "cds-95", _CARD, selectionBehavior="all"),
    _set("selectionBehavior as array", "cds-96", _CARD, selectionBehavior=["any"]),
    _set("reasons as object", "cds-98", _CARD, overrideReasons={"code": "x"}),
    _set("links as object", "cds-103", _CARD, links={"url": "x"}),
    _set("no label of the source", "cds-105", _SOURCE, label=...),
    _set("relative url of the source", "cds-107", _SOURCE, url="/about"),
    _set("relative icon", "cds-111", _SOURCE, icon="icon.png"),
    _set("topic as text", "cds-115", _SOURCE, topic="dose"),
    _set("no label of a suggestion", "cds-117", _SUGGESTION, label=...),
    _set("uuid of a suggestion as number", "cds-119", _SUGGESTION, uuid=7),
    _set("isRecommended as text", "cds-121", _SUGGESTION, isRecommended="yes"),
    _set("actions as object", "cds-124", _SUGGESTION, actions={"type": "create"}),
    _set("another action", "cds-127", f"{_ACTIONS}.0", type="replace"),
    _set("blank description", "cds-128", f"{_ACTIONS}.0", description=" "),
    _set("no description of an action", "cds-128 cds-resp-5", f"{_ACTIONS}.0", description=...),
    _set("resource as text", "cds-130", f"{_ACTIONS}.0", resource="MedicationRequest/1"),
    _set("create without resource", "cds-131", f"{_ACTIONS}.0", resource=...),
    _set(
        "update with the changes only",
        "cds-132",
        f"{_ACTIONS}.1",
        resource={"resourceType": "MedicationRequest", "id": "order-1", "status": "draft"},
    ),
    _set(
        "delete with a resource",
        "cds-133 cds-resp-2",
        f"{_ACTIONS}.2",
        resource="MedicationRequest/order-2",
    ),
    _set("delete without resourceId", "cds-134 cds-resp-2", f"{_ACTIONS}.2", resourceId=...),
    _set("resourceId as number", "cds-135", f"{_ACTIONS}.2", resourceId=2),
    _set("action selection unknown", "cds-resp-7", _SUGGESTION, actionSelectionBehavior="one"),
    _set("two recommended", "cds-resp-1", "cards.0.suggestions.1", **_RECOMMENDED),
    _set("reason without display", "cds-100 cds-resp-4", _REASON, display=...),
    _set("reason without words", "cds-136", _REASON, display="-1"),
    _set("display as number", "cds-219", _REASON, display=1),
    _set("coding without code", "cds-216", _TOPIC, code=...),
    _set("coding without system", "cds-217", _TOPIC, system=...),
    _set("code as number", "cds-218", _TOPIC, code=7),
    _set("display of a topic as number", "cds-220", _TOPIC, display=7),
    _set("no label of a link", "cds-138", _LINK, label=...),
    _set("relative link", "cds-139", _LINK, url="why.html"),
    _set("no type of a link", "cds-141", _LINK, type=...),
    _set("another type of link", "cds-142", _LINK, type="relative"),
    _set("appContext as object", "cds-144", _SMART, appContext={"answer": 1}),
    _set(
        "appContext on an absolute link", "cds-147 cds-146 cds-resp-3", _LINK, appContext="answer=1"
    ),
)

CALLS = (
    _forgets("400 where data are missing", "cds-54", "412"),
    _forgets("crash on an OperationOutcome", "cds-52", "outcome"),
    _forgets("crash on null", "own-null", "null"),
    _forgets("crash on a page", "own-paged", "paged"),
    _forgets("crash on damaged data", "own-damaged", "truncated"),
    _forgets("cards on data of another", "own-patient", "wrong-patient"),
    _forgets("unknown fields refused", "own-fields", "unknown-fields"),
    _forgets("extensions refused", "own-extension", "extension"),
    _forgets("any hook taken", "own-hook", "other-hook"),
    _forgets("any instance taken", "own-bad-uuid", "bad-uuid"),
    _forgets("crash on parts", "own-partial", "incomplete"),
    _forgets("crash on text", "own-not-json", "not-json"),
    _forgets("crash on depth", "own-deep", "deep"),
    _forgets("crash on size", "own-huge", "huge"),
    _forgets("crash without fhirServer", "cds-r-1", "r-1"),
    _forgets("crash without the patient", "cds-r-2", "r-2"),
    _forgets("feedback of any outcome", "cds-fb-1", "fb-1"),
    _forgets("acceptance of nothing", "cds-fb-2", "fb-2"),
    _forgets("a reason without content", "cds-fb-3", "fb-3"),
    _forgets("feedback twice refused", "own-twice", "twice"),
    _forgets("feedback crashes", "own-feedback own-twice", "feedback"),
    _forgets("any service there", "own-unknown", "unknown"),
    _forgets("one call at a time", "own-burst", "burst"),
    _forgets("another token to the FHIR server", "cds-61 cds-34", "access token", opens="fhir"),
    _forgets("nothing is fetched", "cds-34", "fetch", opens="fhir"),
    Broken(
        "errors as text",
        frozenset({"own-errors"}),
        lambda: ReferenceService(edit_response=_errors_as_text),
    ),
    Broken("slow", frozenset({"cds-27"}), opens=frozenset({"no time"})),
    Broken("no browser allowed", frozenset({"cds-208"}), opens=frozenset({"browser"})),
    Broken("HTTP in production", frozenset({"cds-2", "cds-168"}), url="http://dose.example"),
)

TOKENS = tuple(
    _forgets(name, fails, *what.split(), opens="tokens")
    for name, fails, what in (
        ("no token wanted of whoever sends none", "cds-177", "token"),
        ("algorithm none", "cds-201", "none"),
        ("symmetric algorithm", "cds-203", "symmetric"),
        ("signature left out", "cds-176", "changed"),
        ("zeros", "jwt-zero", "zero"),
        ("garbage", "jwt-garbage", "garbage"),
        ("any kid", "jwt-kid", "kid"),
        ("any key set", "jwt-jku", "jku"),
        ("its own key", "jwt-jwk", "jwk"),
        ("its own certificate", "jwt-x5c", "x5c"),
        ("unknown crit", "jwt-crit", "crit"),
        ("any audience", "jwt-aud", "aud"),
        ("any endpoint", "jwt-path", "endpoint"),
        ("expired", "jwt-exp", "exp"),
        ("not yet valid", "jwt-nbf", "nbf"),
        ("any issuer", "cds-195", "issuer"),
        ("claims missing", "jwt-claims", "claims"),
        ("replayed", "jwt-replay", "replay"),
    )
)
KEY_SETS = _forgets(
    "key sets by jku only",
    "cds-177 cds-199",
    "open discovery",
    "wants jku",
    opens="tokens calls",
)
BROKEN = (KEY_SETS, *DISCOVERY, *REPLIES, *CALLS, *TOKENS)
