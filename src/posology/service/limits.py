"""Limits on a request's body, before any route reads it: its size, its depth, that it is JSON."""

import asyncio
from typing import Any

import orjson
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from posology.service.settings import Limits

JSON = "json"
"""Under this name the state of a request has its body as JSON, where it is some: read once."""
_ENCODED = (415, "encoded", "Compressed bodies are not read; send it without Content-Encoding.")
_HOLDERS = frozenset({dict, list})


class LimitBodies:
    """ASGI middleware: refuses bodies that are too large or deep, compressed, or broken JSON.

    The body is held in memory whole, which the limit of its size allows.
    """

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self._app = app
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check the body and hand it on."""
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD", "OPTIONS"):
            await self._app(scope, receive, send)
            return
        encoding = Headers(scope=scope).get("content-encoding", "identity")
        if encoding.strip().lower() != "identity":
            await scope["state"]["refuse"](scope, receive, send, *_ENCODED)
            return
        try:
            async with asyncio.timeout(self._limits.seconds):
                body, problem = await _read_body(receive, Headers(scope=scope), self._limits)
        except TimeoutError:
            body, problem = b"", _slow(self._limits)
        if problem is None and body and "json" in Headers(scope=scope).get("content-type", ""):
            value, problem = _read_json(body, self._limits)
            scope["state"][JSON] = value
        if problem:
            await scope["state"]["refuse"](scope, receive, send, *problem)
            return
        await self._app(scope, _replay(body, receive), send)


def _slow(limits: Limits) -> tuple[int, str, str]:
    return 408, "took_too_long", f"The body did not arrive within {limits.seconds:g} seconds."


async def _read_body(
    receive: Receive, headers: Headers, limits: Limits
) -> tuple[bytes, tuple[int, str, str] | None]:
    """The body; or the status, code and message with which it is refused."""
    too_large = (413, "too_large", f"The body has more than {limits.body:,} bytes.")
    declared = headers.get("content-length", "0")
    if declared.isdecimal() and int(declared) > limits.body:
        return b"", too_large
    parts: list[bytes] = []
    size, is_more = 0, True
    while is_more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return b"", (400, "bad_request", "The body ended early.")
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > limits.body:
            return b"", too_large
        is_more = message.get("more_body", False)
    return b"".join(parts), None


def _read_json(body: bytes, limits: Limits) -> tuple[Any, tuple[int, str, str] | None]:
    """The JSON value; or why it is refused."""
    message = f"The body is nested more than {limits.depth} levels deep."
    too_deep = (413, "too_large", message)
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        if "depth limit" in str(error):  # deeper than orjson reads: 1,024 levels
            return None, too_deep
        where = f"line {error.lineno}, column {error.colno}"
        return None, (400, "bad_request", f"The body is not JSON: look at {where}.")
    return (value, None) if _is_within(value, limits.depth) else (None, too_deep)


def _is_within(value: Any, depth: int) -> bool:
    """Whether objects and lists are nested at most so deep; level by level, without recursion."""
    level = [value]
    for _ in range(depth):
        inner = []
        for holder in level:
            kind = type(holder)
            if kind is dict:
                inner += [one for one in holder.values() if type(one) in _HOLDERS]
            elif kind is list:
                inner += [one for one in holder if type(one) in _HOLDERS]
        if not inner:
            return True
        level = inner
    return False


def _replay(body: bytes, receive: Receive) -> Receive:
    is_sent = False

    async def again() -> Message:
        nonlocal is_sent
        if is_sent:
            return await receive()  # tells when the client has left
        is_sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
