"""Drafts of folders and files: written aside, renamed when complete, never seen in part."""

import os
import shutil
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from glob import escape
from pathlib import Path

from posology.errors import UserError
from posology.records.file_lock import lock_file

_LOCK = ".writing"
_UNLOCKED_SECONDS = 60.0
"""Age from which a draft without a lock is one of a killed run (our choice)."""


@contextmanager
def draft_folder(out: Path) -> Generator[Path]:
    """A new folder next to `out`, for the owner only, removed at the end.

    Write a folder into it and rename that to `out`. Drafts that killed runs left for the same `out`
    are removed; those of running processes, which hold a lock, are not.
    """
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(out)
        draft = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    except OSError as error:
        raise UserError(f"{out}: cannot be written: {error.strerror or error}") from error
    try:
        with lock_file(draft / _LOCK):
            yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _remove_abandoned(out: Path) -> None:
    for draft in out.parent.glob(f".{escape(out.name)}-*"):
        lock = draft / _LOCK
        if lock.is_file():
            try:
                with lock_file(lock, waits=False):
                    shutil.rmtree(draft, ignore_errors=True)
            except BlockingIOError:
                continue
            shutil.rmtree(draft, ignore_errors=True)  # Windows keeps a locked file
        elif draft.is_dir() and time.time() - draft.stat().st_mtime > _UNLOCKED_SECONDS:
            shutil.rmtree(draft, ignore_errors=True)


def write_whole(path: Path, text: str) -> None:
    """Write a text file in one step, and make its folder: what was there stays until then.

    A draft that a killed run left is written over by the next. A device is written to as it is.
    """
    with draft_file(path) as draft:
        draft.write_text(text, encoding="utf-8")


@contextmanager
def draft_file(path: Path) -> Generator[Path]:
    """Where to write what becomes the file `path` if the block ends without an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and not path.is_file():
        yield path
        return
    path = path.resolve()  # a link stays one
    draft = path.with_name(f".{path.name}.draft")
    try:
        yield draft
        if path.exists():
            shutil.copymode(path, draft)
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def write_secret(path: Path, content: bytes) -> None:
    """Write a new file that only its owner may read; FileExistsError if it is there already.

    A killed run leaves no part of it.
    """
    draft = path.with_name(f".{path.name}.draft")
    draft.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    finally:
        draft.unlink(missing_ok=True)
