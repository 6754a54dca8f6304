"""Swap, roll back, stop and resume while questions run: no request is lost."""

import asyncio
import io
import json
import shutil
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from posology import artifact
from posology.service import answering
from posology.service.cds_hooks.state import HooksState
from posology.service.errors import NotFoundError
from posology.service.identity.callers import nobody
from posology.service.logs import make_log
from posology.service.models.served import find_version
from posology.service.models.switching import follow_changes, start, stop
from posology.service.settings import ModelSettings, Settings
from posology.service.store import Store, newest_answers, verify_audit
from posology.service.store.served import current_state
from posology.service.work import Done, Job, answer_job
from tests.builders.service import FORM, client, deployment_of, running_app


@pytest.fixture(scope="module")
def versions(small_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two versions of the small model."""
    folder = tmp_path_factory.mktemp("versions")
    loaded = artifact.load(small_model)
    shutil.copytree(small_model, folder / "first")
    study = replace(loaded.study, title="The second version")
    artifact.save(loaded.policy, study, loaded.evidence, folder / "second")
    return folder


@pytest.fixture
def app(versions: Path, tmp_path: Path) -> Iterator[FastAPI]:
    first = artifact.load(versions / "first").digest
    model = ModelSettings("warfarin", versions, first)
    settings = Settings((model,), allow_unsigned=True)
    with running_app(versions, tmp_path / "service", settings) as running:
        deployment_of(running).identify_system = nobody  # an administrator calls
        yield running


def test_a_version_is_found_by_the_beginning_of_its_digest(versions: Path) -> None:
    model = ModelSettings("warfarin", versions)
    digest = artifact.load(versions / "first").digest
    assert find_version(model, digest[:12]) == versions / "first"
    with pytest.raises(NotFoundError) as nothing:
        find_version(model, "nothing")
    assert str(nothing.value) == (
        "no version of warfarin has a digest that begins so; GET /models/warfarin/history lists "
        "those that answered."
    )
    with pytest.raises(NotFoundError, match="2 versions of warfarin have a digest that begins so"):
        find_version(model, "")


def test_no_request_is_lost_while_the_version_is_swapped(app: FastAPI, versions: Path) -> None:
    first, second = (artifact.load(versions / n).digest for n in ("first", "second"))

    async def run() -> tuple[list[tuple[int, str]], list[dict]]:
        async with client(app) as http:
            await start(deployment_of(app))

            async def ask() -> tuple[int, str]:
                response = await http.post("/recommendations", json={"form": FORM})
                return response.status_code, response.json()["digest"]

            running = [asyncio.create_task(ask()) for _ in range(6)]
            swapped = await http.post("/models/warfarin/swap", json={"digest": second[:12]})
            after = await ask()
            back = await http.post("/models/warfarin/rollback")
            answers = [*await asyncio.gather(*running), after, await ask()]
            return answers, [swapped.json(), back.json()]

    answers, changed = asyncio.run(run())
    assert {status for status, _ in answers} == {201}
    assert {digest for _, digest in answers} <= {first, second}
    assert [answers[-2][1], answers[-1][1]] == [second, first]
    assert [c["digest"] for c in changed] == [second, first]
    assert changed[0]["title"] == "The second version"
    store = deployment_of(app).store
    assert store.read_now(current_state, "warfarin")[0] == first
    assert store.read_now(verify_audit, store.key).problem == ""


def test_a_stopped_model_answers_nobody_until_it_is_resumed(app: FastAPI) -> None:
    async def run() -> list:
        async with client(app) as http:
            await start(deployment_of(app))
            results = [await http.post("/models/warfarin/resume", json={"reason": "x"})]
            for path, body in (
                ("/models/warfarin/stop", {"reason": "a wrong dose was seen"}),
                ("/recommendations", {"form": FORM}),
                ("/models/warfarin/resume", {"reason": "reviewed"}),
                ("/recommendations", {"form": FORM}),
            ):
                results.append(await http.post(path, json=body))
            results.append(await http.get("/models/warfarin/history"))
            return results

    early, stopped, refused, resumed, answered, history = asyncio.run(run())
    assert (early.status_code, early.json()["error"]["code"]) == (409, "conflict")
    assert stopped.json()["is_stopped"]
    assert refused.status_code == 503
    assert refused.headers["Retry-After"] == "60"
    assert refused.json()["error"]["code"] == "model_stopped"
    assert not resumed.json()["is_stopped"]
    assert answered.status_code == 201
    assert [c["action"] for c in history.json()["changes"]] == ["resume", "stop", "start"]
    assert history.json()["served"] == answered.json()["digest"]
    assert len(history.json()["versions"]) == 2
    assert "wrong dose" not in json.dumps(history.json())


def test_an_unknown_version_and_an_unknown_model_are_not_found(app: FastAPI) -> None:
    async def run() -> list:
        async with client(app) as http:
            return [
                await http.post("/models/warfarin/swap", json={"digest": "f" * 12}),
                await http.post("/models/other/swap", json={"digest": "f" * 12}),
                await http.post("/models/warfarin/rollback"),
            ]

    unknown, other, rollback = asyncio.run(run())
    assert [unknown.status_code, other.status_code, rollback.status_code] == [404, 404, 409]
    assert other.json()["error"]["message"] == ("No model has this name; the models are warfarin.")


def test_a_question_that_runs_when_its_model_is_stopped_gets_no_answer(
    app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_running, go_on = threading.Event(), threading.Event()

    def slowly(job: Job) -> Done:
        is_running.set()
        go_on.wait(5)
        return answer_job(job)

    monkeypatch.setattr(answering, "answer_job", slowly)

    async def run() -> list:
        async with client(app) as http:
            asked = asyncio.create_task(http.post("/recommendations", json={"form": FORM}))
            await asyncio.to_thread(is_running.wait, 5)
            stopped = await http.post("/models/warfarin/stop", json={"reason": "a wrong dose"})
            go_on.set()
            return [stopped, await asked]

    stopped, refused = asyncio.run(run())
    assert stopped.status_code == 200
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "model_stopped")
    assert deployment_of(app).store.read_now(newest_answers, 10) == []


@pytest.mark.parametrize("is_written", [True, False])
def test_a_state_read_before_a_stop_does_not_undo_it(
    app: FastAPI, monkeypatch: pytest.MonkeyPatch, is_written: bool
) -> None:
    """A service follows the store every two seconds; `is_written`: the stop is in it by then."""
    deployment = deployment_of(app)
    intact_read, intact_write = Store.read, Store.write

    async def run() -> None:
        await start(deployment)
        go_on = asyncio.Event()
        stopping: list[asyncio.Task[None]] = []

        async def write_later(self: Store, *arguments: object) -> object:
            await go_on.wait()
            return await intact_write(self, *arguments)

        async def read_and_stop(self: Store, *arguments: object) -> object:
            state = await intact_read(self, *arguments)
            stopping.append(asyncio.create_task(stop(deployment, "warfarin", "wrong", "admin")))
            await (stopping[0] if is_written else asyncio.sleep(0))
            return state

        if not is_written:
            monkeypatch.setattr(Store, "write", write_later)
        monkeypatch.setattr(Store, "read", read_and_stop)
        await follow_changes(deployment)
        assert deployment.models.stopped == {"warfarin": "wrong"}
        go_on.set()
        await stopping[0]
        monkeypatch.setattr(Store, "read", intact_read)
        await follow_changes(deployment)
        assert deployment.models.stopped == {"warfarin": "wrong"}

    asyncio.run(run())


def test_a_stop_that_the_store_did_not_take_holds_and_is_written_later(
    app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment = deployment_of(app)

    async def away(*_arguments: object) -> None:
        raise OSError("the database is away")

    async def run() -> int:
        await start(deployment)
        with monkeypatch.context() as patch:
            patch.setattr(Store, "write", away)
            async with client(app) as http:
                response = await http.post("/models/warfarin/stop", json={"reason": "wrong"})
        await follow_changes(deployment)
        return response.status_code

    assert asyncio.run(run()) == 500
    assert deployment.models.stopped == {"warfarin": "wrong"}
    assert deployment.store.read_now(current_state, "warfarin")[1:] == (True, "wrong")


def test_a_model_is_ready_for_cds_hooks_before_its_first_call(app: FastAPI) -> None:
    deployment = deployment_of(app)
    asyncio.run(start(deployment))
    state = deployment.extra["cds_hooks"]
    assert isinstance(state, HooksState)
    assert state.queries.keys() == {deployment.models.current["warfarin"].digest}


def test_why_a_version_cannot_be_served_stands_in_the_log_alone(
    app: FastAPI, versions: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "versions"
    shutil.copytree(versions, folder)
    digest = artifact.load(folder / "second").digest
    (folder / "second" / "weights.safetensors").write_bytes(b"damaged")
    deployment, lines = deployment_of(app), io.StringIO()
    deployment.log = make_log(lines)
    deployment.settings = replace(deployment.settings, models=(ModelSettings("warfarin", folder),))

    async def run() -> list[httpx.Response]:
        async with client(app) as http:
            return [
                await http.post("/models/warfarin/swap", json={"digest": digest}),
                await http.post("/models/warfarin/challenger", json={"digest": digest}),
            ]

    for response in asyncio.run(run()):
        assert response.status_code == 422
        message = response.json()["error"]["message"]
        assert message == "This version cannot be served; the log says why."
    for event in ("swap", "set_challenger"):
        (line,) = (x for x in map(json.loads, lines.getvalue().splitlines()) if x["event"] == event)
        assert "weights.safetensors" in line["error"]
