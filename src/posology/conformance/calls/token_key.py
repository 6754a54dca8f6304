"""The tester's own key: made, kept, shown as a key set, and used to sign tokens."""

import base64
import hashlib
import json
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from posology.errors import UserError
from posology.records.io.drafts import write_secret, write_whole

KEY_FILE, SET_FILE = "conform-key.pem", "jwks.json"
ISSUER = "https://conform.posology.example"
"""Issuer of the tester's tokens unless another is named (RFC 2606 reserves the domain)."""
LIFETIME = 300
"""Seconds that a token is valid, as in HL7's own sandbox."""


@dataclass(frozen=True, slots=True)
class TokenKey:
    """A private key on P-384 (ES384), with the issuer that it speaks for."""

    private: ec.EllipticCurvePrivateKey
    issuer: str = ISSUER

    @property
    def jwk(self) -> dict[str, str]:
        """The public key as a JSON Web Key; its id is its thumbprint (RFC 7638)."""
        numbers = self.private.public_key().public_numbers()
        key = {
            "crv": "P-384",
            "kty": "EC",
            "x": encode_base64(numbers.x.to_bytes(48, "big")),
            "y": encode_base64(numbers.y.to_bytes(48, "big")),
        }
        thumb = hashlib.sha256(json.dumps(key, separators=(",", ":")).encode()).digest()
        return key | {"kid": encode_base64(thumb), "use": "sig", "alg": "ES384"}


def new_key(issuer: str = ISSUER) -> TokenKey:
    """A fresh key."""
    return TokenKey(ec.generate_private_key(ec.SECP384R1()), issuer)


def make_key(folder: Path) -> TokenKey:
    """Write a key (mode 0600) and its key set into a folder; UserError where one is there.

    Where there is the key alone, as a killed run leaves it, its key set is written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / KEY_FILE
    if path.exists() and (folder / SET_FILE).exists():
        raise UserError(f"{path}: is there already; name another folder.")
    key = read_key(path) if path.exists() else _write_new_key(path)
    text = json.dumps({"keys": [key.jwk]}, indent=2) + "\n"
    write_whole(folder / SET_FILE, text)
    return key


def _write_new_key(path: Path) -> TokenKey:
    key = new_key()
    pem = key.private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    write_secret(path, pem)
    return key


def read_key(path: Path, issuer: str = ISSUER) -> TokenKey:
    """A key that `make_key` wrote; UserError where the file holds none."""
    try:
        private = serialization.load_pem_private_key(path.read_bytes(), None)
    except (OSError, ValueError, TypeError) as error:
        raise UserError(
            f"{path}: holds no private key ({error}); make one with posology conform --make-key."
        ) from error
    if not isinstance(private, ec.EllipticCurvePrivateKey) or private.key_size != 384:
        raise UserError(
            f"{path}: the key is not of curve P-384 (ES384); make one with "
            "posology conform --make-key."
        )
    return TokenKey(private, issuer)


def claims_for(key: TokenKey, audience: str) -> dict[str, Any]:
    """The claims of a valid token for one endpoint."""
    now = int(time.time())
    return {
        "iss": key.issuer,
        "aud": audience,
        "iat": now,
        "exp": now + LIFETIME,
        "jti": str(uuid.uuid4()),
    }


def header_for(key: TokenKey) -> dict[str, Any]:
    """The header of a valid token."""
    return {"alg": "ES384", "typ": "JWT", "kid": key.jwk["kid"]}


def sign(key: TokenKey) -> Callable[[bytes], bytes]:
    """The signature of ES384: r and s, 48 bytes each (RFC 7518 3.4)."""

    def signature(message: bytes) -> bytes:
        r, s = decode_dss_signature(key.private.sign(message, ec.ECDSA(hashes.SHA384())))
        return r.to_bytes(48, "big") + s.to_bytes(48, "big")

    return signature


def token_of(
    header: dict[str, Any], claims: dict[str, Any], signature: Callable[[bytes], bytes]
) -> str:
    """A token in compact form (RFC 7515 7.1)."""
    parts = [encode_base64(json.dumps(part).encode()) for part in (header, claims)]
    message = ".".join(parts)
    return f"{message}.{encode_base64(signature(message.encode()))}"


def valid_token(key: TokenKey, audience: str) -> str:
    """A token that a service which trusts the key must accept."""
    return token_of(header_for(key), claims_for(key, audience), sign(key))


def encode_base64(data: bytes) -> str:
    """Base64 for URLs without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
