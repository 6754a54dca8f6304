"""The system that sends a request, by its token: every route of systems asks this."""

import time

from starlette.requests import Request

from posology.errors import UserError
from posology.service.cds_hooks.settings import CdsHooksSettings
from posology.service.errors import NotSignedInError
from posology.service.fhir.client import fetch_key_set, make_client
from posology.service.identity.callers import Caller, Identify
from posology.service.problems import request_id_of
from posology.service.settings import Settings
from posology.service.store.nonces import save_nonce, unexpired_nonces, use_nonce
from posology.service.store.store import Store
from posology.service.tokens.claims import ClaimRules
from posology.service.tokens.key_ring import make_key_ring
from posology.service.tokens.refusal import TokenError
from posology.service.tokens.replay import ReplayMemory
from posology.service.tokens.verify import TokenVerifier

_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_REFUSED = "The token is not accepted. The service's log says why."
OPEN = Caller("anybody", "system", ("clinician",))
"""Of a demonstration on loopback that asks for no tokens."""


def make_verifier(settings: CdsHooksSettings, store: Store | None = None) -> TokenVerifier:
    """The verifier of these settings. UserError names the key file or issuer that is wrong.

    Args:
        store: keeps nonces for the next start, and for other services on the same database.
    """
    network = make_client()

    async def fetch(address: str) -> bytes:
        return await fetch_key_set(network, address)

    ring = make_key_ring(settings.issuers, fetch)
    rules = ClaimRules(settings.clock_skew, settings.longest_token_life)
    return TokenVerifier(ring, _make_memory(store), time.time, rules)


def _make_memory(store: Store | None) -> ReplayMemory:
    if store is None:
        return ReplayMemory()

    async def keep(key: str, until: float, now: float) -> bool:
        if store.is_shared:
            return await store.write(use_nonce, key, until, now)
        store.write_later(save_nonce, key, until, now)
        return True

    known = store.read_now(unexpired_nonces, time.time())
    return ReplayMemory(keep=keep, known=known)


def identify_by_token(verifier: TokenVerifier, url: str) -> Identify:
    """The function that finds the caller of a request.

    Args:
        url: address of the service as callers know it, without a slash at the end.
    """

    async def identify(request: Request) -> Caller | None:
        authorization = request.headers.get("authorization")
        if authorization is None or not authorization.lower().startswith("bearer "):
            return None
        try:
            claims = await verifier.verify(authorization, f"{url}{request.url.path}")
        except TokenError as error:
            log = request.app.state.deployment.log
            log.warning("token_refused", request=request_id_of(request), reason=error.reason)
            raise NotSignedInError(_REFUSED) from error
        roles = verifier.keys.issuers[claims.issuer].roles
        return Caller(claims.issuer, "system", roles)

    return identify


def identify_system(settings: Settings, store: Store | None = None) -> Identify:
    """How these settings find the system that calls."""
    hooks = settings.cds_hooks
    if hooks.require_token:
        return identify_by_token(make_verifier(hooks, store), settings.url)
    if not (settings.is_demo and settings.host in _LOOPBACK):
        raise UserError(
            "cds_hooks, require_token: is false; only a demonstration (--demo) on 127.0.0.1 may "
            "answer without tokens."
        )
    return identify_anybody


async def identify_anybody(request: Request) -> Caller:
    """Every caller is the same system: for a demonstration on loopback only."""
    del request
    return OPEN
