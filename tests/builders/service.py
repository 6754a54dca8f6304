"""A running service with a small model, in this process and in milliseconds."""

import functools
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import httpx
from fastapi import FastAPI
from starlette.requests import Request

from posology import artifact
from posology.advice.form.training_facts import EVIDENCE, measure_facts
from posology.domain.cohort import TRAIN, select_split
from posology.domain.serialization import serialize
from posology.domain.study import Study
from posology.service.app import create_app
from posology.service.deployment import Deployment, open_deployment
from posology.service.identity import ROLES, Caller
from posology.service.settings import ModelSettings, Settings
from posology.service.store import open_store
from posology.service.store.existing import SQLITE
from tests.builders.policies import fitted_policy, iwpc_cohort

FORM = {"facts": {"sex": "male", "age": "70-79", "height": 180, "weight": 80}}
"""A patient whom the small model can judge."""
PERSON = Caller("person-1", "person", ROLES, "Dr. Ada Example")
SYSTEM = Caller("https://ehr.example", "system", ("clinician",))


def save_small_model(folder: Path, study: Study | None = None, policy: str = "logistic") -> Path:
    """A regression on synthetic warfarin patients, with what its form needs."""
    train = select_split(iwpc_cohort(), TRAIN)
    evidence = {EVIDENCE: serialize(measure_facts(train), {})}
    artifact.save(fitted_policy(policy), study or iwpc_cohort().study, evidence, folder)
    return folder


@contextmanager
def running_app(model: Path, folder: Path, settings: Settings | None = None) -> Generator[FastAPI]:
    """The app of these settings, ready, with everybody signed in as PERSON and SYSTEM.

    Set `app.state.deployment.identify_person` or `identify_system` to test sign-in itself.
    """
    wanted = settings or Settings(models=(), allow_unsigned=True)
    models = wanted.models or (ModelSettings("warfarin", model),)
    store = folder / SQLITE
    if not wanted.database and not store.exists():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        store.write_bytes(_empty_store())
    deployment = open_deployment(replace(wanted, models=models, folder=folder))
    deployment.identify_person, deployment.identify_system = _person, _system
    deployment.is_ready = True
    try:
        yield create_app(deployment.settings, deployment)
    finally:
        deployment.shadow.close(0.0)
        deployment.workers.close()
        deployment.store.close()


@functools.cache
def _empty_store() -> bytes:
    """An SQLite store with its tables: making them takes two thirds of a service's start."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / SQLITE
        open_store(f"sqlite:///{path}", b"k" * 32).close()
        return path.read_bytes()


def client(app: FastAPI) -> httpx.AsyncClient:
    """A client that calls the app in this process, without a socket."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://posology.test")


def deployment_of(app: FastAPI) -> Deployment:
    """What the app holds."""
    return app.state.deployment


async def _person(request: Request) -> Caller:
    return PERSON


async def _system(request: Request) -> Caller:
    return SYSTEM
