"""The registry's history: one file an entry, never changed, with the hash of the one before.

An entry is written aside, flushed to the disk and linked to its number: a kill at any moment leaves
it whole or absent, and two writers at once cannot both have the same number.
"""

import datetime
import hashlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from posology.errors import UserError

HISTORY = "history"
"""Folder of the entries."""
ADD, PROMOTE, ROLLBACK, SHADOW, DROP = "add", "promote", "rollback", "shadow", "drop"
PLAN, JUDGE = "plan", "judge"
ACTIONS = (ADD, PROMOTE, ROLLBACK, SHADOW, DROP, PLAN, JUDGE)
_ABANDONED_SECONDS = 60.0
"""Age of a draft from which its writer is taken for dead. Our choice."""
_RESTORE = "restore the registry from a copy"


@dataclass(frozen=True, slots=True)
class Entry:
    """One change of the registry, or one look of the gate."""

    action: str
    """One of ACTIONS."""
    digest: str
    """Of the version that it is about; empty of a plan."""
    by: str
    """Who did it."""
    reason: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    """JSON values: what is known of a version, the settings of a plan, the verdict of a look."""
    at: str = ""
    """ISO 8601 in UTC; set when it is written."""
    number: int = 0
    """From 1; set when it is written."""


def read_history(registry: Path) -> tuple[Entry, ...]:
    """Every entry, the oldest first; UserError if one is missing, damaged or was changed."""
    entries: list[Entry] = []
    before = ""
    for number, path in enumerate(_files(registry), 1):
        if path.name != _name(number):
            raise UserError(f"{path.with_name(_name(number))}: is missing; {_RESTORE}.")
        content = path.read_bytes()
        try:
            body = json.loads(content)
            chained = body.pop("before")
            entry = Entry(**body)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(f"{path}: is no entry of a registry; {_RESTORE}.") from error
        if chained != before or entry.number != number or entry.action not in ACTIONS:
            raise UserError(f"{path}: was changed after it was written; {_RESTORE}.")
        before = hashlib.sha256(content).hexdigest()
        entries.append(entry)
    return tuple(entries)


def append_entry(registry: Path, entry: Entry, known: int) -> Entry:
    """Write the entry as the next one, on the disk before this returns.

    known: how many entries there were when it was decided; UserError if there are more by now.
    """
    folder = registry / HISTORY
    files = _files(registry)
    if len(files) != known:
        raise UserError(
            f"{registry}: was changed by somebody else meanwhile; look at `posology models history "
            f"{registry}` and run the command again."
        )
    body = {name: getattr(entry, name) for name in Entry.__slots__}
    body["details"] = dict(entry.details)
    body |= {"number": known + 1, "at": now_text()}
    before = hashlib.sha256(files[-1].read_bytes()).hexdigest() if files else ""
    content = json.dumps(body | {"before": before}, indent=1, sort_keys=True).encode()
    _remove_abandoned(folder)
    descriptor, draft = tempfile.mkstemp(prefix=".", suffix=".draft", dir=folder)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, folder / _name(known + 1))
        except FileExistsError as error:
            raise UserError(
                f"{registry}: was changed by somebody else at the same time; look at `posology "
                f"models history {registry}` and run the command again."
            ) from error
        sync_folder(folder)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(draft)
    return Entry(**body)


def now_text() -> str:
    """This moment in UTC, to the microsecond: it sorts as text."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def sync_folder(folder: Path) -> None:
    """Flush a folder's names to the disk; Windows does so by itself, and opens no folder."""
    if sys.platform == "win32":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _files(registry: Path) -> list[Path]:
    return sorted((registry / HISTORY).glob("[0-9]*.json"))


def _name(number: int) -> str:
    return f"{number:06d}.json"


def _remove_abandoned(folder: Path) -> None:
    """Remove drafts that killed writers left."""
    for draft in folder.glob(".*.draft"):
        with suppress(FileNotFoundError):
            if time.time() - draft.stat().st_mtime > _ABANDONED_SECONDS:
                draft.unlink()
