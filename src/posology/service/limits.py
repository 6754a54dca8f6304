"""Limits on a request's body, before any route reads it: its size, its depth, that it is JSON."""

import asyncio
from typing import Any

import orjson
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from posology.service.settings import Limits


class LimitBodies:
    """ASGI middleware: refuses bodies that are too large, too deep or not JSON where they say so.

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
        try:
            async with asyncio.timeout(self._limits.seconds):
                body, problem = await _read_body(receive, Headers(scope=scope), self._limits)
        except TimeoutError:
            body, problem = b"", _slow(self._limits)
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
    if declared.isdigit() and int(declared) > limits.body:
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
    body = b"".join(parts)
    if body and "json" in headers.get("content-type", ""):
        return body, _check_json(body, limits)
    return body, None


def _check_json(body: bytes, limits: Limits) -> tuple[int, str, str] | None:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return 400, "bad_request", "The body is not JSON."
    if not _is_within(value, limits.depth):
        return 413, "too_large", f"The body is nested more than {limits.depth} levels deep."
    return None


def _is_within(value: Any, depth: int) -> bool:
    """Whether objects and lists are nested at most so deep; level by level, without recursion."""
    level = [value]
    for _ in range(depth + 1):
        level = [
            item
            for holder in level
            if isinstance(holder, dict | list)
            for item in (holder.values() if isinstance(holder, dict) else holder)
        ]
        if not level:
            return True
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
