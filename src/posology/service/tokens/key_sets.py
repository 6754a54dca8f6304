"""Key sets (JWKS, RFC 7517): files that were exchanged beforehand, or addresses on a list."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jwt import PyJWK
from jwt.exceptions import PyJWTError

from posology.errors import UserError
from posology.service.tokens.header import KEY_TYPES, Header, parse_object
from posology.service.tokens.refusal import TokenError

SMALLEST_RSA = 2048
"""Bits (RFC 7518, 3.3)."""


@dataclass(frozen=True, slots=True)
class TrustedIssuer:
    """A system whose tokens are accepted."""

    issuer: str
    """Its `iss`, exactly."""
    keys: Path | None = None
    """Its key set as a file, exchanged beforehand."""
    key_sets: tuple[str, ...] = ()
    """Addresses (`jku`) from which its key set may be fetched. No other address is followed."""
    roles: tuple[str, ...] = ("clinician",)
    """What it may do besides CDS Hooks: the roles of the JSON API."""


@dataclass(frozen=True, slots=True, eq=False)
class PublicKey:
    """A public key of an issuer, ready to verify."""

    name: str
    kind: str
    """`EC`, `RSA` or `OKP`."""
    curve: str
    """Of `EC` and `OKP`."""
    algorithm: str
    """The only algorithm that it may be used with; "" if its set does not say."""
    jwk: Mapping[str, Any]

    def verifier(self, header: Header) -> PyJWK:
        """The key for the header's algorithm; TokenError if it is a key of another kind."""
        kind, curve = KEY_TYPES[header.algorithm]
        if self.kind != kind or (curve and self.curve != curve):
            raise TokenError("the key is not one of this algorithm")
        if self.algorithm not in ("", header.algorithm):
            raise TokenError("the key is not one of this algorithm")
        return PyJWK(dict(self.jwk), algorithm=header.algorithm)


def read_key_file(path: Path) -> dict[str, PublicKey]:
    """The keys of a file by their names. UserError names the file and the mend."""
    try:
        body = parse_object(path.read_bytes())
        keys = read_key_set(body)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); it holds a JWKS.") from error
    except TokenError as error:
        raise UserError(f'{path}: is not a JWKS; it needs {{"keys": [..]}}.') from error
    if not keys:
        raise UserError(
            f"{path}: has no public key for signatures with a `kid`; symmetric, private and short "
            "keys are not used."
        )
    return keys


def read_key_set(body: Mapping[str, Any]) -> dict[str, PublicKey]:
    """The usable keys of a set by their names; others are left out, as RFC 7517 wants."""
    entries = body.get("keys")
    if not isinstance(entries, list):
        raise TokenError("not a key set")
    found: dict[str, PublicKey] = {}
    for key in _usable(entries):
        if key.name in found:
            raise TokenError("two keys of one name")
        found[key.name] = key
    return found


def _usable(entries: Iterable[Any]) -> Iterable[PublicKey]:
    for jwk in entries:
        key = _read_key(jwk) if isinstance(jwk, dict) else None
        if key is not None:
            yield key


def _read_key(jwk: dict[str, Any]) -> PublicKey | None:
    """The key; None if it is symmetric, private, for encryption, too short or malformed."""
    name, kind, curve = jwk.get("kid"), jwk.get("kty"), jwk.get("crv") or ""
    if not isinstance(name, str) or not name or kind not in ("EC", "RSA", "OKP") or "d" in jwk:
        return None
    is_for_signing = jwk.get("use") in (None, "sig") and "verify" in jwk.get("key_ops", ["verify"])
    if not is_for_signing:
        return None
    fitting = [a for a, pair in KEY_TYPES.items() if pair == (kind, curve if kind != "RSA" else "")]
    declared = jwk.get("alg") or ""
    if not fitting or (declared and declared not in fitting):
        return None
    try:
        key: Any = PyJWK(jwk, algorithm=declared or fitting[0]).key
    except (PyJWTError, ValueError, TypeError, KeyError):
        return None
    if kind == "RSA" and key.key_size < SMALLEST_RSA:
        return None
    return PublicKey(name, kind, curve, declared, jwk)
