"""A service with a challenger whose answers are made in this process, so that tests are fast."""

import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from sqlalchemy import Connection

from posology.service.settings import ModelSettings, Settings
from posology.service.shadow.comparing import shadow_job
from posology.service.store import save_answer
from posology.service.store.shadows import ShadowAnswer, save_shadows
from tests.builders.pages import made_up_answer
from tests.builders.service import deployment_of, running_app


@dataclass
class Aside:
    """Asks in the thread that waits for the answer; `before` runs ahead of each answer."""

    before: Callable[[], None] = lambda: None
    asked: int = 0
    is_ended: threading.Event = field(default_factory=threading.Event)

    def ask(self, function: Callable[[Any], Any], job: Any, seconds: float) -> Any:
        if function is shadow_job:
            self.asked += 1
            self.before()
        return function(job)

    def end(self) -> None:
        self.is_ended.set()


@contextmanager
def app_with_challenger(
    champion: Path, challenger: Path, folder: Path, settings: Settings | None = None
) -> Generator[FastAPI]:
    """The service of two saved policies, of which the second is the first one's challenger."""
    models = (ModelSettings("warfarin", champion, challenger=challenger),)
    wanted = replace(settings or Settings((), allow_unsigned=True), models=models)
    with running_app(champion, folder, wanted) as app:
        deployment_of(app).shadow.aside = Aside()
        yield app


def aside_of(app: FastAPI) -> Aside:
    aside = deployment_of(app).shadow.aside
    assert isinstance(aside, Aside)
    return aside


def settle(app: FastAPI) -> None:
    """Wait until the challenger has answered, and its answers are stored."""
    assert deployment_of(app).shadow.settle(10.0)


def wait_until(holds: Callable[[], object], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.005)


def store_pairs(app: FastAPI, rows: list[tuple[str, ShadowAnswer]]) -> None:
    """Keep made-up answers of the model in use, each with what the challenger answered.

    rows: the patient, and the challenger's answer without its ids.
    """
    deployment = deployment_of(app)
    champion = deployment.models.current["warfarin"].digest
    challenger = deployment.models.challengers["warfarin"].digest

    def write(connection: Connection) -> None:
        for at, (patient, shadow) in enumerate(rows):
            made = f"2026-11-27T{8 + at // 3600:02d}:{at // 60 % 60:02d}:{at % 60:02d}.000000Z"
            stored = replace(made_up_answer("dose", made, patient, champion), id=f"a{at}")
            save_answer(connection, stored)
            own = replace(shadow, answer=f"a{at}", made_at=made, digest=challenger)
            save_shadows(connection, [own])

    deployment.store.write_now(write)
