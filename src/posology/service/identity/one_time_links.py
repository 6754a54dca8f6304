"""Links that sign one person in, once: for the first administrator, and for people they invite.

A link holds whom it signs in, encrypted under a key of the service, so that one which nobody used
works after a restart too; the store knows which were used.
"""

import hashlib
import json
import secrets
from dataclasses import astuple, dataclass

from posology.language.catalogue import deferred, tr
from posology.service.keys import seal, unseal
from posology.service.store import Store
from posology.service.store.nonces import is_kept, use_nonce

MINUTES = 15
"""How long a link works."""
_REMEMBERED = 24 * 3600.0
"""Seconds for which a used link is remembered once it is too old, so that its page says so."""
USED = deferred(
    "This link was used already; each works once. If that was not you, tell an administrator at "
    "once."
)
EXPIRED = deferred("This link is older than {minutes} minutes, so it does not work any more.")
UNKNOWN = deferred(
    "This is no link of this service. Some of it may be missing: copy the whole link."
)


@dataclass(frozen=True, slots=True)
class Invitation:
    """Whom a link signs in."""

    subject: str
    name: str
    roles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Link:
    id: str
    until: float
    invitation: Invitation


@dataclass(frozen=True, slots=True)
class OneTimeLinks:
    """Makes links and knows which still work."""

    key: bytes
    """32 secret bytes of the service, for this use alone."""
    store: Store

    def make(self, invitation: Invitation, now: float) -> str:
        """A token for one sign-in within MINUTES. now: seconds since 1970-01-01 UTC."""
        body = [secrets.token_urlsafe(9), int(now) + 60 * MINUTES, *astuple(invitation)]
        return seal(json.dumps(body, separators=(",", ":")), self.key)  # short: people copy it

    async def peek(self, token: str, now: float) -> Invitation | str:
        """Whom the token would sign in; or why it does not, in words."""
        link = self._read(token)
        if link is None:
            return tr(UNKNOWN)
        if await self.store.read(is_kept, _hash(link)):
            return tr(USED)
        return link.invitation if now < link.until else tr(EXPIRED).format(minutes=MINUTES)

    async def use(self, token: str, now: float) -> Invitation | str:
        """Whom the token signs in, once; or why it does not, in words."""
        link, found = self._read(token), await self.peek(token, now)
        if link is None or isinstance(found, str):
            return found
        is_first = await self.store.write(use_nonce, _hash(link), link.until + _REMEMBERED, now)
        return found if is_first else tr(USED)

    def _read(self, token: str) -> _Link | None:
        text = unseal(token, self.key)
        if text is None:
            return None
        ident, until, subject, name, roles = json.loads(text)
        return _Link(ident, until, Invitation(subject, name, tuple(roles)))


def _hash(link: _Link) -> str:
    """What the store has of a used link: nothing by which it could be used."""
    return hashlib.sha256(f"link {link.id}".encode()).hexdigest()
