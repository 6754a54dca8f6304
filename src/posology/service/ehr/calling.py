"""Call a service as a record system does: discovery, a hook, feedback."""

from __future__ import annotations

import secrets
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx

from posology.language.catalogue import current_language
from posology.records.sources.fhir.search import answer_query, fill_template
from posology.service.ehr.record_system import Call, RecordSystem, Sent, VirtualPatient, order_of
from posology.service.ehr.trust import FHIR_PATH
from posology.service.ehr.ways import LATE, WHOLE, send_as

Json = dict[str, Any]
PATH = "/cds-services"


@dataclass(frozen=True, slots=True)
class Wish:
    """What the person at the record system chose.

    Attributes:
        service, hook: one entry of the server's discovery.
        order: name of the drug that is ordered.
        ways: by prefetch key, how it is sent; keys that are not named are sent.
        may_fetch: whether the service gets leave to fetch from the record system.
    """

    server: str
    service: str
    hook: str
    order: str
    ways: Mapping[str, str]
    may_fetch: bool


async def discover(system: RecordSystem, server: str) -> Sent:
    """The services of a server."""
    return await _exchange(system, server, "GET", PATH, {})


def entries_of(sent: Sent) -> list[Json]:
    """The entries of discovery that can be called."""
    services = sent.reply.get("services") if isinstance(sent.reply, dict) else None
    return [
        entry
        for entry in services or ()
        if isinstance(entry, dict) and {"id", "hook"} <= entry.keys()
    ]


async def fire(system: RecordSystem, patient: VirtualPatient, wish: Wish, entry: Json) -> Call:
    """Call a service about a patient, and keep the call."""
    body = _body(system, patient, wish, entry)
    sent = await _exchange(system, wish.server, "POST", f"{PATH}/{wish.service}", body)
    call = Call(secrets.token_urlsafe(12), patient, wish.server, wish.service, wish.hook, sent)
    system.keep(call)
    return call


async def give_feedback(system: RecordSystem, call: Call, entry: Json) -> None:
    """Tell the service what became of one card."""
    now = datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
    body = {"feedback": [entry | {"outcomeTimestamp": now}]}
    path = f"{PATH}/{call.service}/feedback"
    call.feedback.append(await _exchange(system, call.server, "POST", path, body))


def _body(system: RecordSystem, patient: VirtualPatient, wish: Wish, entry: Json) -> Json:
    context: Json = {"userId": "Practitioner/a-sample", "patientId": patient.id}
    if wish.hook in {"order-select", "order-sign"}:
        order = order_of(system, wish.order, patient.id)
        entries = [] if order is None else [{"resource": order}]
        context["draftOrders"] = {"resourceType": "Bundle", "type": "collection", "entry": entries}
        if wish.hook == "order-select" and order is not None:
            context["selections"] = [f"{order['resourceType']}/{order['id']}"]
    body: Json = {"hook": wish.hook, "hookInstance": str(uuid.uuid4()), "context": context}
    prefetch = {}
    for key, template in (entry.get("prefetch") or {}).items():
        query = fill_template(str(template), context)
        if query is None:
            continue
        value = answer_query(query, patient.resources)
        is_sent, value = send_as(wish.ways.get(key, WHOLE), value)
        if is_sent:
            prefetch[key] = value
    if prefetch:
        body["prefetch"] = prefetch
    if wish.may_fetch:
        body |= _leave(system, patient, wish, entry)
    return body


def _leave(system: RecordSystem, patient: VirtualPatient, wish: Wish, entry: Json) -> Json:
    """Leave to fetch this patient's data; types of keys sent late come late."""
    templates = entry.get("prefetch") or {}
    late = (str(templates[k]) for k, way in wish.ways.items() if way == LATE and k in templates)
    types = frozenset(template.partition("?")[0].partition("/")[0] for template in late)
    return {
        "fhirServer": system.deployment.settings.url + FHIR_PATH,
        "fhirAuthorization": {
            "access_token": system.grant(patient.id, types),
            "token_type": "Bearer",
            "expires_in": 300,
            "scope": "patient/*.read",
            "subject": "posology-demonstration",
            "patient": patient.id,
        },
    }


async def _exchange(system: RecordSystem, server: str, method: str, path: str, body: Json) -> Sent:
    url = server + path
    headers = {
        "Authorization": f"Bearer {system.signer.token(url)}",
        "Accept": "application/json",
        "Accept-Language": current_language(),
    }
    started = time.perf_counter()
    try:
        async with system.client(server) as client:
            response = await client.request(method, url, json=body or None, headers=headers)
    except httpx.HTTPError as error:
        seconds = time.perf_counter() - started
        return Sent(url, body, 0, {"problem": type(error).__name__}, seconds)
    try:
        reply = response.json()
    except ValueError:
        reply = response.text[:2_000]
    return Sent(url, body, response.status_code, reply, time.perf_counter() - started)
