"""Links that sign one person in, once: for the first administrator, and for people they invite."""

import hashlib
import secrets
from dataclasses import dataclass, field

MINUTES = 15
"""How long a link works."""


@dataclass(frozen=True, slots=True)
class Invitation:
    """Whom a link signs in."""

    subject: str
    name: str
    roles: tuple[str, ...]


@dataclass(slots=True)
class OneTimeLinks:
    """The links that still work; only their hashes are kept, and only in memory."""

    _waiting: dict[str, tuple[Invitation, float]] = field(default_factory=dict)

    def make(self, invitation: Invitation, now: float) -> str:
        """A token for one sign-in within MINUTES. now: seconds since 1970-01-01 UTC."""
        token = secrets.token_urlsafe(32)
        self._waiting = {k: v for k, v in self._waiting.items() if v[1] > now}
        self._waiting[_hash(token)] = (invitation, now + 60 * MINUTES)
        return token

    def peek(self, token: str, now: float) -> Invitation | None:
        """Whom the token would sign in."""
        invitation, until = self._waiting.get(_hash(token), (None, 0.0))
        return invitation if now < until else None

    def use(self, token: str, now: float) -> Invitation | None:
        """Whom the token signs in; None if it was used, is too old, or was never made."""
        invitation = self.peek(token, now)
        self._waiting.pop(_hash(token), None)
        return invitation


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
