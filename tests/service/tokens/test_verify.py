import asyncio
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from posology.errors import UserError
from posology.service.tokens.claims import ClaimRules
from posology.service.tokens.key_ring import KeyRing, make_key_ring
from posology.service.tokens.key_sets import TrustedIssuer, read_key_file
from posology.service.tokens.refusal import TokenError
from posology.service.tokens.replay import ReplayMemory
from posology.service.tokens.verify import TokenVerifier
from tests.builders.signed_tokens import (
    ISSUER,
    JKU,
    NOW,
    claims,
    ec_key,
    jwk_of,
    key_set,
    raw_token,
    rsa_key,
    sign,
)

ENDPOINT = "https://cds.example.org/cds-services/warfarin"


class Network:
    """Answers every address with one key set, and counts."""

    def __init__(self, body: dict[str, Any]) -> None:
        self.body, self.asked = body, list[str]()

    async def fetch(self, address: str) -> bytes:
        self.asked.append(address)
        return json.dumps(self.body).encode()


def verifier(network: Network, issuers: list[TrustedIssuer] | None = None) -> TokenVerifier:
    trusted = issuers or [TrustedIssuer(ISSUER, key_sets=(JKU,))]
    ring = make_key_ring(trusted, network.fetch)
    return TokenVerifier(ring, ReplayMemory(), lambda: NOW)


def verify(token: str, guard: TokenVerifier | None = None) -> Any:
    guard = guard or verifier(Network(key_set()))
    return asyncio.run(guard.verify(f"Bearer {token}", ENDPOINT))


