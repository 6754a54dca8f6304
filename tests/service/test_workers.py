"""Worker processes: apart from the service, and replaced when they die."""

import asyncio
import os
from pathlib import Path

import pytest

from posology.service.errors import NotReadyError
from posology.service.settings import Settings
from posology.service.workers import make_workers


def test_a_worker_that_dies_is_replaced_and_its_question_refused(tmp_path: Path) -> None:
    async def run() -> tuple[int, int]:
        workers = make_workers(Settings((), tmp_path, workers=1))
        try:
            first = await workers.prepare(_process, 0)
            with pytest.raises(NotReadyError, match="A worker ended and is replaced; try again"):
                await workers.run(os._exit, 3)
            second = await workers.run(_process, 0)
            assert workers.restarts == 1
        finally:
            workers.close()
        with pytest.raises(NotReadyError, match="The service ends"):
            await workers.run(_process, 0)
        return first, second

    first, second = asyncio.run(run())
    assert len({first, second, os.getpid()}) == 3


def _process(_: int) -> int:
    return os.getpid()
