"""One database: reads in threads, writes in one thread that commits together what waits."""

import asyncio
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError
from typing_extensions import TypeVarTuple, Unpack

from posology.errors import UserError
from posology.service.store.engines import Engines, open_engines
from posology.service.store.migrations import migrate

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
_TOGETHER = 64
"""Writes that share a transaction at most: one flush of the disk is enough for all of them."""


@dataclass(frozen=True, slots=True)
class _Write:
    run: Callable[[Connection], Any]
    done: Future[Any]


@dataclass(frozen=True, slots=True)
class Store:
    """Reads and writes of one database."""

    engines: Engines
    key: bytes
    """Secret of the service: hashes patients' ids and chains the audit log."""
    writes: "queue.SimpleQueue[_Write | None]"
    writer: threading.Thread

    @property
    def is_shared(self) -> bool:
        """Whether other services may be on the same database: it is no file of our own."""
        return self.engines.writing.dialect.name != "sqlite"

    async def read(self, function: Callable[[Connection, Unpack[Ts]], T], *args: *Ts) -> T:
        """What the function reads, in a thread."""
        return await asyncio.to_thread(lambda: self.read_now(function, *args))

    def read_now(self, function: Callable[[Connection, Unpack[Ts]], T], *args: *Ts) -> T:
        """The same in this thread; never call it in the event loop."""
        with self.engines.reading.connect() as connection:
            return function(connection, *args)

    async def write(self, function: Callable[[Connection, Unpack[Ts]], T], *args: *Ts) -> T:
        """What the function returns, once its transaction is on the disk."""
        return await asyncio.wrap_future(self._submit(lambda at: function(at, *args)))

    def write_now(self, function: Callable[[Connection, Unpack[Ts]], T], *args: *Ts) -> T:
        """The same, waiting in this thread; never call it in the event loop."""
        return self._submit(lambda at: function(at, *args)).result()

    def write_later(self, function: Callable[[Connection, Unpack[Ts]], object], *args: *Ts) -> None:
        """Write in a while, without waiting: for what may be lost if the power fails."""
        self._submit(lambda at: function(at, *args))

    def _submit(self, run: Callable[[Connection], T]) -> Future[T]:
        done: Future[T] = Future()
        self.writes.put(_Write(run, done))
        return done

    def close(self) -> None:
        """Finish the writes that wait, and close the database."""
        self.writes.put(None)
        self.writer.join()
        self.engines.close()


def open_store(address: str, key: bytes) -> Store:
    """The store of this SQLAlchemy address, with its tables brought up to date.

    UserError if the database does not answer, or lets nobody in.
    """
    engines = open_engines(address)
    try:
        migrate(engines.writing)
    except OperationalError as error:
        engines.close()
        shown = engines.writing.url.render_as_string(hide_password=True)
        why = str(error.orig).strip().splitlines()[0]
        raise UserError(
            f"database {shown}: cannot be opened ({why}). Start the database, or mend its address, "
            "its password file (PGPASSFILE) or the rights to its folder."
        ) from error
    writes: queue.SimpleQueue[_Write | None] = queue.SimpleQueue()
    writer = threading.Thread(target=_write, args=(engines, writes), name="store", daemon=True)
    writer.start()
    return Store(engines, key, writes, writer)


def _write(engines: Engines, writes: "queue.SimpleQueue[_Write | None]") -> None:
    is_open = True
    while is_open:
        batch, is_open = _next_batch(writes)
        if batch:
            _write_batch(engines, batch)


def _next_batch(writes: "queue.SimpleQueue[_Write | None]") -> tuple[list[_Write], bool]:
    """What waits, at least one; and whether more may come."""
    first = writes.get()
    if first is None:
        return [], False
    batch = [first]
    while len(batch) < _TOGETHER:
        try:
            item = writes.get_nowait()
        except queue.Empty:
            return batch, True
        if item is None:
            return batch, False
        batch.append(item)
    return batch, True


def _write_batch(engines: Engines, batch: list[_Write]) -> None:
    """Run each write in a savepoint of one transaction, commit, then report."""
    results: list[tuple[_Write, Any, Exception | None]] = []
    try:
        with engines.writing.begin() as connection:
            for write in batch:
                if not write.done.set_running_or_notify_cancel():
                    continue
                try:
                    with connection.begin_nested():
                        value = write.run(connection)
                except Exception as error:  # noqa: BLE001  (reported to whoever wrote)
                    results.append((write, None, error))
                else:
                    results.append((write, value, None))
    except Exception as error:  # noqa: BLE001  (a thread that ended would let all writers wait)
        for write in batch:
            if not write.done.done():
                write.done.set_exception(error)
        return
    for write, value, problem in results:
        if problem is None:
            write.done.set_result(value)
        else:
            write.done.set_exception(problem)
