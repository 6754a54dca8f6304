"""Session cookies: only ours, only in time, only until signed out."""

import asyncio
import base64
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from starlette.responses import Response

from posology.service.identity.callers import CLINICIAN
from posology.service.identity.one_time_links import (
    EXPIRED,
    MINUTES,
    UNKNOWN,
    USED,
    Invitation,
    OneTimeLinks,
)
from posology.service.identity.sessions import (
    SECONDS,
    csrf_token,
    is_csrf_token,
    new_session,
    read_session,
    seal,
    unseal,
    write_session,
)
from posology.service.store import open_store
from tests.builders.pages import Browser, people_in, signed_in
from tests.builders.service import running_app

KEY = b"k" * 32
SESSION = new_session("local:a", "Dr A. Sample", (CLINICIAN,), 1000.0)


def test_a_cookie_is_read_until_its_end() -> None:
    text = write_session(SESSION, KEY)
    assert read_session(text, KEY, 1000.0 + SECONDS - 1) == SESSION
    assert read_session(text, KEY, 1000.0 + SECONDS) is None


@pytest.mark.parametrize(
    "text", ["", ".", "e30.", "e30.AAAA", "x.y", write_session(SESSION, b"o" * 32)]
)
def test_what_we_did_not_sign_is_no_session(text: str) -> None:
    assert read_session(text, KEY, 1000.0) is None


def test_a_changed_byte_is_no_session() -> None:
    text = write_session(SESSION, KEY)
    for at in range(0, len(text), 7):
        changed = text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]
        assert read_session(changed, KEY, 1000.0) is None or changed[at] == text[at]


def test_what_is_sealed_for_one_purpose_serves_no_other() -> None:
    sealed = seal({"a": 1}, KEY, "sign-in")
    assert unseal(sealed, KEY, "sign-in") == {"a": 1}
    assert unseal(sealed, KEY, "session") is None
    assert read_session(seal({"a": 1}, KEY, "session"), KEY, 0.0) is None


def test_a_form_s_token_belongs_to_its_session() -> None:
    other = new_session("local:a", "Dr A. Sample", (CLINICIAN,), 1000.0)
    assert is_csrf_token(csrf_token(SESSION, KEY), SESSION, KEY)
    assert not is_csrf_token(csrf_token(other, KEY), SESSION, KEY)
    assert not is_csrf_token("ä", SESSION, KEY)


def test_a_link_works_once_not_later_than_its_time_and_says_why(tmp_path: Path) -> None:
    who = Invitation("local:a", "Ada Example", (CLINICIAN,))
    address = f"sqlite:///{tmp_path / 'store.sqlite'}"
    store = open_store(address, KEY)
    links = OneTimeLinks(KEY, store)
    first, late = links.make(who, 0.0), links.make(who, 0.0)
    assert len(first) < 230
    assert "Example" not in str(base64.urlsafe_b64decode(first + "=="))
    assert asyncio.run(links.use(first, 899.0)) == who
    assert asyncio.run(links.use(first, 899.0)) == USED
    assert asyncio.run(links.peek(first, 40_000.0)) == USED
    assert asyncio.run(links.use(late, 900.0)) == EXPIRED.format(minutes=MINUTES)
    foreign = OneTimeLinks(b"x" * 32, store).make(who, 0.0)
    for wrong in ("never made", "", first[:-1], f"{first}A", "ä", foreign):
        assert asyncio.run(links.use(wrong, 0.0)) == UNKNOWN, wrong
    store.close()


def test_an_unused_link_works_after_a_restart_and_a_used_one_does_not(tmp_path: Path) -> None:
    """A restart once ended every unused link, and its page gave another reason."""
    who = Invitation("local:a", "A", (CLINICIAN,))
    address = f"sqlite:///{tmp_path / 'store.sqlite'}"
    store = open_store(address, KEY)
    links = OneTimeLinks(KEY, store)
    used, unused = links.make(who, 0.0), links.make(who, 0.0)
    assert asyncio.run(links.use(used, 1.0)) == who
    store.close()
    again = open_store(address, KEY)
    after = OneTimeLinks(KEY, again)
    assert asyncio.run(after.use(used, 2.0)) == USED
    assert asyncio.run(after.use(unused, 2.0)) == who
    assert asyncio.run(after.use(unused, 2.0)) == USED
    again.close()


def test_a_link_opened_twice_at_once_signs_in_once(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'store.sqlite'}", KEY)
    links, who = OneTimeLinks(KEY, store), Invitation("local:a", "A", (CLINICIAN,))
    token = links.make(who, 0.0)

    async def both() -> list[Invitation | str]:
        return await asyncio.gather(*(links.use(token, 1.0) for _ in range(8)))

    assert sorted(map(str, asyncio.run(both()))) == sorted([str(who), *[USED] * 7])
    store.close()


def test_a_copied_cookie_ends_with_its_session(app: FastAPI) -> None:
    browser = signed_in(app, CLINICIAN)
    browser.get("/")
    copy = dict(browser.cookies)
    browser.post("/sign-out", {})
    browser.cookies.update(copy)
    assert browser.get("/").url.path == "/sign-in"


def test_an_ended_session_stays_ended_after_a_restart(small_model: Path, tmp_path: Path) -> None:
    with running_app(small_model, tmp_path) as app:
        browser, other = signed_in(app, CLINICIAN), signed_in(app, CLINICIAN)
        browser.get("/")
        copies = [dict(browser.cookies), dict(other.cookies)]
        browser.post("/sign-out", {})
    with running_app(small_model, tmp_path) as app:
        people_in(app)
        reached = [Browser(app, httpx.Cookies(copy)).get("/").url.path for copy in copies]
        assert reached == ["/sign-in", "/"]


def test_the_cookie_is_out_of_reach_of_scripts_and_of_other_sites(app: FastAPI) -> None:
    people = people_in(app)
    response = Response()
    people.start(response, SESSION)
    attributes = response.headers["set-cookie"].lower()
    assert "httponly" in attributes
    assert "samesite=lax" in attributes
    assert "secure" not in attributes
    people.is_https = True
    response = Response()
    people.start(response, SESSION)
    assert response.headers["set-cookie"].startswith("__Host-posology=")
    assert "; secure" in response.headers["set-cookie"].lower()
