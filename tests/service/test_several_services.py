"""Several services on one PostgreSQL, as behind a proxy that sends each request to any of them."""

import asyncio
import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from posology.errors import UserError
from posology.service.cds_hooks.settings import CdsHooksSettings
from posology.service.cds_hooks.state import HooksState
from posology.service.deployment import open_deployment
from posology.service.fhir.client import make_client
from posology.service.identity.callers import CLINICIAN
from posology.service.keys import KEY
from posology.service.models.switching import follow_changes, resume, stop
from posology.service.settings import ModelSettings, Settings
from posology.service.smart.settings import SmartServer, SmartSettings
from posology.service.store import Store, open_store, verify_audit
from posology.service.tokens.identify import identify_system
from posology.service.tokens.key_sets import TrustedIssuer
from tests.builders.pages import Browser, people_in, signed_in
from tests.builders.service import FORM, client, deployment_of, running_app
from tests.builders.signed_tokens import ISSUER, claims, key_set, sign
from tests.builders.smart_launcher import CLIENT, FHIR, Launcher

URL = "http://posology.test"
LOCK = 0x705C
"""The advisory lock of writers; other programs must not use it, so it is part of the contract."""


@pytest.fixture(scope="module")
def database(postgresql: str) -> Iterator[str]:
    """A database of its own on the tests' server."""
    import psycopg

    name = f"several_{os.getpid()}"
    with psycopg.connect(postgresql, autocommit=True) as server:
        try:
            server.execute(f"CREATE DATABASE {name}")
        except psycopg.errors.InsufficientPrivilege:
            pytest.skip("the PostgreSQL of POSOLOGY_POSTGRESQL does not let us make a database")
        yield postgresql.replace("/postgres?", f"/{name}?")
        server.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="module")
def services(
    small_model: Path, database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[FastAPI, FastAPI]]:
    """Two services with one key; systems are known by their tokens."""
    folder = tmp_path_factory.mktemp("several")
    (folder / "jwks.json").write_text(json.dumps(key_set()))
    hooks = CdsHooksSettings(issuers=(TrustedIssuer(ISSUER, folder / "jwks.json"),))
    settings = Settings(
        (ModelSettings("warfarin", small_model),),
        database=database,
        public_url=URL,
        allow_unsigned=True,
        cds_hooks=hooks,
        smart=SmartSettings((SmartServer("ehr", FHIR, CLIENT),)),
    )
    with ExitStack() as stack:
        apps = []
        for name in ("a", "b"):
            (folder / name).mkdir()
            (folder / name / KEY).write_text("ab" * 32)
            app = stack.enter_context(running_app(small_model, folder / name, settings))
            deployment = deployment_of(app)
            deployment.identify_system = identify_system(settings, deployment.store)
            people_in(app)
            apps.append(app)
        yield apps[0], apps[1]


def token_for(path: str) -> str:
    now = int(time.time())
    return sign(claims(f"{URL}{path}", iat=now, exp=now + 60))


def call(app: FastAPI, method: str, path: str, token: str = "", body: object = None) -> int:
    """The status; the token is made now unless one is given."""
    given = token or token_for(path)

    async def send() -> httpx.Response:
        async with client(app) as http:
            return await http.request(
                method, path, json=body, headers={"Authorization": f"Bearer {given}"}
            )

    return asyncio.run(send()).status_code


def test_a_start_waits_until_another_has_made_the_tables(database: str) -> None:
    import psycopg

    opened: list[Store] = []
    start = threading.Thread(target=lambda: opened.append(open_store(database, b"k" * 32)))
    with psycopg.connect(database) as other:
        other.execute(f"SELECT pg_advisory_xact_lock({LOCK})")
        start.start()
        waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        while other.execute(waiting).fetchone() == (0,):
            assert start.is_alive(), "it made tables that the other one is making"
            time.sleep(0.01)
        assert other.execute("SELECT to_regclass('audit')").fetchone() == (None,)
    start.join(10)
    (store,) = opened
    store.close()


def test_one_answers_with_what_the_other_stored(services: tuple[FastAPI, FastAPI]) -> None:
    here, there = services

    async def ask() -> httpx.Response:
        async with client(here) as http:
            headers = {"Authorization": f"Bearer {token_for('/recommendations')}"}
            return await http.post("/recommendations", json={"form": FORM}, headers=headers)

    stored = asyncio.run(ask())
    assert stored.status_code == 201
    assert call(there, "GET", f"/recommendations/{stored.json()['id']}") == 200
    for app in services:
        store = deployment_of(app).store
        assert store.read_now(verify_audit, store.key).problem == ""


def test_a_token_is_accepted_once_by_all_of_them_together(
    services: tuple[FastAPI, FastAPI],
) -> None:
    here, there = services
    token = token_for("/models")
    statuses = [call(app, "GET", "/models", token) for app in (here, there, here)]
    assert statuses == [200, 401, 401]
    assert call(there, "GET", "/models") == 200


def test_a_person_is_signed_in_and_out_at_both(services: tuple[FastAPI, FastAPI]) -> None:
    here, there = services
    browser = signed_in(here, CLINICIAN)
    browser.get("/")
    other = Browser(there, browser.cookies)
    assert other.get("/").url.path == "/"
    other.post("/sign-out", {})
    copy = Browser(here, browser.cookies)
    assert copy.get("/").url.path == "/sign-in"


def test_a_stop_and_its_end_reach_both(services: tuple[FastAPI, FastAPI]) -> None:
    here, there = services

    async def run() -> list[bool]:
        seen = []
        for change in (stop, resume):
            await change(deployment_of(here), "warfarin", "a recall", "person-1")
            await follow_changes(deployment_of(there))  # the service does it every two seconds
            seen.append("warfarin" in deployment_of(there).models.stopped)
        return seen

    assert asyncio.run(run()) == [True, False]


def test_a_launch_begun_at_one_comes_back_to_the_other_once(
    services: tuple[FastAPI, FastAPI],
) -> None:
    launcher = Launcher(f"{URL}/smart/callback")
    for app in services:
        deployment = deployment_of(app)
        fake = make_client(httpx.MockTransport(launcher.handle))
        deployment.extra["cds_hooks"] = HooksState(deployment.settings.cds_hooks, fake)

    async def run() -> list[int]:
        async with client(services[0]) as here, client(services[1]) as there:
            begun = await here.get(f"/smart/launch?iss={FHIR}&launch=launch-1")
            cookies = dict(begun.cookies)
            there.cookies.update(cookies)
            callback = launcher.authorize(begun.headers["location"])
            statuses = [(await there.get(callback)).status_code]
            here.cookies.update(cookies)
            return [*statuses, (await here.get(callback)).status_code]

    assert asyncio.run(run()) == [303, 403]


def test_a_service_with_another_key_does_not_start(
    services: tuple[FastAPI, FastAPI], tmp_path: Path
) -> None:
    signed_in(services[0], CLINICIAN)  # a row of the audit log
    settings = deployment_of(services[0]).settings
    with pytest.raises(UserError, match="is not the key with which the audit log of this database"):
        open_deployment(Settings(settings.models, tmp_path, settings.database, allow_unsigned=True))
