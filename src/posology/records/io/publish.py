"""Publish a folder in a store without a rename: file by file, verified, its checksums last.

Without `checksums.json` every reader refuses a folder, so a new one is sent to its place. What
changes a folder is sent to a draft in it first. The draft's own checksums come last of all and make
the change final: before them the folder is as it was, and after them any run can finish the change.
What is stored already, by its SHA-256, is not sent again.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from posology.errors import RecordError
from posology.records.io.checksums import CHECKSUMS, sha256_of

DRAFT = ".changing"
"""Folder of a change that is not complete; no reader reads it."""
_FIRST = ("manifest.json", "cohort.json")
"""Are sent first: half a folder is then never taken for one that has no checksums."""


def stored_sums(files: Any, root: str) -> dict[str, str] | None:
    """The checksums of the folder in the store; None if it has none."""
    place = f"{root}/{CHECKSUMS}"
    if not files.exists(place):
        return None
    sums = json.loads(files.cat_file(place))
    if not isinstance(sums, dict):
        raise OSError(f"{CHECKSUMS} is damaged")
    return sums


def is_half_changed(files: Any, root: str) -> bool:
    """Whether a change is complete in its draft and not yet in its place."""
    return files.exists(f"{root}/{DRAFT}/{CHECKSUMS}")


def names_in(files: Any, root: str) -> list[str]:
    """The folder's files, relative to it, without those of a draft."""
    names = [path.removeprefix(root).lstrip("/") for path in files.find(root)]
    return [name for name in names if not name.startswith(f"{DRAFT}/")]


def publish(files: Any, root: str, copy: Path, before: Mapping[str, str] | None) -> None:
    """Make the folder in the store the same as `copy`, which has checksums.

    before: the checksums of the folder when `copy` was made of it; None if there was none.
    RecordError if another run changed the folder in the meantime.
    """
    sums = json.loads((copy / CHECKSUMS).read_text(encoding="utf-8"))
    place = root if before is None else f"{root}/{DRAFT}"
    new = {name: digest for name, digest in sums.items() if (before or {}).get(name) != digest}
    if before is None:
        _refuse_foreign(files, root)
    send_files(files, place, copy, new)
    _remove(files, place, set(names_in(files, place)) - set(new))
    if stored_sums(files, root) != before:
        raise RecordError("another run changed the folder in the meantime; run this again")
    files.put_file(str(copy / CHECKSUMS), f"{place}/{CHECKSUMS}")
    if before is not None:
        finish_change(files, root)


def finish_change(files: Any, root: str) -> None:
    """Move a complete draft into its place, also if an earlier run did so in part."""
    draft = f"{root}/{DRAFT}"
    sums = stored_sums(files, draft) or {}
    _remove(files, root, [CHECKSUMS])
    for name in sorted(names_in(files, draft)):
        if name != CHECKSUMS:
            _make_parent(files, f"{root}/{name}")
            files.cp_file(f"{draft}/{name}", f"{root}/{name}")
    _remove(files, root, set(names_in(files, root)) - set(sums))
    files.cp_file(f"{draft}/{CHECKSUMS}", f"{root}/{CHECKSUMS}")
    files.rm(draft, recursive=True)


def send_files(files: Any, root: str, copy: Path, sums: Mapping[str, str]) -> None:
    """Send these files of `copy`; OSError if one is not stored as it was written."""
    for name in sorted(sums, key=lambda name: (name not in _FIRST, name)):
        place = f"{root}/{name}"
        if _digest(files, place) == sums[name]:
            continue
        _make_parent(files, place)
        files.put_file(str(copy / name), place)
        if _digest(files, place) != sums[name]:
            raise OSError(f"{name} was not stored as it was written")


def _refuse_foreign(files: Any, root: str) -> None:
    """RecordError if files are at the place that no run of this package left there."""
    names = names_in(files, root)
    if names and not set(_FIRST).intersection(names):
        raise RecordError(
            f"is not empty (it has {names[0]}) and was not made by posology; choose another place"
        )


def _digest(files: Any, place: str) -> str | None:
    if not files.exists(place):
        return None
    with files.open(place, "rb") as file:
        return sha256_of(file)


def _remove(files: Any, root: str, names: Iterable[str]) -> None:
    for name in sorted(names):
        if files.exists(f"{root}/{name}"):
            files.rm_file(f"{root}/{name}")


def _make_parent(files: Any, place: str) -> None:
    files.makedirs(place.rpartition("/")[0], exist_ok=True)
