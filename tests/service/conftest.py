from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI

from tests.builders.service import running_app, save_small_model


@pytest.fixture(scope="session")
def small_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_small_model(tmp_path_factory.mktemp("served") / "warfarin")


@pytest.fixture
def app(small_model: Path, tmp_path: Path) -> Iterator[FastAPI]:
    with running_app(small_model, tmp_path / "service") as running:
        yield running
