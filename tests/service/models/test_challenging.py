"""Set, swap, promote and drop a challenger while the model is served; nothing unsafe is asked."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi import FastAPI
from sqlalchemy import Connection, select

from posology import artifact
from posology.domain.study import Study
from posology.errors import ArtifactError, UserError
from posology.service.deployment import Deployment
from posology.service.identity.callers import nobody
from posology.service.models.challengers import chosen_challenger, different_question
from posology.service.models.challenging import drop_challenger, follow_challenger
from posology.service.models.served import choose_version
from posology.service.models.switching import start
from posology.service.settings import ModelSettings, Settings
from posology.service.store import verify_audit
from posology.service.store.challengers import (
    DROP,
    SET,
    ChallengerChange,
    save_challenger_change,
)
from posology.service.store.served import served_on
from posology.service.store.tables import AUDIT, CHALLENGERS
from tests.builders.challengers import app_with_challenger
from tests.builders.service import client, deployment_of, running_app


@pytest.fixture(scope="module")
def others(small_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two versions more, and a policy for another question."""
    folder = tmp_path_factory.mktemp("others")
    loaded = artifact.load(small_model)
    for name in ("second", "third"):
        study = replace(loaded.study, title=f"The {name} version")
        artifact.save(loaded.policy, study, loaded.evidence, folder / "versions" / name)
    other = replace(loaded.study, name="something-else")
    artifact.save(loaded.policy, other, loaded.evidence, folder / "other")
    return folder


@pytest.fixture
def app(small_model: Path, others: Path, tmp_path: Path) -> Iterator[FastAPI]:
    versions = others / "versions"
    with app_with_challenger(small_model, versions, tmp_path / "service") as running:
        deployment_of(running).identify_system = nobody  # an administrator calls
        yield running


def digest(folder: Path) -> str:
    return artifact.load(folder).digest


def audited(deployment: Deployment) -> list[tuple[str, str]]:
    def read(connection: Connection) -> list[tuple[str, str]]:
        query = select(AUDIT.c.action, AUDIT.c.digest).order_by(AUDIT.c.number)
        return [(row.action, row.digest) for row in connection.execute(query)]

    return deployment.store.read_now(read)


def test_a_challenger_is_set_swapped_dropped_and_promoted(app: FastAPI, others: Path) -> None:
    second, third = (digest(others / "versions" / name) for name in ("second", "third"))
    deployment = deployment_of(app)
    champion = deployment.models.current["warfarin"].digest
    path = "/models/warfarin/challenger"

    async def run() -> list:
        async with client(app) as http:
            await start(deployment)
            return [
                (await http.get("/models")).json()[0]["challenger"],
                (await http.post(path, json={"digest": second[:12]})).json()["digest"],
                (await http.get(path)).json()["comparison"]["pairs"],
                (await http.post(f"{path}/drop", json={"reason": "too slow"})).json()["digest"],
                await http.post(f"{path}/drop", json={"reason": "too slow"}),
                (await http.post(path, json={"digest": second[:12]})).status_code,
                (await http.post("/models/warfarin/swap", json={"digest": second})).json(),
                (await http.get(path)).json(),
                (await http.post("/models/warfarin/rollback")).json()["digest"],
                await http.post(path, json={"digest": champion[:12]}),
                await http.post(path, json={"digest": "f" * 12}),
            ]

    found = asyncio.run(run())
    assert found[:4] == [third, second, 0, ""]
    assert found[4].status_code == 409
    assert found[4].json()["error"]["message"] == "The model warfarin has no challenger."
    assert found[5] == 200
    assert (found[6]["digest"], found[6]["challenger"], found[7]["comparison"]) == (
        second,
        "",
        None,
    )
    assert found[8] == champion
    assert found[9].json()["error"]["message"] == "This version of warfarin is the model in use."
    assert found[10].status_code == 404
    assert audited(deployment) == [
        ("start", champion),
        (SET, third),
        (SET, second),
        (DROP, second),
        (SET, second),
        ("swap", second),
        (DROP, second),
        ("rollback", champion),
    ]
    assert deployment.store.read_now(verify_audit, deployment.store.key).problem == ""
    assert deployment.store.read_now(served_on, "warfarin", "2999") == champion


def test_only_administrators_set_it_and_only_those_who_monitor_read_it(app: FastAPI) -> None:
    deployment_of(app).identify_person = nobody

    async def run() -> list[int]:
        async with client(app) as http:
            path = "/models/warfarin/challenger"
            return [
                (await http.get(path)).status_code,
                (await http.post(path, json={"digest": "f" * 12})).status_code,
                (await http.post(f"{path}/drop", json={"reason": "x"})).status_code,
            ]

    assert asyncio.run(run()) == [401, 401, 401]


