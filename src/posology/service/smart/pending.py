"""A launch under way: the browser keeps it, encrypted, so that any service can go on with it."""

import hashlib
import json
import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from posology.service.keys import seal, unseal
from posology.service.smart.configuration import Configuration
from posology.service.smart.settings import SmartServer

MINUTES = 10
"""How long a launch may take."""


@dataclass(frozen=True, slots=True)
class Pending:
    """A launch that was begun."""

    server: SmartServer
    configuration: Configuration
    state: str
    nonce: str
    verifier: str = field(repr=False)
    until: float = 0.0
    """Seconds since 1970."""

    @property
    def key(self) -> str:
        """What the store has of a launch that came back: nothing by which it could be used."""
        return hashlib.sha256(f"launch {self.state}".encode()).hexdigest()


def begin(server: SmartServer, configuration: Configuration, now: float) -> Pending:
    """A launch with fresh secrets."""
    secret = secrets.token_urlsafe
    until = now + 60 * MINUTES
    return Pending(server, configuration, secret(32), secret(32), secret(64), until)


def write_pending(pending: Pending, key: bytes) -> str:
    """The value of the cookie. key: 32 secret bytes of the service, for this use alone."""
    body = {
        "server": pending.server.name,
        "configuration": asdict(pending.configuration),
        "state": pending.state,
        "nonce": pending.nonce,
        "verifier": pending.verifier,
        "until": pending.until,
    }
    return seal(json.dumps(body), key)


def read_pending(
    text: str, key: bytes, servers: Iterable[SmartServer], state: str, now: float
) -> Pending | None:
    """The launch of a cookie; None if we did not write it, it is another's, or it is too old.

    Args:
        servers: those that may launch now.
        state: what came back with the browser.
    """
    written = unseal(text, key)
    if written is None:
        return None
    body: dict[str, Any] = json.loads(written)
    server = next((one for one in servers if one.name == body["server"]), None)
    is_ours = secrets.compare_digest(state.encode(), body["state"].encode())
    if server is None or not is_ours or body["until"] <= now:
        return None
    configuration = Configuration(**body["configuration"])
    return Pending(
        server, configuration, body["state"], body["nonce"], body["verifier"], body["until"]
    )
