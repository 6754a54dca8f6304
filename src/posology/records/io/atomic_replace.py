"""Replace a folder by a new one in a single step, so that a killed run leaves the old one."""

import ctypes
import os
import shutil
import sys
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from posology.errors import RecordError
from posology.records.file_lock import lock_file
from posology.records.io.checksums import CHECKSUMS

AT_FDCWD = -100
"""linux/fcntl.h: paths are relative to the working directory."""
RENAME_EXCHANGE = 2
"""linux/fs.h: exchange two existing paths."""


@contextmanager
def atomic_replace(folder: Path) -> Generator[Path]:
    """A new empty folder that replaces `folder` if the block ends without an error.

    Only one run at a time may write; the next run removes what a killed run left behind. The lock
    file is never removed: another run may be waiting for it. Only the owner may open the folder.
    """
    folder = folder.absolute()
    new = folder.with_name(f".{folder.name}.ingesting")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.with_name(f".{folder.name}.lock").touch()
    except OSError as error:
        raise RecordError(f"{folder} cannot be written: {error.strerror}") from error
    with ExitStack() as held:
        try:
            held.enter_context(lock_file(folder.with_name(f".{folder.name}.lock"), waits=False))
        except BlockingIOError as error:
            raise RecordError(f"{folder} is being written by another run; wait for it") from error
        shutil.rmtree(new.with_name(new.name + ".old"), ignore_errors=True)
        if new.exists():
            if not folder.exists() and (new / CHECKSUMS).exists():
                os.rename(new, folder)  # killed between the two renames of `exchange_folders`
            else:
                shutil.rmtree(new)
        new.mkdir(mode=0o700)
        try:
            yield new
            if any(new.iterdir()):
                exchange_folders(new, folder)
        finally:
            shutil.rmtree(new, ignore_errors=True)


def exchange_folders(new: Path, folder: Path) -> None:
    """Exchange `new` and `folder`, so that the old content is then at `new`."""
    if not folder.exists():
        os.rename(new, folder)
        return
    if sys.platform == "linux" and _exchange_at_once(new, folder):
        return
    old = new.with_name(new.name + ".old")  # exchange is not supported here: two renames
    os.rename(folder, old)
    os.rename(new, folder)
    os.rename(old, new)


def _exchange_at_once(new: Path, folder: Path) -> bool:
    """Exchange both names in one step; False where the kernel or the file system cannot."""
    libc = ctypes.CDLL(None, use_errno=True)
    names = os.fsencode(new), os.fsencode(folder)
    return hasattr(libc, "renameat2") and not libc.renameat2(
        AT_FDCWD, names[0], AT_FDCWD, names[1], RENAME_EXCHANGE
    )
