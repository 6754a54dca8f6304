"""Where answers are made: threads of this process, or processes of their own.

The event loop never computes. Processes answer on every core and keep an answer that crashes
from taking the service with it; threads start at once, which suits demonstrations and tests.
"""

import asyncio
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from posology.language.catalogue import current_language, in_language, tr
from posology.service.errors import BusyError, NotReadyError, TimedOutError
from posology.service.settings import Settings

T = TypeVar("T")
A = TypeVar("A")


@dataclass(slots=True)
class Workers:
    """A bounded pool."""

    count: int
    """Jobs at the same time."""
    waiting: int
    """Jobs that may wait for their turn."""
    seconds: float
    """Time allowed for one job, its wait included."""
    is_processes: bool
    pool: Executor
    running: int = 0
    """Jobs that run or wait."""
    counting: threading.Lock = field(default_factory=threading.Lock)
    is_closed: bool = False
    restarts: int = 0
    """How often a worker process died and was replaced."""

    async def run(self, function: Callable[[A], T], job: A) -> T:
        """What the function makes of the job, in the language of the caller.

        BusyError, TimedOutError or its own error.
        """
        if self.is_closed:
            raise NotReadyError(tr("The service ends; try again in a moment."))
        if self.running >= self.count + self.waiting:
            raise BusyError(tr("Too many questions wait; try again in a moment."))
        future = self._submit(function, job)
        try:
            return await asyncio.wait_for(asyncio.wrap_future(future), self.seconds)
        except TimeoutError as error:
            text = tr("No answer within {seconds} seconds; try again in a moment.")
            raise TimedOutError(text.format(seconds=f"{self.seconds:g}")) from error
        except BrokenProcessPool as error:
            self._restart()
            text = tr("A worker ended and is replaced; try again in a moment.")
            raise NotReadyError(text) from error

    async def prepare(self, function: Callable[[A], T], job: A) -> T:
        """The same without limits of time and number: what the service itself has to do."""
        return await asyncio.wrap_future(self.pool.submit(function, job))

    def _submit(self, function: Callable[[A], T], job: A) -> Future[T]:
        spoken = partial(_in_language, current_language(), function)
        try:
            future = self.pool.submit(spoken, job)
        except BrokenProcessPool:
            self._restart()
            future = self.pool.submit(spoken, job)
        with self.counting:
            self.running += 1  # until the job ends, though whoever waited may have left before
        future.add_done_callback(self._finished)
        return future

    def _finished(self, _future: Future[T]) -> None:
        with self.counting:
            self.running -= 1

    def _restart(self) -> None:
        if not getattr(self.pool, "_broken", False):
            return  # another job found it first
        self.restarts += 1
        self.pool.shutdown(wait=False)
        self.pool = _make_pool(self.count, self.is_processes)

    def close(self) -> None:
        """Finish what runs, and end."""
        self.is_closed = True
        self.pool.shutdown(wait=True, cancel_futures=True)


def _in_language(language: str, function: Callable[[A], T], job: A) -> T:
    """A thread or a process of the pool has no language of its own."""
    with in_language(language):
        return function(job)


def make_workers(settings: Settings) -> Workers:
    """The pool that the settings describe."""
    is_processes = settings.workers > 0
    count = settings.workers or settings.threads
    return Workers(
        count=count,
        waiting=settings.limits.waiting,
        seconds=settings.limits.seconds,
        is_processes=is_processes,
        pool=_make_pool(count, is_processes),
    )


def _make_pool(count: int, is_processes: bool) -> Executor:
    if is_processes:
        context = multiprocessing.get_context("spawn")  # torch's threads do not survive a fork
        return ProcessPoolExecutor(count, mp_context=context, initializer=_start_worker)
    return ThreadPoolExecutor(count, thread_name_prefix="answer")


def _start_worker() -> None:
    """Ctrl-C is for the service, which ends its workers itself; none outlives a killed service."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)
