"""One request to the service and its reply, timed and read."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import httpx

Sign = Callable[[str], str]
"""A bearer token for the endpoint with this URL."""
LONGEST_REPLY = 20_000_000
"""Characters of a reply that are read as JSON."""
DEEPEST_REPLY = 100
"""Levels of a reply that is read as JSON; FHIR resources have about ten."""
LONGEST_SECONDS = 60.0
"""Time for a whole reply, however slowly it comes."""


class Client(Protocol):
    """Whatever sends a request as httpx.AsyncClient does; its failures are httpx.HTTPError."""

    async def request(
        self, method: str, url: str, *, content: bytes | None, headers: dict[str, str]
    ) -> httpx.Response:
        """The reply, read to its end."""
        ...


@dataclass(frozen=True, slots=True)
class Request:
    """A request before it is sent.

    Attributes:
        purpose: what it tries, in words of the report.
        path: below the address of discovery; "" is discovery itself.
        body: sent as JSON, unless `content` is given.
        token: None sends the client's own token, "" sends none, any other text is sent as it is.
    """

    purpose: str
    path: str = ""
    method: str = "POST"
    body: Any = None
    content: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    token: str | None = None


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and its reply.

    Attributes:
        status: 0 where no reply came; `failure` says why.
        body: the reply read as JSON; None where it is none.
        repeated: names that occur twice in one object of the reply.
        seconds: from sending to the last byte.
    """

    request: Request
    url: str
    status: int
    headers: dict[str, str]
    body: Any
    is_json: bool
    repeated: tuple[str, ...]
    seconds: float
    failure: str = ""

    @property
    def succeeded(self) -> bool:
        """Whether the status is one of success (2xx)."""
        return 200 <= self.status < 300

    @property
    def judged(self) -> bool:
        """Whether the service answered, or named data that it lacks (412)."""
        return self.succeeded or self.status == 412

    @property
    def absent(self) -> bool:
        """Whether nothing answers at this address with this method."""
        return self.status in {404, 405, 410, 501}

    @property
    def refused(self) -> bool:
        """Whether the status blames the client (4xx)."""
        return 400 <= self.status < 500

    def outcome(self) -> str:
        """The status in words, for a fault."""
        return f"status {self.status}" if self.status else f"no reply ({self.failure})"


@dataclass(slots=True)
class Caller:
    """The tester's connection to one service.

    Attributes:
        base: the address of discovery, without a slash at the end.
        sign: makes the client's token; None sends no token.
        exchanges: everything sent so far.
        report: called with the number of exchanges after each of them.
    """

    client: Client
    base: str
    sign: Sign | None = None
    exchanges: list[Exchange] = field(default_factory=list)
    report: Callable[[str, int], None] = lambda _purpose, _done: None


def url_of(caller: Caller, path: str) -> str:
    """The address of an endpoint, which is also the audience of its token."""
    return f"{caller.base}/{path}" if path else caller.base


async def send(caller: Caller, request: Request) -> Exchange:
    """Send a request and read the reply; a failed connection is an exchange with status 0."""
    url = url_of(caller, request.path)
    headers = {"Accept": "application/json"} | request.headers
    content = request.content
    if content is None and request.body is not None:
        content = json.dumps(request.body).encode()
        headers.setdefault("Content-Type", "application/json")
    token = request.token
    if token is None:
        token = caller.sign(url) if caller.sign else ""
    if token:
        headers["Authorization"] = f"Bearer {token}"
    started = time.perf_counter()
    try:
        async with asyncio.timeout(LONGEST_SECONDS):
            reply = await caller.client.request(
                request.method, url, content=content, headers=headers
            )
    except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
        seconds = time.perf_counter() - started
        failure = type(error).__name__
        exchange = Exchange(request, url, 0, {}, None, False, (), seconds, failure)
    else:
        exchange = _read(request, url, reply, time.perf_counter() - started)
    caller.exchanges.append(exchange)
    caller.report(request.purpose, len(caller.exchanges))
    return exchange


def _is_shallow(body: Any) -> bool:
    """Whether a reply has at most DEEPEST_REPLY levels, so that checks may walk through it."""
    level = [body]
    for _ in range(DEEPEST_REPLY):
        inner = [one for one in level if isinstance(one, dict | list)]
        level = [x for one in inner for x in (one.values() if isinstance(one, dict) else one)]
        if not level:
            return True
    return False


def _read(request: Request, url: str, reply: httpx.Response, seconds: float) -> Exchange:
    repeated: list[str] = []

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in items]
        repeated.extend(name for name in set(names) if names.count(name) > 1)
        return dict(items)

    try:
        body = json.loads(reply.text[:LONGEST_REPLY], object_pairs_hook=pairs)
        is_json = _is_shallow(body)
    except (ValueError, RecursionError):
        body, is_json = None, False
    body = body if is_json else None
    headers = {name.lower(): value for name, value in reply.headers.items()}
    return Exchange(
        request, url, reply.status_code, headers, body, is_json, tuple(sorted(repeated)), seconds
    )
