"""One process that does one thing at a time, and ended if it takes too long.

It is a process and not a thread: it takes no turn from those who answer, what crashes in it ends
nothing else, and what hangs in it can be ended. It gives way to every other process. This module
imports nothing heavy, so that its limits hold before anything heavy is loaded.
"""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

_NICE_LOADING, _NICE = 10, 19
"""A low priority until the first job is done, which loads what all others need; then the lowest."""
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_END_SECONDS = 2.0


class EndedError(Exception):
    """The process ended without a reply."""


@dataclass(slots=True)
class AsideProcess:
    """The process, which is started with its first job, and again after it ended."""

    process: BaseProcess | None = None
    connection: Connection | None = None
    starts: int = 0

    def ask(self, function: Callable[[Any], Any], job: Any, seconds: float) -> Any:
        """What the function makes of the job.

        TimeoutError after so many seconds, EndedError if the process ended; after both it is
        started again for the next job. Otherwise the function's own error.
        """
        connection = self.connection or self._start()
        try:
            connection.send((function, job))
            if not connection.poll(seconds):
                self.end()
                raise TimeoutError
            is_done, result = connection.recv()
        except (EOFError, OSError) as error:
            if isinstance(error, TimeoutError):
                raise
            self.end()
            raise EndedError from error
        if not is_done:
            raise result
        return result

    @property
    def is_running(self) -> bool:
        """Whether it was started and has not ended."""
        return self.process is not None and self.process.is_alive()

    def end(self) -> None:
        """End the process at once, whatever it does; from any thread."""
        process, self.process, self.connection = self.process, None, None
        if process is not None:
            process.kill()
            process.join(_END_SECONDS)

    def _start(self) -> Connection:
        self.end()
        context = multiprocessing.get_context("spawn")  # torch's threads do not survive a fork
        here, there = context.Pipe()
        self.process = context.Process(target=_serve, args=(there,), name="challenger", daemon=True)
        self.process.start()
        there.close()  # so that its end is seen here
        self.connection = here
        self.starts += 1
        return here


def _serve(connection: Connection) -> None:
    """Answer what comes, in the process itself."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the service
    for name in _ONE_THREAD:
        os.environ[name] = "1"
    _lower_priority(_NICE_LOADING)
    is_loaded = False
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    while True:
        try:
            function, job = connection.recv()
        except (EOFError, OSError):
            return
        try:
            reply = (True, function(job))
            if not is_loaded:
                is_loaded = True
                _give_way()
        except Exception as error:  # noqa: BLE001  (reported to whoever waits)
            reply = (False, RuntimeError(type(error).__name__))  # its text may hold a patient
        connection.send(reply)


def _give_way() -> None:
    """Compute only when nobody else wants to, as far as the system allows it."""
    _lower_priority(_NICE - _NICE_LOADING)
    if hasattr(os, "SCHED_IDLE"):  # Linux: others that wake up go first at once
        with suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


def _lower_priority(by: int) -> None:
    with suppress(OSError, AttributeError):  # Windows has no nice
        os.nice(by)


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)