def _hmac_with_public_key() -> str:
    """The classic confusion: HS256, with the public key as the shared secret."""
    pem = (
        ec_key()
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    token = raw_token({"alg": "HS256", "typ": "JWT", "kid": "ehr-1"}, claims(ENDPOINT))
    message = token.rpartition(".")[0]
    mac = hmac.new(pem, message.encode(), hashlib.sha256).hexdigest()
    return raw_token({"alg": "HS256", "typ": "JWT", "kid": "ehr-1"}, claims(ENDPOINT), mac)


GOOD = {"alg": "ES384", "typ": "JWT", "kid": "ehr-1"}
OTHER = ec_key("somebody else")
ABUSES: dict[str, tuple[Any, str]] = {
    "no signature": (lambda: raw_token({**GOOD, "alg": "none"}, claims(ENDPOINT)), "algorithm"),
    "none in capitals": (lambda: raw_token({**GOOD, "alg": "NONE"}, claims(ENDPOINT)), "algorithm"),
    "two parts": (lambda: sign(claims(ENDPOINT)).rpartition(".")[0], "not a signed token"),
    "empty signature": (
        lambda: sign(claims(ENDPOINT)).rpartition(".")[0] + ".",
        "not a signed token",
    ),
    "five parts, encrypted": (lambda: "a.b.c.d.e", "not a signed token"),
    "HMAC with the public key": (_hmac_with_public_key, "algorithm"),
    "algorithm no text": (lambda: raw_token({**GOOD, "alg": ["ES384"]}, claims(ENDPOINT)), "algor"),
    "no algorithm": (lambda: raw_token({"typ": "JWT", "kid": "x"}, claims(ENDPOINT)), "algorithm"),
    "another type": (lambda: sign(claims(ENDPOINT), typ="at+jwt"), "typ"),
    "no type": (lambda: raw_token({"alg": "ES384", "kid": "x"}, claims(ENDPOINT)), "typ"),
    "no key name": (lambda: raw_token({"alg": "ES384", "typ": "JWT"}, claims(ENDPOINT)), "kid"),
    "unknown key name": (lambda: sign(claims(ENDPOINT), kid="ehr-9"), "no such key"),
    "key name as a path": (lambda: sign(claims(ENDPOINT), kid="../../etc/passwd"), "no such key"),
    "crit": (lambda: sign(claims(ENDPOINT), crit=["exp"], exp=1), "crit"),
    "crit, unencoded payload": (lambda: raw_token({**GOOD, "b64": False}, claims(ENDPOINT)), "b64"),
    "compressed": (lambda: sign(claims(ENDPOINT), zip="DEF"), "zip"),
    "nested": (lambda: sign(claims(ENDPOINT), cty="JWT"), "cty"),
    "own key in the header": (
        lambda: sign(claims(ENDPOINT), OTHER, jwk=jwk_of(OTHER, "ehr-1")),
        "jwk",
    ),
    "own certificate": (lambda: sign(claims(ENDPOINT), OTHER, x5c=["MIIB"]), "x5c"),
    "address of a certificate": (lambda: sign(claims(ENDPOINT), x5u="https://evil.org/c"), "x5u"),
    "foreign key set": (
        lambda: sign(claims(ENDPOINT), OTHER, jku="https://evil.org/jwks.json"),
        "jku is not on the list",
    ),
    "key set beneath the right one": (lambda: sign(claims(ENDPOINT), jku=JKU + "?x"), "jku is not"),
    "key set on this machine": (
        lambda: sign(claims(ENDPOINT), jku="http://169.254.169.254/latest"),
        "jku is not on the list",
    ),
    "signed by another": (lambda: sign(claims(ENDPOINT), OTHER), "signature"),
    "key of another kind": (lambda: sign(claims(ENDPOINT), rsa_key(), "RS384"), "not one of this"),
    "unknown issuer": (lambda: sign(claims(ENDPOINT, iss="https://evil.org")), "issuer"),
    "issuer with a slash": (lambda: sign(claims(ENDPOINT, iss=ISSUER + "/")), "issuer"),
    "no issuer": (lambda: sign(claims(ENDPOINT, iss=None)), "iss"),
    "for another service": (lambda: sign(claims(ENDPOINT + "-2")), "audience"),
    "for discovery": (lambda: sign(claims("https://cds.example.org/cds-services")), "audience"),
    "for feedback": (lambda: sign(claims(ENDPOINT + "/feedback")), "audience"),
    "for another host": (lambda: sign(claims("https://evil.org/cds-services/warfarin")), "audien"),
    "for nobody": (lambda: sign(claims(ENDPOINT, aud=None)), "audience"),
    "for a list without it": (lambda: sign(claims(ENDPOINT, aud=["https://evil.org"])), "audience"),
    "for a number": (lambda: sign(claims(ENDPOINT, aud=[ENDPOINT, 7])), "audience"),
    "expired": (lambda: sign(claims(ENDPOINT, iat=NOW - 400, exp=NOW - 100)), "expired"),
    "never expires": (lambda: sign(claims(ENDPOINT, exp=None)), "exp"),
    "lives for a year": (lambda: sign(claims(ENDPOINT, exp=NOW + 31_536_000)), "lifetime"),
    "expires before it begins": (lambda: sign(claims(ENDPOINT, exp=NOW - 1)), "lifetime"),
    "issued tomorrow": (
        lambda: sign(claims(ENDPOINT, iat=NOW + 86_400, exp=NOW + 86_500)),
        "issued in the future",
    ),
    "no time of issue": (lambda: sign(claims(ENDPOINT, iat=None)), "iat"),
    "time as text": (
        lambda: raw_and_signed({**claims(ENDPOINT), "iat": str(int(NOW))}),
        "iat",
    ),
    "time as truth": (lambda: raw_and_signed({**claims(ENDPOINT), "iat": True}), "iat"),
    "not valid yet": (lambda: sign(claims(ENDPOINT, nbf=NOW + 200)), "not valid yet"),
    "no nonce": (lambda: sign(claims(ENDPOINT, jti=None)), "jti"),
    "nonce no text": (lambda: raw_and_signed({**claims(ENDPOINT), "jti": 7}), "jti"),
    "a claim twice": (
        lambda: raw_token(GOOD, {}).replace(".e30.", f".{_twice()}."),
        "not JSON",
    ),
    "header twice": (lambda: raw_token('{"alg":"ES384","alg":"none"}', claims(ENDPOINT)), "JSON"),
    "payload a list": (lambda: raw_token(GOOD, "[]"), "not JSON"),
    "payload deep": (lambda: raw_token(GOOD, "[" * 3000), "not JSON"),
    "very long": (lambda: "a" * 9000, "too long"),
    "not ASCII": (lambda: "é.é.é", "not a signed token"),
    "nothing": (lambda: "", "no bearer token"),
}


def _twice() -> str:
    return raw_token('{"aud":"a","aud":"b"}', {}).split(".")[0]


def raw_and_signed(body: dict[str, Any]) -> str:
    """Signed, whatever PyJWT thinks of the claims."""
    from jwt.api_jws import PyJWS

    header = {"kid": "ehr-1", "typ": "JWT"}
    return PyJWS().encode(json.dumps(body).encode(), ec_key(), "ES384", headers=header)


@pytest.mark.parametrize("abuse", ABUSES)
def test_abuse_is_refused(abuse: str) -> None:
    make, reason = ABUSES[abuse]
    network = Network(key_set())
    with pytest.raises(TokenError) as error:
        verify(make(), verifier(network))
    assert reason in error.value.reason
    assert set(network.asked) <= {JKU}


def test_a_good_token_is_accepted_once() -> None:
    guard = verifier(Network(key_set()))
    token = sign(claims(ENDPOINT, tenant="ward-7"), jku=JKU)
    assert (verify(token, guard).issuer, verify(sign(claims(ENDPOINT)), guard).tenant) == (
        ISSUER,
        "",
    )
    with pytest.raises(TokenError, match="used before"):
        verify(token, guard)


def test_an_audience_may_be_a_list_and_clocks_may_differ_a_little() -> None:
    late = claims(ENDPOINT, aud=["https://x.org", ENDPOINT], iat=NOW - 330, exp=NOW - 30)
    assert verify(sign(late)).issuer == ISSUER
    early = claims(ENDPOINT, iat=NOW + 50, exp=NOW + 100)
    assert verify(sign(early)).issuer == ISSUER


def test_keys_in_a_file_need_no_network(tmp_path: Path) -> None:
    path = tmp_path / "jwks.json"
    path.write_text(json.dumps(key_set()))
    network = Network({})
    guard = verifier(network, [TrustedIssuer(ISSUER, path)])
    assert verify(sign(claims(ENDPOINT)), guard).issuer == ISSUER
    with pytest.raises(TokenError, match="no such key"):
        verify(sign(claims(ENDPOINT), kid="other"), guard)
    with pytest.raises(TokenError, match="jku is not on the list"):
        verify(sign(claims(ENDPOINT), jku=JKU), guard)
    assert network.asked == []


def test_a_rotated_key_is_fetched_but_not_in_a_flood() -> None:
    network, time = Network(key_set()), [0.0]
    ring = make_key_ring([TrustedIssuer(ISSUER, key_sets=(JKU,))], network.fetch)
    ring = KeyRing(ring.issuers, ring.files, ring.fetch, lambda: time[0])
    guard = TokenVerifier(ring, ReplayMemory(), lambda: NOW)
    for _ in range(3):
        with pytest.raises(TokenError, match="no such key"):
            verify(sign(claims(ENDPOINT), ec_key("ehr-2"), kid="ehr-2"), guard)
    assert len(network.asked) == 1
    network.body = {"keys": [jwk_of(ec_key("ehr-2"), "ehr-2")]}
    time[0] = 31.0
    assert verify(sign(claims(ENDPOINT), ec_key("ehr-2"), kid="ehr-2"), guard).issuer == ISSUER
    with pytest.raises(TokenError, match="no such key"):
        verify(sign(claims(ENDPOINT)), guard)  # the old key is gone with its set


def test_an_issuer_cannot_use_the_keys_of_another() -> None:
    both = [
        TrustedIssuer(ISSUER, key_sets=(JKU,)),
        TrustedIssuer("https://b.org", key_sets=("https://b.org/k",)),
    ]
    guard = verifier(Network(key_set()), both)
    with pytest.raises(TokenError, match="jku is not on the list"):
        verify(sign(claims(ENDPOINT, iss="https://b.org"), jku=JKU), guard)


@pytest.mark.parametrize(
    "jwk",
    [
        {"kty": "oct", "k": "c2VjcmV0", "kid": "a"},
        {**jwk_of(ec_key(), "a"), "d": "cHJpdmF0ZQ"},
        jwk_of(ec_key(), "a", use="enc"),
        jwk_of(ec_key(), "a", alg="ES256"),
        jwk_of(ec_key(), "a", key_ops=["sign"]),
        {"kty": "EC", "crv": "P-384", "kid": "a", "x": "AA", "y": "AA"},
        jwk_of(ec_key(), ""),
        "text",
    ],
)
def test_unusable_keys_are_left_out(jwk: Any, tmp_path: Path) -> None:
    path = tmp_path / "jwks.json"
    path.write_text(json.dumps({"keys": [jwk]}))
    with pytest.raises(UserError, match="has no public key for signatures with a `kid`"):
        read_key_file(path)


def test_a_key_file_that_is_none_and_an_issuer_without_keys_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "jwks.json"
    path.write_text("[]")
    with pytest.raises(UserError, match=r'jwks.json: is not a JWKS; it needs \{"keys": '):
        read_key_file(path)
    with pytest.raises(UserError, match=r"issuer 'x': give its keys, as a file \(`keys`\) or by"):
        make_key_ring([TrustedIssuer("x")], Network({}).fetch)


def test_nonces_are_forgotten_when_their_tokens_have_expired_and_never_before() -> None:
    memory = ReplayMemory(capacity=2)

    def is_first(issuer: str, nonce: str, until: float, now: float) -> bool:
        return asyncio.run(memory.is_first_use(issuer, nonce, until, now))

    assert is_first("i", "a", 10.0, 0.0)
    assert not is_first("i", "a", 10.0, 9.9)
    assert is_first("j", "a", 20.0, 9.9)
    assert not is_first("i", "b", 30.0, 9.9)  # full
    assert is_first("i", "b", 30.0, 10.0)


def test_a_short_life_may_be_demanded() -> None:
    ring = make_key_ring([TrustedIssuer(ISSUER, key_sets=(JKU,))], Network(key_set()).fetch)
    guard = TokenVerifier(ring, ReplayMemory(), lambda: NOW, ClaimRules(longest_life=120.0))
    with pytest.raises(TokenError, match="lifetime"):
        verify(sign(claims(ENDPOINT)), guard)


def test_many_made_up_key_names_at_once_cause_one_request() -> None:
    network = Network(key_set())

    async def slow(address: str) -> bytes:
        network.asked.append(address)
        await asyncio.sleep(0.01)
        return json.dumps(network.body).encode()

    ring = make_key_ring([TrustedIssuer(ISSUER, key_sets=(JKU,))], slow)
    guard = TokenVerifier(ring, ReplayMemory(), lambda: NOW)
    tokens = [sign(claims(ENDPOINT), ec_key("x"), kid=f"made-up-{at}") for at in range(5)]
    tokens.append(sign(claims(ENDPOINT)))

    async def run() -> list[Any]:
        calls = (guard.verify(f"Bearer {token}", ENDPOINT) for token in tokens)
        return await asyncio.gather(*calls, return_exceptions=True)

    *refused, right = asyncio.run(run())
    assert right.issuer == ISSUER
    assert all(isinstance(error, TokenError) for error in refused)
    assert len(network.asked) == 1


def test_keys_that_cannot_be_fetched_again_are_not_used_for_ever() -> None:
    network, time = Network(key_set()), [0.0]
    ring = make_key_ring([TrustedIssuer(ISSUER, key_sets=(JKU,))], network.fetch)
    ring = KeyRing(ring.issuers, ring.files, ring.fetch, lambda: time[0])
    guard = TokenVerifier(ring, ReplayMemory(), lambda: NOW)
    verify(sign(claims(ENDPOINT)), guard)
    network.body = {}  # no key set any more
    for time[0] in (100.0, 400.0, 599.0):
        with pytest.raises(TokenError, match="no such key"):
            verify(sign(claims(ENDPOINT), ec_key("x"), kid="x"), guard)
        verify(sign(claims(ENDPOINT)), guard)
    time[0] = 700.0
    with pytest.raises(TokenError, match="no such key"):
        verify(sign(claims(ENDPOINT)), guard)
