"""What a record system says about itself: `.well-known/smart-configuration` (SMART 2.2)."""

from dataclasses import dataclass
from typing import Any

import httpx

from posology.language.catalogue import tr
from posology.service.fhir.client import FetchError, read_json
from posology.service.identity.openid import is_private
from posology.service.smart.errors import LaunchError

_UNREACHABLE = "The record system does not say how to sign in."


@dataclass(frozen=True, slots=True)
class Configuration:
    """Addresses of the authorisation server of a record system."""

    authorization_endpoint: str
    token_endpoint: str
    issuer: str
    """Of its identity tokens."""
    jwks_uri: str
    """Keys of its identity tokens."""


async def read_configuration(client: httpx.AsyncClient, fhir: str) -> Configuration:
    """The configuration of a FHIR server on the list; LaunchError if it cannot be used."""
    address = f"{fhir.rstrip('/')}/.well-known/smart-configuration"
    try:
        body = await read_json(client, address, {"Accept": "application/json"})
    except FetchError as error:
        raise LaunchError(_UNREACHABLE) from error
    methods = body.get("code_challenge_methods_supported")
    if not isinstance(methods, list) or "S256" not in methods:
        raise LaunchError(tr("The record system does not support PKCE with S256."))
    return Configuration(
        _address(body, "authorization_endpoint"),
        _address(body, "token_endpoint"),
        str(body.get("issuer") or ""),
        _address(body, "jwks_uri"),
    )


def _address(body: dict[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not is_private(value):
        raise LaunchError(f"The record system's {name} is not an address that begins with https.")
    return value
