"""One folder replaced by another in a single step, so that a killed run leaves the old one."""

import ctypes
import fcntl
import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from posology.errors import RecordError

AT_FDCWD = -100
"""linux/fcntl.h: paths are relative to the working folder."""
RENAME_EXCHANGE = 2
"""linux/fs.h: both names exist and change places."""


@contextmanager
def replacing(folder: Path) -> Generator[Path]:
    """A new empty folder beside this one, which takes its place when the block ends well.

    One run at a time; what a killed run left is removed by the next. The lock file stays: a file
    that is removed while another run waits for it locks nothing.
    """
    folder = folder.absolute()
    fresh = folder.with_name(f".{folder.name}.ingesting")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.with_name(f".{folder.name}.lock").touch()
    except OSError as error:
        raise RecordError(f"{folder} cannot be written: {error.strerror}") from error
    with folder.with_name(f".{folder.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RecordError(f"{folder} is being written by another run; wait for it") from error
        shutil.rmtree(fresh.with_name(fresh.name + ".old"), ignore_errors=True)
        if fresh.exists():
            if not folder.exists() and (fresh / "manifest.json").exists():
                os.rename(fresh, folder)  # killed between the two renames of `_exchange`
            else:
                shutil.rmtree(fresh)
        fresh.mkdir()
        try:
            yield fresh
            if any(fresh.iterdir()):
                _exchange(fresh, folder)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)


def _exchange(fresh: Path, folder: Path) -> None:
    """Put `fresh` in the place of `folder`; the old one is then at `fresh`."""
    if not folder.exists():
        os.rename(fresh, folder)
        return
    libc = ctypes.CDLL(None, use_errno=True)
    names = os.fsencode(fresh), os.fsencode(folder)
    if hasattr(libc, "renameat2") and not libc.renameat2(
        AT_FDCWD, names[0], AT_FDCWD, names[1], RENAME_EXCHANGE
    ):
        return
    old = fresh.with_name(fresh.name + ".old")  # no exchange here: two renames, then cleaned up
    os.rename(folder, old)
    os.rename(fresh, folder)
    os.rename(old, fresh)
