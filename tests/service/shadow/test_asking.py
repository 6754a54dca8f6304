"""A challenger that fails, hangs or is slow changes no answer, and what it missed is counted."""

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import Connection, select

from posology.service.models.switching import stop
from posology.service.shadow import asking
from posology.service.shadow.process import EndedError
from posology.service.store import newest_answers
from posology.service.store.shadows import FAILED, TOO_SLOW
from posology.service.store.tables import SHADOWS
from tests.builders.challengers import aside_of, settle, wait_until
from tests.builders.service import FORM, client, deployment_of


def ask(app: FastAPI, times: int = 1) -> list[httpx.Response]:
    async def run() -> list[httpx.Response]:
        async with client(app) as http:
            body = {"form": FORM, "patient_id": "p1"}
            return [await http.post("/recommendations", json=body) for _ in range(times)]

    return asyncio.run(run())


def kept(app: FastAPI) -> list[Any]:
    def read(connection: Connection) -> list[Any]:
        return list(connection.execute(select(SHADOWS).order_by(SHADOWS.c.number)))

    return deployment_of(app).store.read_now(read)


def raise_error() -> None:
    raise ValueError("Jane Roe")


def take_too_long() -> None:
    raise TimeoutError


def crash() -> None:
    raise EndedError


@pytest.mark.parametrize(
    ("before", "state"),
    [(raise_error, FAILED), (take_too_long, TOO_SLOW), (lambda: None, "dose")],
)
def test_answers_are_the_same_whatever_the_challenger_does(
    challenged: FastAPI, before: Callable[[], None], state: str
) -> None:
    deployment = deployment_of(challenged)
    aside_of(challenged).before = before
    [asked] = ask(challenged)
    settle(challenged)
    assert [row.state for row in kept(challenged)] == [state]
    deployment.models.challengers.clear()
    [alone] = ask(challenged)
    assert asked.json()["recommendation"] == alone.json()["recommendation"]
    assert asked.status_code == alone.status_code == 201
    assert asked.headers.keys() == alone.headers.keys()
    assert len(kept(challenged)) == 1


def test_what_it_answers_is_kept_apart_and_is_found_nowhere_else(challenged: FastAPI) -> None:
    [asked] = ask(challenged)
    settle(challenged)
    deployment = deployment_of(challenged)
    [row] = kept(challenged)
    assert (row.answer, row.state, row.option) == (asked.json()["id"], "dose", "medium")
    assert row.digest == deployment.models.challengers["warfarin"].digest
    assert row.champion_dose != row.dose
    assert [a.digest for a in deployment.store.read_now(newest_answers, 9)] == [
        deployment.models.current["warfarin"].digest
    ]
    text = deployment.metrics.render().decode()
    assert 'posology_shadow_answers_total{model="warfarin",state="dose"} 1.0' in text
    assert 'posology_answers_total{door="api",model="warfarin",state="dose"} 1.0' in text


