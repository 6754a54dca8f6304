"""A record system that launches SMART apps as SMART App Launch 2.2 describes it, in memory.

Its authorisation server knows one client, one redirect address and one launch; it checks PKCE, and
each code is used once. `broken` names one thing that it does wrong, to test that we notice.
"""

import base64
import hashlib
import json
import secrets
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx

from tests.builders.hook_calls import PATIENT, searchset
from tests.builders.signed_tokens import ec_key, jwk_of, key_set, raw_token, sign

BASE = "https://ehr.example.org"
FHIR = f"{BASE}/fhir"
CLIENT = "posology"
_TOKEN_REPLIES = {
    "refuses": httpx.Response(400, json={"error": "invalid_grant"}),
    "token error": httpx.Response(200, json={"error": "server_error"}),
    "no JSON": httpx.Response(200, text="<html>Sign in</html>"),
    "token is a list": httpx.Response(200, json=["token"]),
    "token elsewhere": httpx.Response(307, headers={"location": f"{BASE}/elsewhere"}),
}


@dataclass(slots=True)
class Launcher:
    """The record system."""

    redirect_uri: str
    launch: str = "launch-1"
    broken: str = ""
    app_context: str = ""
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    tokens: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    """Addresses that were read by the service."""

    def authorize(self, address: str) -> str:
        """What the browser meets at the authorisation endpoint: where it is sent back."""
        parts = urlsplit(address)
        assert f"{parts.scheme}://{parts.netloc}{parts.path}" == f"{BASE}/auth/authorize"
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        assert query["response_type"] == "code"
        assert query["client_id"] == CLIENT
        assert query["redirect_uri"] == self.redirect_uri
        assert query["aud"] == FHIR
        assert query["code_challenge_method"] == "S256"
        assert len(query["code_challenge"]) == 43
        assert len(query["state"]) >= 32
        scopes = query["scope"].split()
        assert {"openid", "fhirUser", "patient/Patient.rs"} <= set(scopes)
        assert ("launch" in query) == ("launch" in scopes)
        assert ("launch" in query) != ("launch/patient" in scopes)
        assert query.get("launch", self.launch) == self.launch
        code = secrets.token_urlsafe(16)
        self.codes[code] = query
        return f"{self.redirect_uri}?{urlencode({'code': code, 'state': query['state']})}"

    def handle(self, request: httpx.Request) -> httpx.Response:
        """What its servers answer."""
        path = request.url.path
        self.asked.append(f"{request.method} {path}")
        if path == "/fhir/.well-known/smart-configuration":
            return httpx.Response(200, json=self._configuration())
        if path == "/auth/jwks":
            return httpx.Response(200, json=key_set())
        if path == "/auth/token" and request.method == "POST":
            return self._exchange(request)
        if request.headers.get("authorization", "").removeprefix("Bearer ") not in self.tokens:
            return httpx.Response(401)
        if self.broken == "scope refused":
            return httpx.Response(403)
        if path == "/fhir/Patient/p-1":
            return httpx.Response(200, json=PATIENT)
        return httpx.Response(200, json=searchset())

    def _configuration(self) -> dict[str, Any]:
        http = self.broken == "http"
        methods = {"plain": ["plain"], "no PKCE": None}.get(self.broken, ["S256"])
        return {
            "issuer": BASE,
            "jwks_uri": f"{BASE}/auth/jwks",
            "authorization_endpoint": f"{BASE}/auth/authorize",
            "token_endpoint": f"{BASE.replace('https', 'http') if http else BASE}/auth/token",
            "capabilities": ["launch-ehr", "launch-standalone", "client-public"],
            "code_challenge_methods_supported": methods,
        }

    def _exchange(self, request: httpx.Request) -> httpx.Response:
        form = {name: values[0] for name, values in parse_qs(request.content.decode()).items()}
        asked = self.codes.pop(form.get("code", ""), None)
        if self.broken in _TOKEN_REPLIES:
            return _TOKEN_REPLIES[self.broken]
        if asked is None:
            return httpx.Response(400, json={"error": "invalid_grant"})
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        assert challenge == asked["code_challenge"]
        assert form["redirect_uri"] == asked["redirect_uri"]
        assert (form["grant_type"], form["client_id"]) == ("authorization_code", CLIENT)
        token = secrets.token_urlsafe(16)
        self.tokens.add(token)
        body = {
            "access_token": token,
            "token_type": "mac" if self.broken == "token type" else "Bearer",
            "expires_in": 300,
            "scope": asked["scope"],
            "patient": {"no patient": None, "patient is a path": "../x"}.get(self.broken, "p-1"),
            "id_token": self._identity(asked["nonce"]),
            "appContext": self.app_context or None,
        }
        kept = {name: value for name, value in body.items() if value is not None}
        return httpx.Response(200, content=json.dumps(kept))

    def _identity(self, nonce: str) -> str | None:
        now = int(time.time())
        changes: dict[str, dict[str, Any]] = {
            "nonce": {"nonce": "another"},
            "audience": {"aud": "another"},
            "issuer": {"iss": "https://evil.org"},
            "expired": {"exp": now - 600},
            "nobody": {"sub": None, "fhirUser": None},
        }
        claims = {
            "iss": BASE,
            "sub": "d-7",
            "aud": CLIENT,
            "iat": now,
            "exp": now + 300,
            "nonce": nonce,
            "fhirUser": f"{FHIR}/Practitioner/d-7",
            "name": "Dr A. Example",
        } | changes.get(self.broken, {})
        if self.broken == "no identity":
            return None
        if self.broken == "unsigned":
            return raw_token({"alg": "none", "typ": "JWT", "kid": "ehr-1"}, claims)
        if self.broken == "shared secret":
            return sign(claims, b"posology" * 4, "HS256")
        key = ec_key("somebody else") if self.broken == "key" else ec_key()
        assert jwk_of(ec_key(), "ehr-1")["kid"] == "ehr-1"
        return sign({name: value for name, value in claims.items() if value is not None}, key)
