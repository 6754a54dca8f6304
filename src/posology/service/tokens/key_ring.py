"""Find the key of a token: among an issuer's files first, then at an address on its list."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace

from posology.errors import UserError
from posology.service.tokens.header import Header, parse_object
from posology.service.tokens.key_sets import (
    PublicKey,
    TrustedIssuer,
    read_key_file,
    read_key_set,
)
from posology.service.tokens.refusal import TokenError

FRESH = 600.0
"""Seconds for which a fetched key set is used without asking again. Our choice."""
PAUSE = 30.0
"""Seconds between two requests of one key set, so that made-up key names cannot cause a flood."""

Fetch = Callable[[str], Awaitable[bytes]]
"""The body at an address; raises OSError if there is none."""


@dataclass(slots=True)
class _Fetched:
    keys: dict[str, PublicKey]
    at: float
    """When these keys came."""
    tried: float
    """When they were last requested, with or without an answer."""


@dataclass(slots=True)
class KeyRing:
    """The keys of all trusted issuers. One for each application: it caches fetched key sets."""

    issuers: dict[str, TrustedIssuer]
    files: dict[str, dict[str, PublicKey]]
    fetch: Fetch
    clock: Callable[[], float] = time.monotonic
    fetched: dict[str, _Fetched] = field(default_factory=dict)
    fetching: dict[str, asyncio.Lock] = field(default_factory=dict)
    """By address: one request at a time, whose answer all who wait for it use."""

    async def find(self, issuer: str, header: Header) -> PublicKey:
        """The key that the header names; TokenError if the issuer has none of that name."""
        trusted = self.issuers.get(issuer)
        if trusted is None:
            raise TokenError("issuer")
        if header.key_set is not None and header.key_set not in trusted.key_sets:
            raise TokenError("jku is not on the list")
        known = self.files.get(issuer, {}).get(header.key_name)
        if known is not None:
            return known
        addresses = trusted.key_sets if header.key_set is None else (header.key_set,)
        for address in addresses:
            key = (await self._keys_at(address, header.key_name)).get(header.key_name)
            if key is not None:
                return key
        raise TokenError("no such key")

    async def _keys_at(self, address: str, name: str) -> dict[str, PublicKey]:
        known = self._known(address, name)
        if known is not None:
            return known
        async with self.fetching.setdefault(address, asyncio.Lock()):
            known = self._known(address, name)  # it may have come meanwhile
            if known is not None:
                return known
            cached, now = self.fetched.get(address), self.clock()
            try:
                found = _Fetched(read_key_set(parse_object(await self.fetch(address))), now, now)
            except (OSError, TokenError):
                is_old = cached is None or now - cached.at >= FRESH
                found = _Fetched({}, now, now) if is_old else replace(cached, tried=now)
            self.fetched[address] = found
            return found.keys

    def _known(self, address: str, name: str) -> dict[str, PublicKey] | None:
        """The keys that need no request: they are fresh, or were requested a moment ago."""
        cached, now = self.fetched.get(address), self.clock()
        if cached is None:
            return None
        is_fresh = now - cached.at < FRESH and name in cached.keys
        return cached.keys if is_fresh or now - cached.tried < PAUSE else None


def make_key_ring(issuers: Sequence[TrustedIssuer], fetch: Fetch) -> KeyRing:
    """The ring of these issuers, with their files read. UserError names what is wrong."""
    by_name: dict[str, TrustedIssuer] = {}
    for trusted in issuers:
        if trusted.issuer in by_name:
            raise UserError(f"issuer {trusted.issuer!r} stands twice; name each once.")
        if trusted.keys is None and not trusted.key_sets:
            raise UserError(
                f"issuer {trusted.issuer!r}: give its keys, as a file (`keys`) or by address "
                "(`key_sets`)."
            )
        by_name[trusted.issuer] = trusted
    files = {t.issuer: read_key_file(t.keys) for t in issuers if t.keys is not None}
    return KeyRing(by_name, files, fetch)
