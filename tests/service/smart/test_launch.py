import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import Connection, select

from posology.service.cds_hooks.state import HooksState
from posology.service.fhir.client import make_client
from posology.service.identity.people import People
from posology.service.settings import Settings
from posology.service.smart import routes
from posology.service.smart.settings import SmartServer, SmartSettings
from posology.service.store.tables import ANSWERS
from tests.builders.html import read_html
from tests.builders.service import client, deployment_of, running_app
from tests.builders.smart_launcher import BASE, CLIENT, FHIR, Launcher

URL = "http://posology.test"
LAUNCH = f"/smart/launch?iss={FHIR}&launch=launch-1"
STANDALONE = "/smart/standalone?server=ehr"


@dataclass(frozen=True, slots=True)
class World:
    app: FastAPI
    launcher: Launcher

    def answers(self) -> list[str]:
        def read(connection: Connection) -> list[str]:
            return [row.id for row in connection.execute(select(ANSWERS))]

        return deployment_of(self.app).store.read_now(read)


@pytest.fixture(scope="module")
def served(small_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FastAPI]:
    server = SmartServer("ehr", FHIR, CLIENT)
    smart = SmartSettings((server,))
    settings = Settings(models=(), public_url=URL, allow_unsigned=True, smart=smart)
    with running_app(small_model, tmp_path_factory.mktemp("smart"), settings) as running:
        deployment = deployment_of(running)
        people = deployment.extra["people"]
        assert isinstance(people, People)
        deployment.identify_person = people.identify
        yield running


@pytest.fixture
def world(served: FastAPI) -> World:
    launcher = Launcher(f"{URL}/smart/callback")
    deployment = deployment_of(served)
    fake = make_client(httpx.MockTransport(launcher.handle))
    deployment.extra["cds_hooks"] = HooksState(deployment.settings.cds_hooks, fake)
    return World(served, launcher)


async def open_page(browser: httpx.AsyncClient, launcher: Launcher, start: str) -> httpx.Response:
    """Begin, sign in at the record system, and come back; a refusal ends it earlier."""
    begun = await browser.get(start)
    if begun.status_code != 303:
        return begun
    return await browser.get(launcher.authorize(begun.headers["location"]))


@pytest.mark.parametrize("start", [LAUNCH, STANDALONE])
def test_a_launch_opens_the_page_of_a_new_answer(world: World, start: str) -> None:
    async def run() -> tuple[httpx.Response, httpx.Response]:
        async with client(world.app) as browser:
            back = await open_page(browser, world.launcher, start)
            return back, await browser.get(back.headers["location"])

    before = world.answers()
    back, page = asyncio.run(run())
    (made,) = set(world.answers()) - set(before)
    assert (back.status_code, back.headers["location"]) == (303, f"/answers/{made}")
    assert page.status_code == 200
    assert "Canary" not in page.text
    assert "GET /fhir/Patient/p-1" in world.launcher.asked
    cookies = back.headers.get_list("set-cookie")
    assert any("posology=" in one and "HttpOnly" in one for one in cookies)


def test_a_cards_link_opens_the_answer_that_the_card_showed(world: World) -> None:
    async def run(context: str) -> str:
        world.launcher.app_context = context
        async with client(world.app) as browser:
            back = await open_page(browser, world.launcher, LAUNCH)
            return back.headers["location"]

    first = asyncio.run(run(""))
    assert asyncio.run(run(first.removeprefix("/answers/"))) == first
    assert asyncio.run(run("an answer that is not there")) != first


REFUSALS = {
    "plain": "does not support PKCE with S256",
    "no PKCE": "does not support PKCE with S256",
    "http": "token_endpoint is not an address that begins with https",
    "refuses": "refused the launch",
    "token type": "did not answer with a token",
    "token error": "did not answer with a token",
    "no JSON": "did not answer with a token",
    "token is a list": "refused the launch",
    "token elsewhere": "did not answer with a token",
    "no patient": "names no patient",
    "patient is a path": "names no patient",
    "no identity": "does not prove who you are",
    "nobody": "does not prove who you are",
    "nonce": "does not prove who you are",
    "audience": "does not prove who you are",
    "issuer": "does not prove who you are",
    "expired": "does not prove who you are",
    "key": "does not prove who you are",
    "unsigned": "does not prove who you are",
    "shared secret": "does not prove who you are",
}


