"""Verify the token of a system: header, key, signature, claims, and that it is new."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from jwt.api_jws import PyJWS
from jwt.exceptions import PyJWTError

from posology.service.tokens.claims import ClaimRules, Claims, check_claims
from posology.service.tokens.header import LONGEST_NAME, parse_object, split_token
from posology.service.tokens.key_ring import KeyRing
from posology.service.tokens.refusal import TokenError


class SeenNonces(Protocol):
    """Remembers nonces until their tokens expire."""

    async def is_first_use(self, issuer: str, nonce: str, until: float, now: float) -> bool:
        """Whether the nonce is new; it is remembered."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class TokenVerifier:
    """What is needed to verify tokens; one for each application."""

    keys: KeyRing
    nonces: SeenNonces
    clock: Callable[[], float]
    """Seconds since 1970."""
    rules: ClaimRules = field(default_factory=ClaimRules)

    async def verify(self, authorization: str | None, endpoint: str) -> Claims:
        """The claims of the bearer token; TokenError if anything of it is not right.

        Args:
            authorization: the header `Authorization`.
            endpoint: the exact URL that is called.
        """
        token = _bearer(authorization)
        header, unproven = split_token(token)
        issuer = unproven.get("iss")
        if not isinstance(issuer, str) or len(issuer) > LONGEST_NAME:
            raise TokenError("iss")
        key = await self.keys.find(issuer, header)
        try:
            body = PyJWS().decode(token, key.verifier(header), algorithms=[header.algorithm])
        except (PyJWTError, ValueError, TypeError) as error:
            raise TokenError("signature") from error
        now = self.clock()
        claims = check_claims(parse_object(body), endpoint, now, self.rules)
        until = claims.expires + self.rules.skew
        if not await self.nonces.is_first_use(claims.issuer, claims.nonce, until, now):
            raise TokenError("used before")
        return claims


def _bearer(authorization: str | None) -> str:
    scheme, _, token = (authorization or "").partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        raise TokenError("no bearer token")
    return token
