"""The key with which the record system signs its calls, and the settings that trust it."""

import json
import os
import time
import uuid
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from posology.service.settings import Settings
from posology.service.tokens.key_sets import TrustedIssuer

ISSUER = "https://ehr.posology.example"
"""Of the demonstration's record system (RFC 2606 reserves the domain)."""
FHIR_PATH = "/ehr/fhir"
_KEY, _KEYS, _ID = "ehr-key.pem", "ehr-jwks.json", "ehr"
_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs tokens of the record system."""

    key: ec.EllipticCurvePrivateKey

    def token(self, endpoint: str) -> str:
        """A token for the endpoint with this URL."""
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "aud": endpoint,
            "iat": now,
            "exp": now + _SECONDS,
            "jti": str(uuid.uuid4()),
        }
        return jwt.encode(claims, self.key, "ES384", headers={"kid": _ID})

    def key_set(self) -> dict[str, Any]:
        """The public key, for services elsewhere that shall trust this record system."""
        jwk = ECAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        return {"keys": [{**jwk, "kid": _ID, "use": "sig", "alg": "ES384"}]}


def with_record_system(settings: Settings) -> Settings:
    """Settings of a demonstration that trust its own record system, beside those it names."""
    hooks = settings.cds_hooks
    if not settings.is_demo or any(one.issuer == ISSUER for one in hooks.issuers):
        return settings
    signer = read_signer(settings.folder)
    path = settings.folder / _KEYS
    path.write_text(json.dumps(signer.key_set()) + "\n", encoding="utf-8")
    trusted = replace(
        hooks,
        issuers=(*hooks.issuers, TrustedIssuer(ISSUER, path)),
        fhir_servers=(*hooks.fhir_servers, settings.url + FHIR_PATH),
    )
    return replace(settings, cds_hooks=trusted)


def read_signer(folder: Path) -> Signer:
    """The key of the folder, which only its owner may read; made at the first start."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / _KEY
    if not path.exists():
        pem = ec.generate_private_key(ec.SECP384R1()).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(pem)
    key = serialization.load_pem_private_key(path.read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return Signer(key)
