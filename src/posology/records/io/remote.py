"""Folders on object storage or a shared disk, by URL (fsspec): read and written through a copy.

How a store that has no rename never shows half a folder as a whole one is in `publish`.
"""

import re
import tempfile
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from posology.errors import RecordError, UserError
from posology.records.io.checksums import CHECKSUMS
from posology.records.io.publish import (
    finish_change,
    is_half_changed,
    names_in,
    publish,
    stored_sums,
)

_URL = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]+://.+", re.DOTALL)
_SECRET = re.compile(r"//[^/@]*@")
_FAILED = (OSError, ImportError, ValueError)
"""What file systems raise: no such file, no permission; a package that is missing; a bad URL."""


def is_url(place: object) -> bool:
    """Whether the place is a URL, such as s3://bucket/events, and no path of this machine."""
    return isinstance(place, str) and _URL.fullmatch(place) is not None


@contextmanager
def local_copy(place: str | Path, names: Iterable[str] | None = None) -> Generator[Path]:
    """The path itself; of a URL, a copy of its file or folder, removed at the end.

    names: the files of the folder to copy; by default all.
    """
    if not is_url(place):
        yield Path(place)
        return
    with tempfile.TemporaryDirectory(prefix="posology-") as scratch:
        copy = Path(scratch) / (PurePosixPath(str(place)).name or "folder")
        _download(str(place), copy, names)
        yield copy


@contextmanager
def new_folder(place: str | Path) -> Generator[Path]:
    """The path itself; for a URL, a path to write a new folder at, uploaded if no error ends it.

    UserError if the URL has a folder already. An upload that was cut short is continued.
    """
    if not is_url(place):
        yield Path(place)
        return
    files, root = _file_system(str(place))
    if _try(str(place), lambda: files.exists(f"{root}/{CHECKSUMS}")):
        raise UserError(f"--out {_shown(str(place))}: exists already; choose a new folder.")
    with tempfile.TemporaryDirectory(prefix="posology-") as scratch:
        copy = Path(scratch) / "folder"
        yield copy
        _try(str(place), lambda: publish(files, root, copy, None))


@contextmanager
def changed_folder(place: str | Path) -> Generator[Path]:
    """The path itself; for a URL, a copy of its folder, if there is one, to change or to make.

    If no error ends the block, what changed is uploaded. A change that was cut short is finished
    first. RecordError if another run changed the folder in the meantime.
    """
    if not is_url(place):
        yield Path(place)
        return
    url = str(place)
    files, root = _file_system(url)
    with tempfile.TemporaryDirectory(prefix="posology-") as scratch:
        copy = Path(scratch) / (PurePosixPath(root).name or "folder")
        if _try(url, lambda: is_half_changed(files, root)):
            _try(url, lambda: finish_change(files, root))
        before = _try(url, lambda: stored_sums(files, root))
        if before is not None:
            _download(url, copy, None)
        yield copy
        if (copy / CHECKSUMS).exists():
            _try(url, lambda: publish(files, root, copy, before))


def _download(url: str, copy: Path, names: Iterable[str] | None) -> None:
    files, root = _file_system(url)

    def download() -> None:
        if names is None and files.isfile(root):
            files.get_file(root, str(copy))
            return
        if is_half_changed(files, root):
            raise RecordError(
                "is being changed, or a change was cut short: wait, or run the command that "
                "changed it again"
            )
        for name in names or names_in(files, root):
            if ".." in PurePosixPath(name).parts:
                raise ValueError(f"the name {name} leads out of the folder")
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            files.get_file(f"{root}/{name}", str(copy / name))

    _try(url, download)
    if not copy.exists():
        raise RecordError(f"{_shown(url)}: no such file or folder.")


def _file_system(url: str) -> tuple[Any, str]:
    """The file system of a URL, and the path in it."""

    def open_url() -> tuple[Any, str]:
        from fsspec.core import url_to_fs

        files, root = url_to_fs(url)
        files.invalidate_cache()  # another machine may have written
        return files, root.rstrip("/")

    return _try(url, open_url)


def _try(url: str, job: Any) -> Any:
    """The job's result; RecordError that names the URL, without what it has of secrets."""
    try:
        return job()
    except RecordError as error:
        raise RecordError(f"{_shown(url)}: {error}") from error
    except _FAILED as error:
        reason = f"needs a package: {error}" if isinstance(error, ImportError) else error
        shown = _SECRET.sub("//", str(reason) or type(error).__name__)
        raise RecordError(f"{_shown(url)}: {shown}") from error


def _shown(url: str) -> str:
    return _SECRET.sub("//", url)
