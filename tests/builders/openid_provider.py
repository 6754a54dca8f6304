"""A small OpenID Connect provider, in this process: authorisation code with PKCE."""

import hashlib
import time
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric import ec

ISSUER = "https://login.hospital.example"
CLIENT = "posology"


@dataclass
class Provider:
    """Each field can be set wrong."""

    issuer: str = ISSUER
    groups: tuple[str, ...] = ("ward-doctors",)
    claims: dict[str, Any] = field(default_factory=dict)
    """Replace those of the ID token."""
    token_endpoint: str = f"{ISSUER}/token"
    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )
    signs_with: ec.EllipticCurvePrivateKey | None = None
    algorithm: str = "ES256"
    asked: dict[str, str] = field(default_factory=dict)
    """What the browser brought to the authorisation endpoint."""

    def sign_in(self, address: str) -> dict[str, str]:
        """The person agrees: what the browser carries back."""
        parts = urlsplit(address)
        assert f"{parts.scheme}://{parts.netloc}{parts.path}" == f"{ISSUER}/authorize"
        self.asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        assert self.asked["code_challenge_method"] == "S256"
        return {"code": "the-code", "state": self.asked["state"], "iss": ISSUER}

    @property
    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self._answer)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/.well-known/openid-configuration":
            return httpx.Response(200, json=self._addresses())
        if request.url.path == "/jwks":
            algorithm = jwt.algorithms.ECAlgorithm(jwt.algorithms.ECAlgorithm.SHA256)
            key = algorithm.to_jwk(self.key.public_key(), as_dict=True)
            return httpx.Response(200, json={"keys": [key | {"kid": "1", "use": "sig"}]})
        form = {name: values[0] for name, values in parse_qs(request.content.decode()).items()}
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        challenge = urlsafe_b64encode(digest).rstrip(b"=").decode()
        if form["code"] != "the-code" or challenge != self.asked["code_challenge"]:
            return httpx.Response(400, json={"error": "invalid_grant"})
        body = {"access_token": "x", "token_type": "Bearer", "id_token": self._id_token()}
        return httpx.Response(200, json=body)

    def _addresses(self) -> dict[str, str]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{ISSUER}/authorize",
            "token_endpoint": self.token_endpoint,
            "jwks_uri": f"{ISSUER}/jwks",
        }

    def _id_token(self) -> str:
        now = int(time.time())
        body = {
            "iss": ISSUER,
            "sub": "4711",
            "aud": CLIENT,
            "iat": now,
            "exp": now + 300,
            "nonce": self.asked["nonce"],
            "name": "Dr B. Sample",
            "groups": list(self.groups),
        }
        key: Any = self.signs_with or self.key
        if self.algorithm == "HS256":
            key = "a secret that is long enough for the algorithm"
        return jwt.encode(body | self.claims, key, self.algorithm, headers={"kid": "1"})
