"""The lock of a file, held by one process at a time: flock where there is one, else msvcrt's."""

import importlib
import os
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_POLL = 0.1
"""Seconds between two tries where the system cannot wait by itself (our choice)."""


@contextmanager
def lock_file(path: Path, waits: bool = True) -> Generator[None]:
    """Hold the lock of a file, which is made if it is not there, and never removed.

    waits: until another process releases it; without it BlockingIOError.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if sys.platform == "win32":
            with _first_byte(descriptor, waits):
                yield
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if waits else fcntl.LOCK_NB))
            yield
    finally:
        os.close(descriptor)  # this releases flock's lock


@contextmanager
def _first_byte(descriptor: int, waits: bool) -> Generator[None]:
    """The same on Windows, where a lock is on bytes and a wait ends after ten seconds."""
    msvcrt: Any = importlib.import_module("msvcrt")  # only Windows has it
    while True:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
            break
        except OSError as error:
            if not waits:
                raise BlockingIOError(error.errno, "is locked by another process") from error
            time.sleep(_POLL)
    try:
        yield
    finally:
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)
