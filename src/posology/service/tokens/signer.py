"""Keys and tokens of a system that calls the service: for trying it, and for small callers."""

import json
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from posology.errors import UserError
from posology.records.io.drafts import write_secret, write_whole

SECONDS = 300
"""How long a token lives."""


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs the tokens of one system (ES384)."""

    key: ec.EllipticCurvePrivateKey
    issuer: str
    name: str
    """Of the key in its key set."""

    def token(self, endpoint: str) -> str:
        """A token for the endpoint with this URL; the service takes it once."""
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": endpoint,
            "iat": now,
            "exp": now + SECONDS,
            "jti": str(uuid.uuid4()),
        }
        return jwt.encode(claims, self.key, "ES384", headers={"kid": self.name})

    def key_set(self) -> dict[str, Any]:
        """The public key, for services that shall trust this system."""
        jwk = ECAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        return {"keys": [{**jwk, "kid": self.name, "use": "sig", "alg": "ES384"}]}


def read_signer(path: Path, issuer: str, name: str) -> Signer:
    """The key of the file, which only its owner may read; made where there is none."""
    if not path.exists():
        pem = ec.generate_private_key(ec.SECP384R1()).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        write_secret(path, pem)
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), None)
    except (ValueError, TypeError) as error:
        raise UserError(f"{path}: holds no private key without a password.") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != "secp384r1":
        raise UserError(f"{path}: is no key of the curve P-384; name a new file to make one.")
    return Signer(key, issuer, name)


def write_key_set(signer: Signer, path: Path) -> None:
    """The key set as a file, which the settings of a service name."""
    write_whole(path, json.dumps(signer.key_set()) + "\n")