@pytest.mark.parametrize("start", [LAUNCH, STANDALONE])
@pytest.mark.parametrize("broken", REFUSALS)
def test_a_record_system_that_cannot_be_trusted_opens_nothing(
    world: World, broken: str, start: str
) -> None:
    world.launcher.broken = broken

    async def run() -> httpx.Response:
        async with client(world.app) as browser:
            return await open_page(browser, world.launcher, start)

    before = world.answers()
    response = asyncio.run(run())
    assert response.status_code == 403
    assert REFUSALS[broken] in response.text
    assert not any("posology=" in one for one in response.headers.get_list("set-cookie"))
    assert world.answers() == before


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/smart/launch?iss=https://evil.org/fhir&launch=x", 403),
        (f"/smart/launch?iss={FHIR}x&launch=x", 403),
        (f"/smart/launch?iss={FHIR}", 403),
        ("/smart/launch", 403),
        ("/smart/standalone?server=other", 404),
        ("/smart/callback?code=x&state=y", 403),
        ("/smart/callback?error=access_denied", 403),
    ],
)
def test_nothing_unknown_is_launched_or_fetched(world: World, address: str, status: int) -> None:
    async def run() -> httpx.Response:
        async with client(world.app) as browser:
            return await browser.get(address)

    assert asyncio.run(run()).status_code == status
    assert world.launcher.asked == []


def test_a_launch_comes_back_once_and_only_to_its_browser(world: World) -> None:
    async def run() -> list[int]:
        async with client(world.app) as browser, client(world.app) as thief:
            begun = await browser.get(LAUNCH)
            callback = world.launcher.authorize(begun.headers["location"])
            other = await browser.get(LAUNCH)  # a second launch, whose state is not the first's
            mixed = world.launcher.authorize(other.headers["location"])
            state = parse_qs(urlsplit(callback).query)["state"][0]
            wrong = mixed.rpartition("state=")[0] + f"state={state}"
            statuses = [(await thief.get(mixed)).status_code]  # no cookie
            statuses.append((await browser.get(wrong)).status_code)  # the older launch's state
            statuses.append((await browser.get(mixed)).status_code)
            statuses.append((await browser.get(mixed)).status_code)  # again
            return statuses

    assert asyncio.run(run()) == [403, 403, 303, 403]


def test_a_code_opens_one_page_whoever_brings_it_again(world: World) -> None:
    """Twice by the same browser, and once more with the cookie that it had."""

    async def run() -> list[int]:
        async with client(world.app) as browser:
            begun = await browser.get(LAUNCH)
            cookies = dict(begun.cookies)
            callback = world.launcher.authorize(begun.headers["location"])
            statuses = [(await browser.get(callback)).status_code for _ in range(2)]
            browser.cookies.update(cookies)
            return [*statuses, (await browser.get(callback)).status_code]

    before = world.answers()
    assert asyncio.run(run()) == [303, 403, 403]
    assert len(set(world.answers()) - set(before)) == 1
    assert world.launcher.asked.count("POST /auth/token") == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda url: url + "&iss=https://evil.org", "Another record system answered"),
        (lambda url: url.replace("code=", "error=access_denied&x="), "did not allow it"),
        (lambda url: url.replace("state=", "state=x"), "was not begun in this browser"),
        (lambda url: url.replace("state=", "x="), "was not begun in this browser"),
        (lambda url: url.replace("code=", "code=x"), "refused the launch"),
        (lambda url: url + f"&iss={BASE}", ""),
    ],
)
def test_what_comes_back_changed_opens_nothing(
    world: World, change: Callable[[str], str], words: str
) -> None:
    async def run() -> httpx.Response:
        async with client(world.app) as browser:
            begun = await browser.get(LAUNCH)
            return await browser.get(change(world.launcher.authorize(begun.headers["location"])))

    response = asyncio.run(run())
    assert response.status_code == (403 if words else 303)
    assert words in response.text


def test_a_launch_that_took_too_long_is_over(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> list[tuple[int, bool]]:
        async with client(world.app) as browser:
            statuses = []
            for late in (200.0, 601.0):
                begun = await browser.get(LAUNCH)
                callback = world.launcher.authorize(begun.headers["location"])
                now = time.time() + late
                monkeypatch.setattr(routes, "time", SimpleNamespace(time=lambda now=now: now))
                back = await browser.get(callback)
                statuses.append((back.status_code, "took too long" in back.text))
                monkeypatch.undo()
            return statuses

    assert asyncio.run(run()) == [(303, False), (403, True)]


@pytest.mark.parametrize("cookie", ["", "x", "e30.e30", "gAAAAA", "é"])
def test_a_cookie_that_is_not_ours_opens_nothing(world: World, cookie: str) -> None:
    async def run() -> httpx.Response:
        async with client(world.app) as browser:
            begun = await browser.get(LAUNCH)
            callback = world.launcher.authorize(begun.headers["location"])
            browser.cookies.clear()
            header = {"cookie": f"posology-smart={cookie}".encode()}
            return await browser.get(callback, headers=header)

    assert asyncio.run(run()).status_code == 403


def test_a_record_that_may_not_be_read_is_said_in_words_of_people(world: World) -> None:
    world.launcher.broken = "scope refused"

    async def run() -> httpx.Response:
        async with client(world.app) as browser:
            browser.headers["accept"] = "text/html"
            return await open_page(browser, world.launcher, LAUNCH)

    page = asyncio.run(run())
    text = " ".join(" ".join(read_html(page.text).text).split())
    assert page.status_code == 412
    assert "No answer for this patient" in text
    assert "Not read: the patient; the FHIR server refused the token." in text
    assert "prefetch" not in text
