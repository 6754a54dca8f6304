"""What a registry's history says: champion, challenger, versions, and who was champion when."""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from posology.errors import UserError
from posology.lifecycle.registry.history import (
    ADD,
    DROP,
    HISTORY,
    JUDGE,
    PROMOTE,
    ROLLBACK,
    SHADOW,
    Entry,
    read_history,
)

_OPEN = "open"


@dataclass(frozen=True, slots=True)
class Registry:
    """A registry as its history describes it at one moment."""

    folder: Path
    entries: tuple[Entry, ...]

    @property
    def champions(self) -> tuple[str, ...]:
        """Digests that a rollback goes back through; the champion is the last one."""
        stack: list[str] = []
        for entry in self.entries:
            if entry.action == PROMOTE:
                stack.append(entry.digest)
            elif entry.action == ROLLBACK:
                while stack and stack[-1] != entry.digest:
                    stack.pop()
        return tuple(stack)

    @property
    def champion(self) -> str:
        """Digest of the version that answers; empty before the first promotion."""
        return self.champions[-1] if self.champions else ""

    @property
    def challenger(self) -> str:
        """Digest of the version that answers silently beside the champion; empty if none does."""
        current = ""
        for entry in self.entries:
            if entry.action in (SHADOW, DROP):
                current = entry.digest if entry.action == SHADOW else ""
            elif entry.action in (PROMOTE, ROLLBACK) and entry.digest == current:
                current = ""
        return current

    @property
    def versions(self) -> Mapping[str, Entry]:
        """The entry with which each version was added, by its digest, the oldest first."""
        return {entry.digest: entry for entry in self.entries if entry.action == ADD}

    def find(self, version: str) -> str:
        """The digest of the only version that begins so; UserError."""
        found = [digest for digest in self.versions if version and digest.startswith(version)]
        if len(found) == 1:
            return found[0]
        known = ", ".join(digest[:8] for digest in self.versions) or "none"
        problem = "no version begins so" if not found else f"{len(found)} versions begin so"
        raise UserError(f"version {version!r}: {problem}; {self.folder} holds {known}.")

    def champion_on(self, moment: datetime.datetime) -> str:
        """Digest of the version that was champion at this time; empty if none was."""
        at = moment.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        return Registry(self.folder, tuple(e for e in self.entries if e.at <= at)).champion

    def passed_gate(self, digest: str) -> bool:
        """Whether the gate was open for the version when it last faced today's champion."""
        verdict = last_verdict(self.entries, digest, self.champion)
        return verdict is not None and verdict.get("gate") == _OPEN


def is_registry(folder: Path) -> bool:
    """Whether the folder is a registry of versions."""
    return (folder / HISTORY).is_dir()


def read_registry(folder: Path) -> Registry:
    """The registry of a folder; UserError if it is none, or its history was changed."""
    if not is_registry(folder):
        raise UserError(
            f"{folder}: is no registry; `posology models add {folder} MODEL` makes one."
        )
    return Registry(folder, read_history(folder))


def last_verdict(entries: Sequence[Entry], digest: str, champion: str) -> Mapping[str, Any] | None:
    """The gate's last verdict on a version against a champion; None if there is none."""
    looks = [
        entry.details
        for entry in entries
        if entry.action == JUDGE and entry.digest == digest
        if entry.details.get("champion") == champion
    ]
    return looks[-1] if looks else None
