"""Drafts of folders and files: written aside, renamed when complete, never seen in part."""

import os
import shutil
import tempfile
from collections.abc import Generator
from contextlib import ExitStack, contextmanager, suppress
from glob import escape
from pathlib import Path

from posology.errors import UserError
from posology.records.file_lock import lock_file

_LOCK = ".writing"
_ENDING = ".draft"


@contextmanager
def draft_folder(out: Path) -> Generator[Path]:
    """A new folder next to `out`, for the owner only, removed at the end.

    Write a folder into it and rename that to `out`. Drafts that killed runs left for the same `out`
    are removed; those of running processes, which hold a lock, are not.
    """
    with ExitStack() as held:
        yield _new_draft(out, held)


def _new_draft(out: Path, held: ExitStack) -> Path:
    while True:
        try:
            out.parent.mkdir(parents=True, exist_ok=True)
            _remove_abandoned(out)
            draft = Path(tempfile.mkdtemp(_ENDING, f".{out.name}-", out.parent))
        except OSError as error:
            raise UserError(f"{out}: cannot be written: {error.strerror or error}") from error
        held.callback(shutil.rmtree, draft, ignore_errors=True)
        with suppress(FileNotFoundError):  # another run came before the lock: once more
            held.enter_context(lock_file(draft / _LOCK))
            if draft.exists():
                return draft


def _remove_abandoned(out: Path) -> None:
    for draft in out.parent.glob(f".{escape(out.name)}-*{_ENDING}"):
        lock = draft / _LOCK
        with suppress(OSError):  # its run goes on, has just ended, or is another user's
            if lock.is_file():
                with lock_file(lock, waits=False):
                    shutil.rmtree(draft, ignore_errors=True)
                shutil.rmtree(draft, ignore_errors=True)  # Windows keeps a locked file
            else:
                draft.rmdir()  # killed before its lock: empty


def write_whole(path: Path, text: str) -> None:
    """Write a text file in one step, and make its folder: what was there stays until then.

    Of two writers at once the later one's text stays. A device is written to as it is.
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
    with draft_folder(path) as folder:
        draft = folder / path.name
        yield draft
        if path.exists():
            shutil.copymode(path, draft)
        os.replace(draft, path)


def write_secret(path: Path, content: bytes) -> None:
    """Write a new file that only its owner may read; FileExistsError if it is there already.

    A killed run leaves no part of it.
    """
    with draft_folder(path) as folder:
        draft = folder / path.name
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
