"""Read from a FHIR server on the list, with the token that came with the call.

The token goes to that server only: redirects are not followed, and a next page lies under the same
base address. Time, pages and sizes have limits, and nothing of a response is logged.
"""

import asyncio
import functools
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx
import orjson

from posology.language.catalogue import tr

Json = dict[str, Any]
_ACCEPT = "application/fhir+json, application/json;q=0.9"


class FetchError(Exception):
    """The server did not give it. The text says why, and names nothing of the patient."""


@dataclass(frozen=True, slots=True)
class FetchLimits:
    """What fetching may cost."""

    seconds: float = 2.0
    """Time for all requests of one call together."""
    pages: int = 10
    """Pages of one search."""
    resources: int = 2_000
    """Resources of one search."""
    bytes: int = 8 << 20
    """Size of one page."""


@dataclass(frozen=True, slots=True, eq=False)
class FhirAccess:
    """One FHIR server, for one call."""

    client: httpx.AsyncClient
    base: str
    """Base address, without a slash at the end."""
    token: str = field(repr=False)
    limits: FetchLimits

    async def read(self, address: str) -> Json:
        """The resource at an address, relative to the base or a next page; FetchError if none."""
        headers = {"Accept": _ACCEPT, "Authorization": f"Bearer {self.token}"}
        return await read_json(self.client, self._inside(address), headers, self.limits.bytes)

    def _inside(self, address: str) -> str:
        """The whole address; FetchError if it lies outside the base address."""
        url = urljoin(f"{self.base}/", address)
        whole, base = urlsplit(url), urlsplit(self.base)
        is_inside = whole.path.startswith(f"{base.path}/") or whole.path == base.path
        is_plain = ".." not in whole.path and not whole.username and not whole.fragment
        if (whole.scheme, whole.netloc) != (base.scheme, base.netloc) or not is_inside:
            raise FetchError(tr("a next page lies on another server"))
        if not is_plain:
            raise FetchError(tr("a next page has an address that cannot be right"))
        return url


async def read_json(
    client: httpx.AsyncClient, url: str, headers: dict[str, str], most: int = 1 << 20
) -> Json:
    """The JSON object at an address, of at most so many bytes; FetchError if there is none."""
    try:
        async with client.stream("GET", url, headers=headers) as response:
            _check_status(response.status_code)
            body = await _read_body(response, most)
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
        text = tr("the FHIR server did not answer ({error})").format(error=type(error).__name__)
        raise FetchError(text) from error
    try:
        resource = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise FetchError(tr("the FHIR server did not answer with JSON")) from error
    if not isinstance(resource, dict):
        raise FetchError(tr("the FHIR server did not answer with a resource"))
    return resource


def _check_status(status: int) -> None:
    if status in (401, 403):
        raise FetchError(tr("the FHIR server refused the token"))
    if 300 <= status < 400:
        raise FetchError(tr("the FHIR server redirects, which is not followed"))
    if status != 200:
        raise FetchError(tr("the FHIR server answered with status {status}").format(status=status))


async def _read_body(response: httpx.Response, most: int) -> bytes:
    parts, size = [], 0
    async for part in response.aiter_bytes():
        size += len(part)
        if size > most:
            raise FetchError(tr("an answer of the FHIR server is too large"))
        parts.append(part)
    return b"".join(parts)


def make_client(transport: httpx.AsyncBaseTransport | None = None) -> httpx.AsyncClient:
    """The client of an application: no redirects, no cookies, no proxies of the environment."""
    return httpx.AsyncClient(
        transport=transport,
        timeout=httpx.Timeout(5.0, connect=2.0),
        follow_redirects=False,
        trust_env=False,
        verify=_certificates(),
        limits=httpx.Limits(max_connections=40, max_keepalive_connections=20),
    )


@functools.cache
def _certificates() -> ssl.SSLContext:
    """Whom clients of this process trust; read once."""
    return httpx.create_ssl_context()


async def fetch_key_set(client: httpx.AsyncClient, address: str) -> bytes:
    """The body of a key set at an address on the list; OSError if there is none."""
    try:
        async with client.stream("GET", address, headers={"Accept": "application/json"}) as reply:
            _check_status(reply.status_code)
            return await _read_body(reply, 1 << 18)
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, FetchError) as error:
        raise OSError("the key set was not fetched") from error


def same_server(one: str, other: str) -> bool:
    """Whether two base addresses are the same, but for a slash at the end."""
    return one.rstrip("/") == other.rstrip("/")


async def within(seconds: float, work: Callable[[], Any]) -> Any:
    """What the work returns; FetchError if it takes longer."""
    try:
        async with asyncio.timeout(seconds):
            return await work()
    except TimeoutError as error:
        raise FetchError(tr("the FHIR server took too long")) from error
