"""Folders on object storage or a shared disk, by URL (fsspec): read and written through a copy.

A folder is uploaded file by file, its checksums last. Until they are there, every reader refuses
it: a store without a rename never shows half a folder as a whole one.
"""

import json
import re
import tempfile
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from posology.errors import RecordError, UserError
from posology.records.io.checksums import CHECKSUMS, sha256_of

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

    UserError if the URL has a folder already. What an upload that was cut short left is replaced.
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
        _try(str(place), lambda: _upload(files, root, copy))


def _download(url: str, copy: Path, names: Iterable[str] | None) -> None:
    files, root = _file_system(url)

    def download() -> None:
        if names is None and files.isfile(root):
            files.get_file(root, str(copy))
            return
        found = [f"{root}/{name}" for name in names] if names else files.find(root)
        for path in found:
            name = PurePosixPath(path.removeprefix(root).lstrip("/"))
            if ".." in name.parts:
                raise ValueError(f"the name {name} leads out of the folder")
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            files.get_file(path, str(copy / name))

    _try(url, download)
    if not copy.exists():
        raise RecordError(f"{_shown(url)}: no such file or folder.")


def _upload(files: Any, root: str, copy: Path) -> None:
    """Upload the folder, its checksums last, and read every file again."""
    if files.exists(root):
        files.rm(root, recursive=True)
    names = sorted(p.relative_to(copy).as_posix() for p in copy.rglob("*") if p.is_file())
    sums = json.loads((copy / CHECKSUMS).read_text(encoding="utf-8"))
    for name in sorted(names, key=lambda name: name == CHECKSUMS):
        files.makedirs(f"{root}/{name}".rpartition("/")[0], exist_ok=True)
        if name == CHECKSUMS:
            _compare(files, root, sums)
        files.put_file(str(copy / name), f"{root}/{name}")


def _compare(files: Any, root: str, sums: dict[str, str]) -> None:
    """Raise OSError if a file was not stored as it is."""
    for name, expected in sums.items():
        with files.open(f"{root}/{name}", "rb") as file:
            if sha256_of(file) != expected:
                raise OSError(f"{name} was not stored as it was written")


def _file_system(url: str) -> tuple[Any, str]:
    """The file system of a URL, and the path in it."""

    def open_url() -> tuple[Any, str]:
        from fsspec.core import url_to_fs

        files, root = url_to_fs(url)
        return files, root.rstrip("/")

    return _try(url, open_url)


def _try(url: str, job: Any) -> Any:
    """The job's result; RecordError that names the URL, without what it has of secrets."""
    try:
        return job()
    except _FAILED as error:
        reason = f"needs a package: {error}" if isinstance(error, ImportError) else error
        shown = _SECRET.sub("//", str(reason) or type(error).__name__)
        raise RecordError(f"{_shown(url)}: {shown}") from error


def _shown(url: str) -> str:
    return _SECRET.sub("//", url)
