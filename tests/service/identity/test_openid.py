"""Sign-in at a hospital's provider: one that is right, and every way to be wrong."""

import asyncio
import time
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from fastapi import FastAPI

from posology.service.identity.callers import CLINICIAN
from posology.service.identity.openid import OpenId, Person, SignInRefusedError
from posology.service.settings import OpenIdSettings
from tests.builders.openid_provider import CLIENT, ISSUER, Provider
from tests.builders.pages import Browser, people_in

SETTINGS = OpenIdSettings(
    ISSUER, CLIENT, roles={"ward-doctors": "clinician", "it": "administrator"}
)
BACK = "http://127.0.0.1:8000/sign-in/callback"


def sign_in(provider: Provider, changed: dict[str, str] | None = None) -> Person:
    """The whole way; `changed` replaces what the browser carries back."""
    client = OpenId(SETTINGS, BACK, provider.transport)
    start = asyncio.run(client.start())
    answer = provider.sign_in(start.address) | (changed or {})
    return asyncio.run(client.finish({k: v for k, v in answer.items() if v}, start.memory))


def test_a_person_of_a_known_group_gets_its_role() -> None:
    provider = Provider(groups=("ward-doctors", "staff"))
    assert sign_in(provider) == Person(f"{ISSUER}#4711", "Dr B. Sample", (CLINICIAN,))
    assert provider.asked["redirect_uri"] == BACK
    assert provider.asked["client_id"] == CLIENT


@pytest.mark.parametrize(
    ("provider", "changed", "words"),
    [
        (Provider(), {"state": "another"}, "was not begun in this browser"),
        (Provider(), {"state": ""}, "was not begun in this browser"),
        (Provider(), {"state": "é"}, "was not begun in this browser"),
        (Provider(token_endpoint="https://[evil"), {}, "must begin with https"),
        (Provider(), {"code": ""}, "did not confirm who you are"),
        (Provider(), {"code": "guessed"}, "refused the exchange"),
        (Provider(), {"iss": "https://evil.example"}, "Another provider answered"),
        (Provider(groups=("visitors",)), {}, "has no role here"),
        (Provider(issuer="https://evil.example"), {}, "does not describe the issuer"),
        (Provider(token_endpoint="http://evil.example/token"), {}, "must begin with https"),
        (Provider(claims={"nonce": "old"}), {}, "made for another sign-in"),
        (Provider(claims={"azp": "other"}), {}, "made for another sign-in"),
        (Provider(claims={"aud": "other"}), {}, "is not signed"),
        (Provider(claims={"iss": "https://evil.example"}), {}, "is not signed"),
        (Provider(claims={"exp": int(time.time()) - 3600}), {}, "is not signed"),
        (Provider(signs_with=ec.generate_private_key(ec.SECP256R1())), {}, "is not signed"),
        (Provider(algorithm="HS256"), {}, "is not signed"),
    ],
)
def test_what_cannot_be_trusted_is_refused(
    provider: Provider, changed: dict[str, str], words: str
) -> None:
    with pytest.raises(SignInRefusedError, match=words):
        sign_in(provider, changed)


def test_a_browser_signs_in_and_what_it_brings_back_works_once(app: FastAPI) -> None:
    provider, people = Provider(), people_in(app)
    people.openid = OpenId(SETTINGS, BACK, provider.transport)
    browser = Browser(app)
    browser.get("/sign-in")
    assert "/sign-in/openid" in browser.links
    address = browser.leave("/sign-in/openid")
    answer = provider.sign_in(address)
    query = "&".join(f"{name}={value}" for name, value in answer.items())
    other = Browser(app)
    assert other.get(f"/sign-in/callback?{query}").status_code == 403
    assert "was not begun in this browser" in other.text
    browser.get(f"/sign-in/callback?{query}")
    assert "Dr B. Sample, clinician" in browser.text
    assert browser.page is not None
    assert browser.page.url.path == "/"


def test_a_sign_in_that_took_too_long_begins_again(app: FastAPI) -> None:
    provider, people = Provider(), people_in(app)
    people.openid = OpenId(SETTINGS, BACK, provider.transport)
    browser = Browser(app)
    answer = provider.sign_in(browser.leave("/sign-in/openid"))
    late = people.now() + 601
    people.now = lambda: late
    query = "&".join(f"{name}={value}" for name, value in answer.items())
    assert browser.get(f"/sign-in/callback?{query}").status_code == 403
    assert "was not begun in this browser" in browser.text


def test_a_secret_is_read_from_its_file(tmp_path: Any) -> None:
    file = tmp_path / "secret"
    file.write_text("hush\n")
    client = OpenId(replace(SETTINGS, client_secret_file=file), BACK, Provider().transport)
    assert client._client().client_secret == "hush"
