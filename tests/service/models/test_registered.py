"""A service that serves a registry's champion follows it: one account of who was champion when."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi import FastAPI

from posology import artifact
from posology.errors import UserError
from posology.lifecycle.registry.changes import Author, drop_challenger, promote, roll_back, shadow
from posology.lifecycle.registry.state import read_registry
from posology.service.identity.callers import ADMINISTRATOR, nobody
from posology.service.models.registered import FOLLOWER, follow_registries
from posology.service.models.served import choose_version
from posology.service.models.switching import start
from posology.service.settings import ModelSettings, Settings
from posology.service.store.served import changes_of
from posology.workflows.over_time.registry import add_model
from tests.builders.challengers import Aside
from tests.builders.pages import signed_in
from tests.builders.service import FORM, client, deployment_of, running_app

ADA = Author("ada", "a test")


@pytest.fixture
def registry(small_model: Path, tmp_path: Path) -> Path:
    """Two versions, of which the first is champion."""
    loaded = artifact.load(small_model)
    study = replace(loaded.study, title="The second version")
    artifact.save(loaded.policy, study, loaded.evidence, tmp_path / "second")
    for model in (small_model, tmp_path / "second"):
        add_model(tmp_path / "registry", model, ADA)
    folder = tmp_path / "registry"
    promote(read_registry(folder), next(iter(read_registry(folder).versions)), ADA)
    return folder


@pytest.fixture
def app(registry: Path, tmp_path: Path) -> Iterator[FastAPI]:
    settings = Settings((ModelSettings("warfarin", registry),), allow_unsigned=True)
    with running_app(registry, tmp_path / "service", settings) as running:
        deployment_of(running).identify_system = nobody  # an administrator calls
        deployment_of(running).shadow.aside = Aside()
        yield running


def test_the_service_follows_promotion_shadow_and_rollback(app: FastAPI, registry: Path) -> None:
    first, second = read_registry(registry).versions
    deployment = deployment_of(app)

    def state() -> tuple[str, str]:
        challenger = deployment.models.challengers.get("warfarin")
        served = deployment.models.current["warfarin"].digest
        return served, "" if challenger is None else challenger.digest

    async def run() -> tuple[list, list[dict]]:
        async with client(app) as http:
            await start(deployment)
            found, answers = [state()], []

            async def follow() -> None:
                await follow_registries(deployment)
                found.append(state())

            async def answer() -> None:
                body = {"model": "warfarin", "form": FORM}
                answers.append((await http.post("/recommendations", json=body)).json())

            await answer()
            shadow(read_registry(registry), second, ADA)
            await follow()
            drop_challenger(read_registry(registry), ADA)
            await follow()
            shadow(read_registry(registry), second, ADA)
            await follow()
            promote(read_registry(registry), second, ADA, without_gate=True)
            await follow()
            await answer()
            roll_back(read_registry(registry), ADA)
            await follow()
            await answer()
            return found, answers

    found, answers = asyncio.run(run())
    assert found == [
        (first, ""),
        (first, second),
        (first, ""),
        (first, second),
        (second, ""),
        (first, ""),
    ]
    assert [a["digest"] for a in answers] == [first, second, first]
    assert answers[2]["recommendation"] == answers[0]["recommendation"]
    rows = deployment.store.read_now(changes_of, "warfarin")
    assert [(c.digest, c.caller) for _, c in reversed(rows)] == [
        (first, "service"),
        (second, FOLLOWER),
        (first, FOLLOWER),
    ]


def test_calls_do_not_change_what_a_registry_decides(app: FastAPI, registry: Path) -> None:
    second = list(read_registry(registry).versions)[1]

    async def run() -> list:
        async with client(app) as http:
            return [
                await http.post("/models/warfarin/swap", json={"digest": second}),
                await http.post("/models/warfarin/rollback"),
                await http.post("/models/warfarin/challenger", json={"digest": second}),
                await http.post("/models/warfarin/challenger/drop", json={"reason": "slow"}),
            ]

    for response in asyncio.run(run()):
        assert response.status_code == 409
        assert response.json()["error"]["message"] == (
            "The model warfarin follows a registry: use `posology models promote`, `shadow` or "
            "`rollback` there, and this service does the same in seconds. To stop it use POST "
            "/models/warfarin/stop."
        )
    assert read_registry(registry).challenger == ""


def test_a_registry_without_champion_or_with_other_settings_is_not_served(
    small_model: Path, registry: Path, tmp_path: Path
) -> None:
    add_model(tmp_path / "new", small_model, ADA)
    with pytest.raises(UserError, match="has no champion yet; `posology models promote"):
        choose_version(ModelSettings("warfarin", tmp_path / "new"), "")
    for wrong in ({"version": "ab"}, {"challenger": small_model}):
        settings = replace(ModelSettings("warfarin", registry), **wrong)
        with pytest.raises(UserError, match="leave out version and challenger"):
            choose_version(settings, "")


def test_the_page_neither_offers_nor_does_what_the_registry_would_undo(
    app: FastAPI, registry: Path
) -> None:
    first, second = read_registry(registry).versions
    deployment = deployment_of(app)
    asyncio.run(start(deployment))
    promote(read_registry(registry), second, Author("ada", "better"), without_gate=True)
    asyncio.run(follow_registries(deployment))
    browser = signed_in(app, ADMINISTRATOR)
    browser.get("/monitoring/warfarin")
    assert "/monitoring/warfarin/stop" in browser.links
    assert "/monitoring/warfarin/roll-back" not in browser.links
    for path in ("roll-back", "drop-challenger"):
        response = browser.post(f"/monitoring/warfarin/{path}", {"reason": "slow"})
        assert response.status_code == 409
        assert "follows a registry: use `posology models promote`" in browser.text
        assert browser.get(f"/monitoring/warfarin/{path}").status_code == 409
    assert deployment.models.current["warfarin"].digest == second != first
