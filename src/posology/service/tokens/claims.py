"""The claims of a token whose signature is right: for whom, from when until when, and its nonce."""

import math
from dataclasses import dataclass
from typing import Any

from posology.service.tokens.header import LONGEST_NAME
from posology.service.tokens.refusal import TokenError


@dataclass(frozen=True, slots=True)
class ClaimRules:
    """What claims must satisfy."""

    skew: float = 60.0
    """Seconds by which clocks may differ."""
    longest_life: float = 3600.0
    """Seconds from `iat` to `exp` at most. CDS Hooks clients use five minutes."""


@dataclass(frozen=True, slots=True)
class Claims:
    """Checked claims."""

    issuer: str
    nonce: str
    """`jti`."""
    expires: float
    """Seconds since 1970."""
    tenant: str = ""
    """The organisation that calls, if the issuer names it."""


def check_claims(body: dict[str, Any], endpoint: str, now: float, rules: ClaimRules) -> Claims:
    """The claims, if they are for this endpoint and hold now; TokenError otherwise.

    Args:
        endpoint: the exact URL that is called, which is the audience (CDS Hooks 2.0).
        now: seconds since 1970.
    """
    issuer, nonce = _text(body, "iss"), _text(body, "jti")
    if endpoint not in _audience(body):
        raise TokenError("audience")
    issued, expires = _moment(body, "iat"), _moment(body, "exp")
    if expires + rules.skew <= now:
        raise TokenError("expired")
    if issued - rules.skew > now:
        raise TokenError("issued in the future")
    if not 0 < expires - issued <= rules.longest_life:
        raise TokenError("lifetime")
    if "nbf" in body and _moment(body, "nbf") - rules.skew > now:
        raise TokenError("not valid yet")
    tenant = body.get("tenant")
    is_tenant = isinstance(tenant, str) and len(tenant) <= LONGEST_NAME
    return Claims(issuer, nonce, expires, tenant if is_tenant else "")


def _text(body: dict[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_NAME:
        raise TokenError(name)
    return value


def _audience(body: dict[str, Any]) -> tuple[str, ...]:
    value = body.get("aud")
    values = value if isinstance(value, list) else [value]
    texts = tuple(one for one in values if isinstance(one, str))
    if len(texts) != len(values):
        raise TokenError("audience")
    return texts


def _moment(body: dict[str, Any], name: str) -> float:
    value = body.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise TokenError(name)
    return float(value)