def test_an_unsigned_challenger_is_refused(small_model: Path, others: Path, tmp_path: Path) -> None:
    versions = others / "versions"
    model = ModelSettings("warfarin", small_model, challenger=versions / "second")
    with (
        running_app(small_model, tmp_path / "a", Settings((model,), allow_unsigned=True)) as app,
    ):
        deployment = deployment_of(app)
        deployment.settings = replace(deployment.settings, allow_unsigned=False)
        deployment.models.challengers.clear()

        async def run() -> tuple[int, str]:
            async with client(app) as http:
                deployment.identify_system = nobody
                body = {"digest": digest(versions / "second")}
                response = await http.post("/models/warfarin/challenger", json=body)
                return response.status_code, response.json()["error"]["message"]

        assert asyncio.run(run()) == (422, "This version cannot be served; the log says why.")
        assert deployment.models.challengers == {}


def test_a_challenger_for_another_question_or_of_no_folder_stops_the_start(
    small_model: Path, others: Path, tmp_path: Path
) -> None:
    for folder, error, words in (
        (
            others / "other",
            UserError,
            "answers another question than the model in use: its study's",
        ),
        (tmp_path / "none", ArtifactError, r"holds no saved policy; name the folder of one"),
    ):
        model = ModelSettings("warfarin", small_model, challenger=folder)
        with (
            pytest.raises(error, match=words),
            running_app(small_model, tmp_path / "a", Settings((model,), allow_unsigned=True)),
        ):
            pass


def test_what_makes_it_another_question(small_model: Path) -> None:
    study = artifact.load(small_model).study
    assert different_question(study, replace(study, title="x", purpose="y")) == ""

    def with_outcome(**changes: object) -> Study:
        return replace(study, outcome=replace(study.outcome, **changes))

    longer = different_question(study, with_outcome(within_days=7.0))
    assert longer.startswith("answers another question than the model in use: its outcome's within")
    assert "is 7.0, not" in longer
    fewer = replace(study.formulary, treatments=study.formulary.treatments[1:])
    assert "its options is " not in different_question(study, replace(study, formulary=fewer))
    assert "its options are" in different_question(study, replace(study, formulary=fewer))


def test_a_choice_survives_a_restart(small_model: Path, others: Path) -> None:
    versions = others / "versions"
    second, third = (digest(versions / name) for name in ("second", "third"))
    settings = ModelSettings("warfarin", small_model, challenger=versions)
    plain = ModelSettings("warfarin", versions)

    def last(action: str, of: str) -> ChallengerChange:
        return ChallengerChange("warfarin", of, action, "admin")

    assert chosen_challenger(settings, None) == third
    assert chosen_challenger(settings, last(SET, second)) == second
    assert chosen_challenger(settings, last(DROP, third)) == ""
    assert chosen_challenger(settings, last(DROP, second)) == third
    assert chosen_challenger(plain, None) == ""
    assert chosen_challenger(plain, last(SET, second)) == second
    assert chosen_challenger(plain, last(DROP, second)) == ""
    assert chosen_challenger(plain, last(SET, "gone")) == ""
    assert choose_version(settings, "") == small_model  # never the challenger by itself
    assert choose_version(settings, third) == versions / "third"  # once promoted


def test_other_services_on_the_database_follow(app: FastAPI, others: Path) -> None:
    deployment = deployment_of(app)
    second = digest(others / "versions" / "second")
    change = ChallengerChange("warfarin", second, SET, "admin")
    store = deployment.store

    async def run() -> list[str | None]:
        found = []
        for action in (SET, DROP):
            await store.write(save_challenger_change, store.key, replace(change, action=action))
            await follow_challenger(deployment, "warfarin")
            challenger = deployment.models.challengers.get("warfarin")
            found.append(None if challenger is None else challenger.digest)
        return found

    assert asyncio.run(run()) == [second, None]


def test_the_reason_of_a_drop_is_kept_and_stands_in_no_audit(app: FastAPI) -> None:
    deployment = deployment_of(app)
    asyncio.run(drop_challenger(deployment, "warfarin", "Jane Roe fell", "admin"))

    def read(connection: Connection) -> tuple[str, str]:
        reason = connection.execute(select(CHALLENGERS.c.reason)).scalar_one()
        return reason, str(connection.execute(select(AUDIT)).all())

    reason, log = deployment.store.read_now(read)
    assert reason == "Jane Roe fell"
    assert "Jane" not in log
