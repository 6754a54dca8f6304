"""The header of a token, checked before any key is looked up (RFC 7515, RFC 8725).

PyJWT verifies signatures. What a header may ask of the verifier is decided here: an algorithm from
a fixed list, a named key, and nothing else that would bring a key or a rule of its own.
"""

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Any

from posology.service.tokens.refusal import TokenError

KEY_TYPES = {
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "ES512": ("EC", "P-521"),
    "RS256": ("RSA", ""),
    "RS384": ("RSA", ""),
    "RS512": ("RSA", ""),
    "PS256": ("RSA", ""),
    "PS384": ("RSA", ""),
    "PS512": ("RSA", ""),
    "EdDSA": ("OKP", "Ed25519"),
}
"""Key type and curve of each algorithm that is accepted (RFC 7518, RFC 8037). None is symmetric:
`none` and HMAC are refused because they are not here."""

LONGEST_TOKEN = 8192
"""Characters. Our choice; tokens of known clients have about 600."""
LONGEST_NAME = 256
"""Characters of a key's name, an issuer or a nonce. Our choice."""
_BRINGS_KEY = ("jwk", "x5c", "x5u")
"""Headers that bring a key, or its address, with the token."""
_CHANGES_RULES = ("crit", "b64", "zip", "enc", "cty")
"""Headers that ask for extensions, compression or nesting: none is understood here."""


@dataclass(frozen=True, slots=True)
class Header:
    """What of a header is used."""

    algorithm: str
    key_name: str
    """`kid`."""
    key_set: str | None
    """`jku`: the address of the key set, followed only if it is on the issuer's list."""


def split_token(token: str) -> tuple[Header, dict[str, Any]]:
    """The checked header, and the claims, which nobody has vouched for yet."""
    if len(token) > LONGEST_TOKEN:
        raise TokenError("too long")
    parts = token.split(".")
    if len(parts) != 3 or not all(parts):
        raise TokenError("not a signed token")
    return _check(_read_object(parts[0])), _read_object(parts[1])


def parse_object(body: bytes) -> dict[str, Any]:
    """A JSON object in which no name stands twice; TokenError otherwise."""
    try:
        value = json.loads(body, object_pairs_hook=_without_repeats)
    except (ValueError, RecursionError) as error:
        raise TokenError("not JSON") from error
    if not isinstance(value, dict):
        raise TokenError("not JSON")
    return value


def _check(header: dict[str, Any]) -> Header:
    for name in _BRINGS_KEY:
        if name in header:
            raise TokenError(f"brings its own key ({name})")
    for name in _CHANGES_RULES:
        if name in header:
            raise TokenError(f"header {name} is not understood")
    algorithm, kind = header.get("alg"), header.get("typ")
    if not isinstance(algorithm, str) or algorithm not in KEY_TYPES:
        raise TokenError("algorithm")
    if not isinstance(kind, str) or kind.upper() != "JWT":
        raise TokenError("typ")
    name, address = header.get("kid"), header.get("jku")
    if not isinstance(name, str) or not 0 < len(name) <= LONGEST_NAME:
        raise TokenError("kid")
    if address is not None and not isinstance(address, str):
        raise TokenError("jku")
    return Header(algorithm, name, address)


def _read_object(part: str) -> dict[str, Any]:
    try:
        text = part.encode("ascii")
        body = base64.b64decode(text + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error) as error:
        raise TokenError("not a signed token") from error
    return parse_object(body)


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found
