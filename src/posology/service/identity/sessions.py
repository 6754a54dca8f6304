"""Sessions of people: a signed cookie, and a token in every form that only its session has."""

import base64
import binascii
import hashlib
import hmac
import json
import secrets
from dataclasses import asdict, dataclass

from posology.language.catalogue import deferred, tr
from posology.service.identity.callers import ADMINISTRATOR, CLINICIAN, DATA_SCIENTIST

ROLE_NAMES = {
    CLINICIAN: deferred("clinician"),
    DATA_SCIENTIST: deferred("data scientist"),
    ADMINISTRATOR: deferred("administrator"),
}
SECONDS = 8 * 3600
"""How long a session lasts: one shift."""


@dataclass(frozen=True, slots=True)
class Session:
    """Who is signed in."""

    id: str
    """Random; names the session in the list of those that were ended."""
    subject: str
    """Of the provider; or `local:` and what is no name."""
    name: str
    """As pages show it."""
    roles: tuple[str, ...]
    """Of ROLES."""
    until: int
    """Seconds since 1970-01-01 UTC."""
    is_embedded: bool = False
    """Started within a record system, which shows who is signed in."""

    @property
    def role_names(self) -> str:
        """All roles, in words."""
        return ", ".join(tr(ROLE_NAMES[role]) for role in self.roles)


def new_session(
    subject: str, name: str, roles: tuple[str, ...], now: float, is_embedded: bool = False
) -> Session:
    """A session that starts now (seconds since 1970-01-01 UTC)."""
    unguessable = secrets.token_urlsafe(18)
    return Session(unguessable, subject, name, roles, int(now) + SECONDS, is_embedded)


def seal(body: dict[str, object], key: bytes, purpose: str) -> str:
    """JSON that its reader can trust: the text and its HMAC-SHA256 under a key of the purpose."""
    text = _encode(json.dumps(body, separators=(",", ":")).encode())
    return f"{text}.{_encode(_sign(key, purpose, text))}"


def unseal(text: str, key: bytes, purpose: str) -> dict[str, object] | None:
    """What was sealed for the same purpose; None if the text is anything else."""
    body, dot, signature = text.partition(".")
    try:
        is_ours = bool(dot) and hmac.compare_digest(_sign(key, purpose, body), _decode(signature))
        found = json.loads(_decode(body)) if is_ours else None
    except (ValueError, binascii.Error):
        return None
    return found if isinstance(found, dict) else None


def write_session(session: Session, key: bytes) -> str:
    """The cookie's value."""
    return seal(asdict(session), key, "session")


def read_session(text: str, key: bytes, now: float) -> Session | None:
    """The session of a cookie; None if it was not signed by us, or is over."""
    body = unseal(text, key, "session")
    if body is None:
        return None
    try:
        session = Session(**{**body, "roles": tuple(body["roles"])})  # ty: ignore[invalid-argument-type]
    except (KeyError, TypeError):
        return None
    return session if now < session.until else None


def csrf_token(session: Session, key: bytes) -> str:
    """What every form of the session carries."""
    return _encode(_sign(key, "csrf", session.id))


def is_csrf_token(text: str, session: Session, key: bytes) -> bool:
    """Whether a form came from a page of this session."""
    return hmac.compare_digest(text.encode(), csrf_token(session, key).encode())


def _sign(key: bytes, purpose: str, text: str) -> bytes:
    own = hmac.digest(key, f"posology {purpose}".encode(), hashlib.sha256)
    return hmac.digest(own, text.encode(), hashlib.sha256)


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
