"""Checksums of a folder's files: a byte that changed after it was written is noticed."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from posology.errors import RecordError

CHECKSUMS = "checksums.json"
"""SHA-256 of each file of the folder, by its path in it."""


def write_checksums(folder: Path, known: Mapping[str, str] | None = None) -> None:
    """Write the checksums of all files of the folder; those of `known` files are not read."""
    known = known or {}
    names = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    sums = {name: known.get(name) or _sha256(folder / name) for name in names if name != CHECKSUMS}
    text = json.dumps(dict(sorted(sums.items())), indent=1)
    (folder / CHECKSUMS).write_text(text + "\n", encoding="utf-8")


def update_checksum(folder: Path, name: str) -> None:
    """Note that a file of the folder was rewritten on purpose, if the folder has checksums."""
    if (folder / CHECKSUMS).exists():
        sums = json.loads((folder / CHECKSUMS).read_text(encoding="utf-8"))
        write_checksums(folder, {**sums, name: _sha256(folder / name)})


def read_checksums(folder: Path, made_by: str) -> dict[str, str]:
    """The checksums of a folder that the command `made_by` wrote; RecordError if damaged."""
    path = folder / CHECKSUMS
    try:
        sums = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        problem = "is missing" if isinstance(error, FileNotFoundError) else "is damaged"
        raise RecordError(
            f"{path}: {problem}, so that changes of the folder cannot be noticed; restore the "
            f"folder from a copy, or make it again with `{made_by}`"
        ) from error
    if not isinstance(sums, dict):
        raise RecordError(f"{path}: is damaged; make the folder again with `{made_by}`")
    return sums


def verify_files(folder: Path, names: Iterable[str], sums: Mapping[str, str], made_by: str) -> None:
    """Raise RecordError at the first of the files that is not as it was written."""
    for name in names:
        path = folder / name
        try:
            problem = "" if sums.get(name) == _sha256(path) else "does not match its checksum"
            problem = problem if name in sums else f"is not listed in {CHECKSUMS}"
        except OSError as error:
            problem = f"cannot be read ({error.strerror})"
        if problem:
            raise RecordError(
                f"{path}: {problem}: the folder was changed after `{made_by}` wrote it. It is "
                "refused; restore it from a copy, or make it again"
            )


def sha256_of(file: Any) -> str:
    """The SHA-256 of a file that is open in binary mode."""
    return hashlib.file_digest(file, "sha256").hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return sha256_of(file)
