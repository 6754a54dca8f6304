"""Nothing is erased before the service said what will be, and left time to stop it."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from posology.service import upkeep
from posology.service.settings import Retention, Settings
from posology.service.store import read_answer, save_answer
from tests.builders.pages import made_up_answer
from tests.builders.service import deployment_of, running_app


def test_the_first_erasure_is_announced_and_waits(
    small_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slip in retention.patients once erased every answer in the first second of a start."""
    settings = Settings(models=(), allow_unsigned=True, retention=Retention(patients=30))
    monkeypatch.setattr(upkeep, "_FOLLOW_SECONDS", 0.01)
    with running_app(small_model, tmp_path, settings) as app:
        deployment = deployment_of(app)
        assert upkeep.retention_notice(deployment) == ""
        old = made_up_answer("dose", "2026-01-01T00:00:00.000000Z", "p", "d" * 64)
        deployment.store.write_now(save_answer, replace(old, id="old"))
        notice = upkeep.retention_notice(deployment)
        assert notice.startswith("Retention of 30 days: in 10 minutes the facts of 1 answers and 0")
        assert "To keep them end the service now and change retention.patients." in notice

        def body_after(seconds: float) -> bytes | None:
            async def run() -> None:
                with suppress(TimeoutError):
                    await asyncio.wait_for(upkeep.keep_up(deployment), seconds)

            asyncio.run(run())
            kept = deployment.store.read_now(read_answer, "old")
            assert kept is not None
            return kept.body

        assert body_after(0.1) is not None
        monkeypatch.setattr(upkeep, "NOTICE_SECONDS", 0.0)
        assert body_after(0.1) is None
