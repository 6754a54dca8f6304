"""Who may call: HTTPS, tokens, browsers."""

from ipaddress import ip_address
from urllib.parse import urlsplit

from posology.conformance.calls.exchange import Exchange
from posology.conformance.calls.transcript import AbuseCall, Transcript
from posology.conformance.ledger import Ledger

_OPEN = "the service wants no token"
_OF_TOKENS = (
    "cds-176", "cds-195", "cds-199", "cds-201", "cds-203", "jwt-kid", "jwt-jku", "jwt-jwk",
    "jwt-x5c", "jwt-crit", "jwt-zero", "jwt-garbage", "jwt-aud", "jwt-exp", "jwt-nbf",
    "jwt-path", "jwt-replay", "jwt-claims",
)  # fmt: skip


def check_trust(ledger: Ledger, transcript: Transcript, has_key: bool) -> None:
    """Statements 2, 168, 176, 177, 195, 199, 201, 203, 208 and the abuse of tokens."""
    _check_https(ledger, transcript.base)
    if has_key:
        _check_tokens(ledger, transcript)
    else:
        what = f"discovery without a token: {transcript.discovery[0].outcome()}"
        ledger.expect("cds-177", not transcript.discovery[0].succeeded, "discovery", what)
    for exchange in transcript.preflight:
        problem = _preflight_problem(exchange)
        ledger.expect("cds-208", not problem, f"preflight of {exchange.url}", problem)


def _check_https(ledger: Ledger, base: str) -> None:
    parts = urlsplit(base)
    if parts.scheme != "https" and is_this_machine(parts.hostname or ""):
        return
    for statement in ("cds-2", "cds-168"):
        ledger.expect(statement, parts.scheme == "https", "discovery", f"scheme {parts.scheme}")


def is_this_machine(host: str) -> bool:
    """Whether a host is the loopback of this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _check_tokens(ledger: Ledger, transcript: Transcript) -> None:
    for exchange in transcript.plain:
        what = f"a call without a token has {exchange.outcome()}"
        ledger.expect("cds-177", exchange.refused, _endpoint(exchange), what)
    if not transcript.abuse:
        for statement in _OF_TOKENS:
            ledger.skip(statement, _OPEN)
        return
    # The tester's own tokens name no jku: their key set was agreed beforehand.
    for call in transcript.of_kind("all data"):
        is_taken = call.exchange.status not in {401, 403}
        ledger.expect("cds-199", is_taken, call.where, call.exchange.outcome())
    for call in transcript.abuse:
        _check_abuse(ledger, call)


def _check_abuse(ledger: Ledger, call: AbuseCall) -> None:
    what = f"{call.abuse.purpose}: {call.exchange.outcome()}"
    where = _endpoint(call.exchange)
    ledger.expect(call.abuse.statement, call.exchange.refused, where, what)


def _endpoint(exchange: Exchange) -> str:
    return f"{exchange.request.method} {urlsplit(exchange.url).path}"


def _preflight_problem(exchange: Exchange) -> str:
    wanted = exchange.request.headers
    origin = exchange.headers.get("access-control-allow-origin", "")
    if not exchange.succeeded:
        return exchange.outcome()
    if origin not in {"*", wanted["Origin"]}:
        return f"allowed origin {origin or 'none'}"
    allowed = exchange.headers.get("access-control-allow-headers", "").lower()
    lacking = [name for name in ("authorization", "content-type") if name not in allowed]
    return f"header {lacking[0]} is not allowed" if lacking else ""
