"""Ask a record system for a token: authorisation code with PKCE (RFC 7636, SMART 2.2)."""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import httpx
import orjson

from posology.language.catalogue import tr
from posology.service.cds_hooks.queries import Query
from posology.service.keys import read_secret_file
from posology.service.smart.errors import LaunchError
from posology.service.smart.pending import Pending

_FHIR_ID = 64


@dataclass(frozen=True, slots=True)
class Grant:
    """What the record system gave for the code."""

    access_token: str = field(repr=False)
    identity_token: str = field(repr=False)
    patient: str
    app_context: str
    """What a card's link carried; "" if nothing."""


def authorization_address(
    pending: Pending, redirect_uri: str, queries: Sequence[Query], launch: str
) -> str:
    """Where the browser goes. `launch` is empty for a standalone launch."""
    digest = hashlib.sha256(pending.verifier.encode()).digest()
    challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    kinds = dict.fromkeys(query.kind for query in queries)
    reads = [f"patient/{kind}.rs" for kind in kinds]
    if "MedicationRequest" in kinds:
        reads.append("patient/Medication.rs")
    first = "launch" if launch else "launch/patient"
    parameters = {
        "response_type": "code",
        "client_id": pending.server.client_id,
        "redirect_uri": redirect_uri,
        "scope": " ".join([first, "openid", "fhirUser", *reads]),
        "state": pending.state,
        "aud": pending.server.fhir,
        "nonce": pending.nonce,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
        **({"launch": launch} if launch else {}),
    }
    address = pending.configuration.authorization_endpoint
    return f"{address}{'&' if '?' in address else '?'}{urlencode(parameters)}"


async def exchange(
    client: httpx.AsyncClient, pending: Pending, code: str, redirect_uri: str
) -> Grant:
    """The token for a code; LaunchError if the record system refuses or answers something else."""
    server = pending.server
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": redirect_uri,
        "code_verifier": pending.verifier,
    }
    auth: httpx.Auth = httpx.Auth()
    if server.client_secret_file is None:
        form["client_id"] = server.client_id
    else:
        auth = httpx.BasicAuth(server.client_id, read_secret_file(server.client_secret_file))
    try:
        reply = await client.post(
            pending.configuration.token_endpoint,
            data=form,
            auth=auth,
            headers={"Accept": "application/json"},
        )
        body = orjson.loads(reply.content)
    except (httpx.HTTPError, orjson.JSONDecodeError) as error:
        raise LaunchError(tr("The record system did not answer with a token.")) from error
    if reply.status_code != 200 or not isinstance(body, dict):
        raise LaunchError(tr("The record system refused the launch."))
    return _grant(body)


def _grant(body: dict[str, Any]) -> Grant:
    token, kind, patient = body.get("access_token"), body.get("token_type"), body.get("patient")
    if not isinstance(token, str) or not token or str(kind).lower() != "bearer":
        raise LaunchError(tr("The record system did not answer with a token."))
    if not isinstance(patient, str) or not 0 < len(patient) <= _FHIR_ID:
        raise LaunchError(tr("The record system names no patient. Choose one, then open the page."))
    if not all(c.isalnum() or c in "-." for c in patient):
        raise LaunchError(tr("The record system names no patient. Choose one, then open the page."))
    context = body.get("appContext")
    return Grant(
        token,
        str(body.get("id_token") or ""),
        patient,
        context if isinstance(context, str) else "",
    )
