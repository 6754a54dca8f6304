"""The run: every call of every service, then feedback, tokens and CORS, as one transcript."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass, field, replace
from typing import Any

from posology.conformance.calls.bodies import (
    RightCall,
    authorization,
    body_of,
    odd_bodies,
    prefetch_variants,
    raw_bodies,
    right_call,
)
from posology.conformance.calls.exchange import Caller, Exchange, Request, send, url_of
from posology.conformance.calls.feedback import converse_feedback
from posology.conformance.calls.fhir_server import fhir_server
from posology.conformance.calls.patient import made_up_patient
from posology.conformance.calls.token_abuse import abuses
from posology.conformance.calls.token_key import TokenKey
from posology.conformance.calls.transcript import AbuseCall, Call, Kind, Transcript
from posology.errors import UserError
from posology.records.sources.fhir.search import Resource

LONGEST_WAIT = 2.0
"""Seconds that the tester waits where a busy service says Retry-After."""


@dataclass(frozen=True, slots=True)
class Play:
    """What the tester plays.

    Attributes:
        resources: the patient's record.
        key: signs the client's tokens; None sends none.
        fhir_server: address at which the record is served; "" serves it nowhere.
        origin: a browser's client that the service should allow; "" tries none.
        huge: bytes of the huge body.
        repeats: calls with all data, over which the time is taken.
        burst: calls at once.
    """

    resources: list[Resource] = field(default_factory=made_up_patient)
    key: TokenKey | None = None
    fhir_server: str = ""
    origin: str = ""
    huge: int = 16_000_000
    repeats: int = 5
    burst: int = 8


async def converse(caller: Caller, play: Play) -> Transcript:
    """Speak with the service; UserError where there is nothing to test."""
    transcript = Transcript(caller.base)
    first = await send(caller, Request("discovery", method="GET"))
    transcript.discovery.append(first)
    _check_reached(caller, first)
    offered = first.body.get("services") if isinstance(first.body, dict) else None
    if isinstance(offered, list):
        transcript.services = [entry for entry in offered if isinstance(entry, dict)]
    named = [service for service in transcript.services if _can_be_called(service)]
    calls = [right_call(service, named, play.resources) for service in named]
    for call in calls:
        await _call_service(caller, play, call, transcript)
    if play.fhir_server:
        await _let_fetch(caller, play, calls, transcript)
    if calls:
        nowhere = Request("an unknown service", f"posology-{secrets.token_hex(4)}")
        nowhere = replace(nowhere, body=body_of(calls[0]))
        transcript.unknown_service = await send(caller, nowhere)
    await converse_feedback(caller, transcript)
    if play.key:
        await _abuse_tokens(caller, play.key, calls, transcript)
    if play.origin:
        await _preflight(caller, play.origin, calls, transcript)
    transcript.discovery.append(await send(caller, Request("discovery", method="GET")))
    return transcript


def _check_reached(caller: Caller, first: Exchange) -> None:
    if not first.status:
        raise UserError(
            f"{caller.base}: no reply ({first.failure}); is the service started, and is this the "
            "address of its discovery?"
        )
    if first.status in {401, 403}:
        mend = (
            "allow the tester's issuer and key set in the service"
            if caller.sign
            else "make a key with posology conform --make-key, allow it in the service, and give "
            "it with --token-key"
        )
        raise UserError(
            f"{caller.base}: discovery answers status {first.status}, so nothing can be tested; "
            f"{mend}."
        )


def _can_be_called(service: dict[str, Any]) -> bool:
    """Whether id and hook are text."""
    return all(isinstance(service.get(name), str) and service[name] for name in ("id", "hook"))


async def _call_service(
    caller: Caller, play: Play, call: RightCall, transcript: Transcript
) -> None:
    async def note(kind: Kind, request: Request) -> None:
        exchange = await _patiently(caller, request)
        transcript.calls.append(Call(call.service, kind, exchange))

    path = call.service["id"]
    for _ in range(play.repeats):
        await note("all data", Request("all data", path, body=body_of(call)))
    last = transcript.calls[-1].exchange
    if last.absent or last.status in {401, 403}:
        return  # nothing is there, or it does not let the tester in
    for kind, body in (*prefetch_variants(call), *odd_bodies(call)):
        await note(kind, Request(kind, path, body=body))
    for kind, content in raw_bodies(call, play.huge):
        headers = {"Content-Type": "application/json"}
        await note(kind, Request(kind, path, content=content, headers=headers))
    burst = [Request("burst", path, body=body_of(call)) for _ in range(play.burst)]
    for exchange in await asyncio.gather(*(send(caller, request) for request in burst)):
        transcript.calls.append(Call(call.service, "burst", exchange))


async def _patiently(caller: Caller, request: Request) -> Exchange:
    """Send; where the service is busy, once more after its Retry-After."""
    exchange = await send(caller, request)
    wait = exchange.headers.get("retry-after", "")
    if exchange.status in {429, 503} and wait.isdecimal():
        await asyncio.sleep(min(float(wait), LONGEST_WAIT))
        exchange = await send(caller, request)
    return exchange


async def _let_fetch(
    caller: Caller, play: Play, calls: list[RightCall], transcript: Transcript
) -> None:
    """Withhold the data, and serve them at the tester's FHIR server."""
    token = transcript.access_token = secrets.token_urlsafe(24)
    with fhir_server(play.fhir_server, token, play.resources) as requests:
        for call in calls:
            body = body_of(call, {}) | {
                "fhirServer": play.fhir_server,
                "fhirAuthorization": authorization(call, token),
            }
            exchange = await _patiently(caller, Request("fetched", call.service["id"], body=body))
            transcript.calls.append(Call(call.service, "fetched", exchange))
        transcript.fhir_requests.extend(requests)


async def _abuse_tokens(
    caller: Caller, key: TokenKey, calls: list[RightCall], transcript: Transcript
) -> None:
    """Discovery, and the first service, with tokens that must be refused."""
    requests = [Request("no token", method="GET", token="")]
    if calls:
        body = body_of(calls[0])
        requests.append(Request("no token", calls[0].service["id"], body=body, token=""))
    for request in requests:
        plain = await send(caller, request)
        transcript.plain.append(plain)
        if plain.succeeded:
            continue  # whoever wants no token refuses none
        other = url_of(caller, "posology-conform-elsewhere")
        for abuse in abuses(key, url_of(caller, request.path), other):
            tried = replace(request, purpose=abuse.purpose, token=abuse.token)
            if abuse.sent_twice:
                await send(caller, tried)
            transcript.abuse.append(AbuseCall(abuse, await send(caller, tried)))


async def _preflight(
    caller: Caller, origin: str, calls: list[RightCall], transcript: Transcript
) -> None:
    """What a browser sends before it lets a page call the service."""
    wanted = [("", "GET")] + [(calls[0].service["id"], "POST")] * bool(calls)
    for path, method in wanted:
        headers = {
            "Origin": origin,
            "Access-Control-Request-Method": method,
            "Access-Control-Request-Headers": "authorization,content-type",
        }
        request = Request("preflight", path, "OPTIONS", headers=headers, token="")
        transcript.preflight.append(await send(caller, request))
