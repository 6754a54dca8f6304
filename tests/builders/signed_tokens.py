"""Keys and tokens of a made-up hospital's record system."""

import base64
import functools
import json
import uuid
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

ISSUER = "https://ehr.example.org"
JKU = "https://ehr.example.org/jwks.json"
NOW = 1_795_000_000.0
"""Seconds since 1970: the tests' clock."""


@functools.cache
def ec_key(name: str = "ehr-1") -> ec.EllipticCurvePrivateKey:
    """A P-384 key; the same for the same name."""
    return ec.generate_private_key(ec.SECP384R1())


@functools.cache
def rsa_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    """An RSA key; the same for the same size."""
    return rsa.generate_private_key(65537, bits)


def jwk_of(key: Any, name: str, **more: Any) -> dict[str, Any]:
    """The public key as a JWK."""
    kind = RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else ECAlgorithm
    return {**kind.to_jwk(key.public_key(), as_dict=True), "kid": name, "use": "sig", **more}


def key_set() -> dict[str, Any]:
    """What the hospital publishes."""
    return {"keys": [jwk_of(ec_key(), "ehr-1", alg="ES384")]}


def claims(endpoint: str, **changes: Any) -> dict[str, Any]:
    """Good claims of now; a change to None leaves the claim out."""
    body = {
        "iss": ISSUER,
        "aud": endpoint,
        "iat": int(NOW),
        "exp": int(NOW) + 300,
        "jti": str(uuid.uuid4()),
        **changes,
    }
    return {name: value for name, value in body.items() if value is not None}


def sign(body: dict[str, Any], key: Any = None, algorithm: str = "ES384", **header: Any) -> str:
    """The claims as a signed token."""
    header = {"kid": "ehr-1", "typ": "JWT", **header}
    return jwt.encode(body, ec_key() if key is None else key, algorithm, headers=header)


def bearer(endpoint: str, **changes: Any) -> dict[str, str]:
    """The header of a good call."""
    return {"Authorization": f"Bearer {sign(claims(endpoint, **changes))}"}


def raw_token(
    header: dict[str, Any] | str, body: dict[str, Any] | str, signature: str = "c2ln"
) -> str:
    """A token put together by hand."""
    return ".".join([_encoded(header), _encoded(body), signature])


def _encoded(part: dict[str, Any] | str) -> str:
    text = part if isinstance(part, str) else json.dumps(part)
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()