def test_a_slow_one_delays_nobody_and_what_does_not_fit_the_queue_is_counted(
    challenged: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, deployment = threading.Event(), deployment_of(challenged)
    aside_of(challenged).before = lambda: go_on.wait(10)
    deployment.shadow.waiting = 2
    began = time.monotonic()
    assert {r.status_code for r in ask(challenged, 6)} == {201}
    assert time.monotonic() - began < 5  # it holds the first question for ten seconds
    wait_until(lambda: deployment.shadow.running)
    dropped = deployment.shadow.dropped["warfarin", asking.FULL]
    assert dropped in (3, 4)  # the first question may still have waited when the third came
    go_on.set()
    settle(challenged)
    assert len(kept(challenged)) == 6 - dropped
    assert f'reason="queue_full"}} {dropped}.0' in deployment.metrics.render().decode()


def test_it_waits_while_every_worker_answers_but_not_for_ever(
    challenged: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    shadow, aside = deployment_of(challenged).shadow, aside_of(challenged)
    looks: list[int] = []
    shadow.is_busy = lambda: bool(looks.append(aside.asked)) or len(looks) < 4
    ask(challenged)
    settle(challenged)
    assert (looks, aside.asked) == ([0, 0, 0, 0], 1)
    monkeypatch.setattr(asking, "_PATIENCE", 0.05)
    shadow.is_busy = lambda: True
    ask(challenged)
    settle(challenged)
    assert aside.asked == 2


def test_a_database_that_is_away_costs_its_answer_and_nothing_else(
    challenged: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    shadow = deployment_of(challenged).shadow

    def away(*_arguments: object) -> None:
        raise OSError("the database is away")

    with monkeypatch.context() as patch:
        patch.setattr(type(shadow.store), "write_now", away)
        ask(challenged)
        settle(challenged)
    ask(challenged)
    settle(challenged)
    assert shadow.dropped["warfarin", asking.NOT_STORED] == 1
    assert len(kept(challenged)) == 1


def test_it_is_asked_only_once_the_answer_is_sent(challenged: FastAPI) -> None:
    shadow, order = deployment_of(challenged).shadow, []
    intact = shadow.put

    async def run() -> None:
        scope_done = []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            async def watched(message: Any) -> None:
                order.append(message["type"])
                await send(message)

            await challenged(scope, receive, watched)
            scope_done.append(True)

        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as http:
            await http.post("/recommendations", json={"form": FORM})

    type(shadow).put = lambda self, question: (order.append("asked"), intact(question))[1]
    try:
        asyncio.run(run())
    finally:
        type(shadow).put = intact.__func__
    assert order == ["http.response.start", "http.response.body", "asked"]


def test_one_that_fails_again_and_again_is_not_asked_until_it_is_set_again(
    challenged: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "MOST_FAILURES", 2)
    aside, shadow = aside_of(challenged), deployment_of(challenged).shadow
    challenger = deployment_of(challenged).models.challengers["warfarin"]
    aside.before = crash
    ask(challenged, asking.MOST_FAILURES + 1)
    settle(challenged)
    assert aside.asked == asking.MOST_FAILURES
    assert shadow.is_paused(challenger.digest)
    assert shadow.dropped["warfarin", asking.PAUSED] == 1
    shadow.prepare(challenger)
    aside.before = lambda: None
    ask(challenged)
    settle(challenged)
    assert [row.state for row in kept(challenged)] == [FAILED] * asking.MOST_FAILURES + ["dose"]


def test_the_kill_switch_stops_both_also_for_what_runs(challenged: FastAPI) -> None:
    is_running, go_on = threading.Event(), threading.Event()
    deployment = deployment_of(challenged)
    aside_of(challenged).before = lambda: (is_running.set(), go_on.wait(10))[0]
    ask(challenged, 2)
    assert is_running.wait(10)
    asyncio.run(stop(deployment, "warfarin", "wrong doses", "admin"))
    go_on.set()
    settle(challenged)
    assert (aside_of(challenged).asked, kept(challenged)) == (1, [])
    assert ask(challenged)[0].status_code == 503
    assert aside_of(challenged).asked == 1


def test_the_end_of_the_service_waits_for_it_no_longer_than_allowed(challenged: FastAPI) -> None:
    shadow, aside = deployment_of(challenged).shadow, aside_of(challenged)
    is_running = threading.Event()

    def until_ended() -> None:
        is_running.set()
        assert aside.is_ended.wait(10)
        raise EndedError

    aside.before = until_ended
    ask(challenged, 3)
    assert is_running.wait(10)
    began = time.monotonic()
    shadow.close(0.2)
    assert time.monotonic() - began < 2
    assert shadow.dropped["warfarin", asking.ENDING] == 3
    assert shadow.thread is not None
    assert not shadow.thread.is_alive()
    ask(challenged)
    assert shadow.dropped["warfarin", asking.ENDING] == 4


def test_what_waits_at_the_end_is_answered_and_stored_where_there_is_time(
    challenged: FastAPI,
) -> None:
    ask(challenged, 3)
    deployment_of(challenged).shadow.close(10.0)
    assert [row.state for row in kept(challenged)] == ["dose"] * 3
