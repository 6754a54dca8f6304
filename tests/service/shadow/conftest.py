from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI

from tests.builders.challengers import app_with_challenger
from tests.builders.service import save_small_model


@pytest.fixture(scope="session")
def other_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another policy for the same question."""
    return save_small_model(tmp_path_factory.mktemp("other") / "formula", policy="formula_refit")


@pytest.fixture
def challenged(
    small_model: Path, other_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[FastAPI]:
    monkeypatch.setattr("posology.service.shadow.asking._LINGER", 0.02)
    with app_with_challenger(small_model, other_model, tmp_path / "service") as app:
        yield app
