"""Our own service as `posology conform` meets it, and the edge at which its replies are edited."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from posology.conformance.calls.token_key import TokenKey
from posology.service.cds_hooks.settings import CdsHooksSettings
from posology.service.settings import Settings
from posology.service.smart.settings import SmartServer, SmartSettings
from posology.service.tokens.key_sets import TrustedIssuer
from tests.builders.free_address import free_address
from tests.builders.hook_calls import study
from tests.builders.service import deployment_of, running_app

URL = "http://127.0.0.1:8000"
ORIGIN = "https://ehr.example"
FHIR = free_address()
_INSTANCE = re.compile(rb'(?<="hookInstance": ")[0-9a-f-]{36}')


@contextmanager
def own_service(model: Path, folder: Path, key: TokenKey) -> Generator[FastAPI]:
    """The service with the study of the drugs of `hook_calls`, which allows the tester."""
    keys = folder / "jwks.json"
    keys.write_text(json.dumps({"keys": [key.jwk]}))
    hooks = CdsHooksSettings(
        issuers=(TrustedIssuer(key.issuer, keys),), origins=(ORIGIN,), fhir_servers=(FHIR,)
    )
    settings = Settings(
        models=(),
        public_url=URL,
        allow_unsigned=True,
        cds_hooks=hooks,
        smart=SmartSettings((SmartServer("ehr", FHIR, "posology"),)),
    )
    with running_app(model, folder / "service", settings) as running:
        deployment = deployment_of(running)
        served = deployment.models.current["warfarin"]
        artifact = replace(served.artifact, study=study())
        deployment.models.current["warfarin"] = replace(served, artifact=artifact)
        yield running


@dataclass(slots=True)
class RememberedService:
    """ASGI middleware: a call made before, but for its `hookInstance`, gets the same reply."""

    app: ASGIApp
    replies: dict[tuple[str, str, bytes], list[Message]] = field(default_factory=dict)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = await receive()
        key = (scope["method"], scope["path"], _INSTANCE.sub(b"", request["body"]))

        async def once() -> Message:
            return request

        if key not in self.replies:
            sent: list[Message] = []
            await self.app(scope, once, lambda message: _keep(sent, message))
            self.replies[key] = sent
        for message in self.replies[key]:
            await send(message)


async def _keep(sent: list[Message], message: Message) -> None:
    sent.append(message)


@dataclass(slots=True)
class Reply:
    """A reply on its way out."""

    method: str
    path: str
    status: int
    headers: dict[str, str]
    body: Any
    """JSON; bytes where it is none."""


Edit = Callable[[Reply], None]


@dataclass(frozen=True, slots=True)
class EditedService:
    """ASGI middleware: the application, whose replies are edited before they are sent."""

    app: ASGIApp
    edit: Edit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sent: list[Message] = []
        await self.app(scope, receive, lambda message: _keep(sent, message))
        content = b"".join(message.get("body", b"") for message in sent)
        headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        is_json = "json" in headers.get("content-type", "")
        body = json.loads(content) if is_json else content
        reply = Reply(scope["method"], scope["path"], sent[0]["status"], headers, body)
        self.edit(reply)
        body = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
        reply.headers["content-length"] = str(len(body))
        lines = [(name.encode(), value.encode()) for name, value in reply.headers.items()]
        await send({"type": "http.response.start", "status": reply.status, "headers": lines})
        await send({"type": "http.response.body", "body": body})
