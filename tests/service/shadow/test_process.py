"""The process that is asked: ended when it hangs, started again when it died, of one thread."""

import os
import time

import pytest

from posology.service.shadow.process import AsideProcess, EndedError


def test_what_hangs_is_ended_what_dies_is_replaced_and_errors_lose_their_text() -> None:
    aside = AsideProcess()
    try:
        assert aside.ask(_surroundings, 0, 60.0) == ("1", os.nice(0) + 10, os.SCHED_OTHER)
        loaded = aside.ask(_surroundings, 0, 60.0)
        assert loaded == ("1", min(os.nice(0) + 19, 19), os.SCHED_IDLE)
        first = aside.process
        with pytest.raises(RuntimeError, match=r"^ValueError$"):  # int's text would be `Jane Roe`
            aside.ask(int, "Jane Roe", 60.0)
        assert aside.process is first
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            aside.ask(time.sleep, 60, 0.1)
        assert time.monotonic() - began < 5
        assert not aside.is_running
        with pytest.raises(EndedError):
            aside.ask(os._exit, 3, 60.0)
        assert aside.ask(abs, -1, 60.0) == 1
        assert aside.starts == 3
    finally:
        aside.end()
    assert not aside.is_running


def _surroundings(_: int) -> tuple[str, int, int]:
    return os.environ["OMP_NUM_THREADS"], os.nice(0), os.sched_getscheduler(0)
