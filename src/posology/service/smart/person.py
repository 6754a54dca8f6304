"""Who came with a launch: the identity token of the record system (OpenID Connect Core 1.0)."""

from typing import Any

import httpx
from jwt.api_jws import PyJWS
from jwt.exceptions import PyJWTError

from posology.language.catalogue import deferred, tr
from posology.service.fhir.client import fetch_key_set
from posology.service.smart.authorization import Pending
from posology.service.smart.errors import LaunchError
from posology.service.tokens.header import KEY_TYPES, Header, parse_object
from posology.service.tokens.key_sets import read_key_set
from posology.service.tokens.refusal import TokenError

SKEW = 60.0
"""Seconds by which clocks may differ."""
_UNKNOWN = deferred("The record system does not prove who you are.")


async def read_person(
    client: httpx.AsyncClient, pending: Pending, token: str, now: float
) -> tuple[str, str]:
    """Subject and name of the person; LaunchError if the token is not for us, now and this launch.

    The subject is opaque: the issuer and its own id of the person.
    """
    try:
        address = pending.configuration.jwks_uri
        keys = read_key_set(parse_object(await fetch_key_set(client, address)))
        header = PyJWS().get_unverified_header(token)
        algorithm = str(header.get("alg"))
        key = keys.get(str(header.get("kid")))
        if algorithm not in KEY_TYPES or key is None:
            raise LaunchError(tr(_UNKNOWN))
        verifier = key.verifier(Header(algorithm, key.name, None))
        claims = parse_object(PyJWS().decode(token, verifier, algorithms=[algorithm]))
    except (PyJWTError, TokenError, OSError, ValueError) as error:
        raise LaunchError(tr(_UNKNOWN)) from error
    _check(claims, pending, now)
    subject = claims.get("fhirUser") or claims.get("sub")
    name = claims.get("name")
    if not isinstance(subject, str) or not 0 < len(subject) <= 300:
        raise LaunchError(tr(_UNKNOWN))
    is_name = isinstance(name, str) and 0 < len(name) <= 100
    return f"{claims['iss']}#{subject}", str(name) if is_name else "Record system"


def _check(claims: dict[str, Any], pending: Pending, now: float) -> None:
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    issuers = {pending.configuration.issuer or pending.server.fhir}
    expires, nonce = claims.get("exp"), claims.get("nonce")
    is_valid = (
        claims.get("iss") in issuers
        and pending.server.client_id in audiences
        and isinstance(expires, int | float)
        and expires + SKEW > now
        and nonce == pending.nonce
    )
    if not is_valid:
        raise LaunchError(tr(_UNKNOWN))
