"""Tokens that a service must refuse, each with the statement that it tries."""

import base64
import hashlib
import hmac
import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID

from posology.conformance.calls.token_key import (
    TokenKey,
    claims_for,
    header_for,
    new_key,
    sign,
    token_of,
    valid_token,
)

FOREIGN_KEY_SET = "https://keys.foreign.example/jwks.json"


@dataclass(frozen=True, slots=True)
class Abuse:
    """A token to be refused.

    Attributes:
        statement: what fails where it is accepted.
        purpose: what is wrong with it.
        sent_twice: accepted the first time, to be refused the second.
    """

    statement: str
    purpose: str
    token: str
    sent_twice: bool = False


def abuses(key: TokenKey, audience: str, other_endpoint: str) -> tuple[Abuse, ...]:
    """Every abuse, for the endpoint with this URL.

    Args:
        other_endpoint: another endpoint of the same service.
    """
    return (
        *_algorithms(key, audience),
        *_foreign_keys(key, audience),
        *_claims(key, audience, other_endpoint),
        Abuse("jwt-replay", "sent a second time", valid_token(key, audience), sent_twice=True),
    )


def _algorithms(key: TokenKey, audience: str) -> tuple[Abuse, ...]:
    header, claims = header_for(key), claims_for(key, audience)
    public = key.private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )

    def mac(secret: bytes) -> str:
        return token_of(
            header | {"alg": "HS256"},
            claims_for(key, audience),
            lambda message: hmac.new(secret, message, hashlib.sha256).digest(),
        )

    return (
        Abuse("cds-201", "algorithm none", token_of(header | {"alg": "none"}, claims, _empty)),
        Abuse("cds-201", "algorithm nOnE", token_of(header | {"alg": "nOnE"}, claims, _empty)),
        Abuse("cds-203", "HS256 with the public key (PEM)", mac(public)),
        Abuse("cds-203", "HS256 with the public key (JWK)", mac(json.dumps(key.jwk).encode())),
        Abuse("cds-203", "HS256 with an empty secret", mac(b"")),
        Abuse(
            "cds-176",
            "a changed signature",
            token_of(header, claims, lambda message: _changed(sign(key)(message))),
        ),
        Abuse("cds-176", "no signature", token_of(header, claims, _empty)),
        Abuse("jwt-zero", "r and s are zero", token_of(header, claims, lambda _: bytes(96))),
        Abuse("jwt-garbage", "three dots", "..."),
        Abuse("jwt-garbage", "words", "not-a-token"),
    )


def _foreign_keys(key: TokenKey, audience: str) -> tuple[Abuse, ...]:
    """Tokens of a key that nobody allowed, in the name of the client."""
    foreign = new_key(key.issuer)
    own_kid = header_for(key)
    foreign_kid = header_for(foreign)

    def forged(header: dict[str, object]) -> str:
        return token_of(header, claims_for(key, audience), sign(foreign))

    chain = {"x5c": [_certificate(foreign)]}
    critical = own_kid | {"crit": ["posology-unknown"], "posology-unknown": True}
    return (
        Abuse("jwt-kid", "a foreign key under the client's kid", forged(own_kid)),
        Abuse("jwt-kid", "a foreign key under a kid of its own", forged(foreign_kid)),
        Abuse("jwt-kid", "a kid that is a path", forged(own_kid | {"kid": "../../dev/null"})),
        Abuse("jwt-jku", "a foreign jku", forged(foreign_kid | {"jku": FOREIGN_KEY_SET})),
        Abuse("jwt-jwk", "its key in jwk", forged(foreign_kid | {"jwk": foreign.jwk})),
        Abuse("jwt-x5c", "its certificate in x5c", forged(foreign_kid | chain)),
        Abuse(
            "jwt-crit",
            "an unknown crit",
            token_of(critical, claims_for(key, audience), sign(key)),
        ),
    )


def _claims(key: TokenKey, audience: str, other_endpoint: str) -> tuple[Abuse, ...]:
    now = int(time.time())
    foreign_audience = "https://elsewhere.example/cds-services"

    def claiming(changed: dict[str, object]) -> str:
        return token_of(header_for(key), claims_for(key, audience) | changed, sign(key))

    def without(name: str) -> str:
        claims = claims_for(key, audience)
        del claims[name]
        return token_of(header_for(key), claims, sign(key))

    return (
        Abuse("jwt-aud", "the audience of another service", claiming({"aud": foreign_audience})),
        Abuse("jwt-aud", "no audience", without("aud")),
        Abuse("jwt-path", "the audience of another endpoint", claiming({"aud": other_endpoint})),
        Abuse("jwt-exp", "expired an hour ago", claiming({"iat": now - 7200, "exp": now - 3600})),
        Abuse("jwt-nbf", "valid in an hour", claiming({"nbf": now + 3600})),
        Abuse("cds-195", "another issuer", claiming({"iss": "https://issuer.foreign.example"})),
        *(Abuse("jwt-claims", f"no {name}", without(name)) for name in ("exp", "iat", "jti")),
    )


def _empty(_message: bytes) -> bytes:
    return b""


def _changed(signature: bytes) -> bytes:
    """The signature with one bit turned."""
    return bytes([*signature[:-1], signature[-1] ^ 1])


def _certificate(key: TokenKey) -> str:
    """A certificate of the key signed by itself, as x5c holds it (RFC 7515 4.1.6)."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "conform")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key.private, hashes.SHA384())
    )
    return base64.b64encode(certificate.public_bytes(serialization.Encoding.DER)).decode()
