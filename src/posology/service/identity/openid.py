"""Sign-in of people at the hospital's own provider: OpenID Connect, authorisation code with PKCE.

OpenID Connect Core 1.0, sections 3.1.2 and 3.1.3.7; RFC 7636; RFC 9207.
"""

import secrets
import warnings
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx
import jwt

from posology.errors import UserError
from posology.language.catalogue import tr
from posology.service.identity.callers import ROLES
from posology.service.keys import read_secret_file
from posology.service.settings import OpenIdSettings

ALGORITHMS = ("RS256", "PS256", "ES256", "ES384", "EdDSA")
_SECONDS = 10.0
"""How long the provider may take."""
_LEEWAY = 60
"""Seconds by which its clock and ours may differ."""
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class SignInRefusedError(UserError):
    """The provider or its answer cannot be trusted, or the person has no role here."""


@dataclass(frozen=True, slots=True)
class Start:
    """A sign-in that was begun."""

    address: str
    """Where the browser goes."""
    memory: dict[str, object]
    """What must come back: state, nonce and verifier."""


@dataclass(frozen=True, slots=True)
class Person:
    """Whom the provider vouches for."""

    subject: str
    name: str
    roles: tuple[str, ...]


@dataclass(slots=True)
class OpenId:
    """A client of one provider."""

    settings: OpenIdSettings
    redirect_uri: str
    transport: httpx.AsyncBaseTransport | None = None
    _provider: dict[str, Any] = field(default_factory=dict)

    async def start(self) -> Start:
        """Where to sign in, and what to remember until the person is back."""
        provider = await self._read_provider()
        verifier, nonce = secrets.token_urlsafe(48), secrets.token_urlsafe(24)
        async with self._client() as client:
            address, state = client.create_authorization_url(
                provider["authorization_endpoint"], nonce=nonce, code_verifier=verifier
            )
        return Start(address, {"state": state, "nonce": nonce, "verifier": verifier})

    async def finish(self, answer: dict[str, str], memory: dict[str, object]) -> Person:
        """The person, from what the provider sent back with the browser."""
        provider = await self._read_provider()
        state = str(memory.get("state", ""))
        if not state or not _is_same(answer.get("state", ""), state):
            raise SignInRefusedError(tr("The sign-in was not begun in this browser. Begin again."))
        if answer.get("iss", provider["issuer"]) != provider["issuer"]:
            raise SignInRefusedError(tr("Another provider answered than the one that was called."))
        if "code" not in answer:
            raise SignInRefusedError(
                tr("Your hospital's sign-in page did not confirm who you are.")
            )
        try:
            async with self._client() as client:
                token = await client.fetch_token(
                    provider["token_endpoint"],
                    code=answer["code"],
                    code_verifier=str(memory["verifier"]),
                )
        except Exception as error:
            raise SignInRefusedError(tr("Your hospital refused the exchange.")) from error
        claims = await self._check(str(token.get("id_token", "")), str(memory.get("nonce", "")))
        return self._person(claims)

    def _client(self) -> Any:
        """Authlib's client of OAuth 2.0; it is read only where a provider is set up."""
        with warnings.catch_warnings():  # it warns of a successor of httpx, which is not out yet
            warnings.simplefilter("ignore")
            from authlib.integrations.httpx_client import AsyncOAuth2Client

        file = self.settings.client_secret_file
        return AsyncOAuth2Client(
            client_id=self.settings.client_id,
            client_secret=read_secret_file(file) if file else None,
            token_endpoint_auth_method="client_secret_basic" if file else "none",
            scope=self.settings.scope,
            redirect_uri=self.redirect_uri,
            code_challenge_method="S256",
            transport=self.transport,
            timeout=_SECONDS,
        )

    async def _get(self, address: str) -> Any:
        if not is_private(address):
            raise SignInRefusedError(f"{address}: the provider's addresses must begin with https.")
        try:
            async with httpx.AsyncClient(transport=self.transport, timeout=_SECONDS) as client:
                answer = await client.get(address)
                answer.raise_for_status()
                return answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise SignInRefusedError(
                tr("Your hospital's sign-in page cannot be reached.")
            ) from error

    async def _read_provider(self) -> dict[str, Any]:
        """Its addresses (OpenID Connect Discovery 1.0, section 4), read once."""
        if not self._provider:
            issuer = self.settings.issuer
            address = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
            found = await self._get(address)
            if not isinstance(found, dict) or found.get("issuer") != issuer:
                raise SignInRefusedError(f"{address} does not describe the issuer {issuer}.")
            for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
                if not is_private(str(found.get(name, ""))):
                    raise SignInRefusedError(f"{address}: {name} must begin with https.")
            self._provider = found
        return self._provider

    async def _check(self, token: str, nonce: str) -> dict[str, Any]:
        """The claims of the ID token, after every check of section 3.1.3.7."""
        keys = await self._get(self._provider["jwks_uri"])
        try:
            header = jwt.get_unverified_header(token)
            known = jwt.PyJWKSet.from_dict(keys).keys
            fitting = [k for k in known if k.key_id == header.get("kid")] or known
            claims = jwt.decode(
                token,
                fitting[0],
                algorithms=list(ALGORITHMS),
                audience=self.settings.client_id,
                issuer=self.settings.issuer,
                leeway=_LEEWAY,
                options={"require": ["exp", "iat", "sub", "nonce", "aud", "iss"]},
            )
        except (jwt.PyJWTError, AttributeError, IndexError) as error:
            raise SignInRefusedError(tr("The provider's answer is not signed.")) from error
        is_ours = claims.get("azp", self.settings.client_id) == self.settings.client_id
        if not is_ours or not _is_same(str(claims["nonce"]), nonce):
            raise SignInRefusedError(tr("The provider's answer was made for another sign-in."))
        return claims

    def _person(self, claims: dict[str, Any]) -> Person:
        given = claims.get(self.settings.roles_claim, [])
        groups = given if isinstance(given, list) else [given]
        held = {self.settings.roles.get(str(group)) for group in groups}
        roles = tuple(role for role in ROLES if role in held)
        if not roles:
            raise SignInRefusedError(
                tr(
                    "You are signed in at your hospital, but your account has no role here. Ask "
                    "an administrator of posology for one."
                )
            )
        name = str(claims.get(self.settings.name_claim) or "signed in")
        return Person(f"{claims['iss']}#{claims['sub']}", name, roles)


def _is_same(one: str, other: str) -> bool:
    """In a time that says nothing of the secret; of texts in any letters."""
    return secrets.compare_digest(one.encode(), other.encode())


def is_private(address: str) -> bool:
    """Whether nobody on the way can read or change what is sent: https, or this machine."""
    try:
        parts = urlsplit(address)
    except ValueError:  # no address at all
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
