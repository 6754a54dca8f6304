"""What `posology models` does: versions, champion and challenger of a registry."""

import datetime
import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from posology import artifact
from posology.domain.serialization import serialize
from posology.domain.study import Study
from posology.lifecycle.learned_from import EVIDENCE as LEARNED_FROM
from posology.lifecycle.registry.changes import Author, VersionFacts
from posology.lifecycle.registry.changes import add_version as add
from posology.lifecycle.registry.history import ROLLBACK, Entry
from posology.lifecycle.registry.state import Registry, read_registry
from posology.lifecycle.registry.versions import verify_version

PARENT = "parent"
"""Key in a saved policy's evidence: digest of the version whose weights it started from."""
_SHOWN = 8
"""Digits of a digest that a table shows."""


@dataclass(frozen=True, slots=True)
class ChangeResult:
    """A change as it was written, or would be."""

    entry: Entry
    champion_before: str
    is_written: bool

    def to_json(self) -> dict[str, Any]:
        """The entry as JSON values."""
        return asdict(self.entry) | {"is_written": self.is_written}

    def __rich__(self) -> str:
        name = self.entry.digest[:_SHOWN]
        was = f", in place of {self.champion_before[:_SHOWN]}" if self.champion_before else ""
        words = {
            "add": f"Added: version {name}; it answers nobody until it is promoted.",
            "promote": f"Champion: version {name}{was}.",
            "rollback": f"Champion again: version {name}{was}.",
            "shadow": f"Challenger: version {name} answers silently beside the champion.",
            "drop": f"Version {name} is no challenger any more.",
        }
        text = words[self.entry.action]
        if self.entry.details.get("without_gate"):
            text += " The gate was not open: the history says so."
        return text if self.is_written else f"{text}\nNothing is written: this is a dry run."


@dataclass(frozen=True, slots=True)
class RegistryListing:
    """The versions of a registry, and its history."""

    registry: Registry
    on: datetime.datetime | None = None
    """Moment whose champion was looked up; None: now."""

    @property
    def champion(self) -> str:
        """Digest of the champion now, or at the moment."""
        return self.registry.champion if self.on is None else self.registry.champion_on(self.on)

    def to_json(self) -> dict[str, Any]:
        """Everything, as JSON values."""
        return {
            "champion": self.champion,
            "on": None if self.on is None else self.on.isoformat(),
            "challenger": self.registry.challenger,
            "versions": [
                {"digest": digest, "added_at": entry.at, "added_by": entry.by} | dict(entry.details)
                for digest, entry in self.registry.versions.items()
            ],
            "history": [asdict(entry) for entry in self.registry.entries],
        }


@dataclass(frozen=True, slots=True)
class VersionTable:
    """What `posology models list` shows."""

    listing: RegistryListing

    def __rich__(self) -> Group:
        registry = self.listing.registry
        table = Table("version", "state", "parent", "learned until", "added", "by")
        for digest, entry in registry.versions.items():
            state = {registry.champion: "champion", registry.challenger: "challenger"}
            earlier = "earlier champion" if digest in registry.champions else ""
            until = (entry.details.get("learned") or {}).get("until") or "-"
            table.add_row(
                digest[:_SHOWN],
                state.get(digest, earlier),
                str(entry.details.get("parent", ""))[:_SHOWN] or "-",
                until[:10],
                entry.at[:10],
                Text(entry.by),
            )
        return Group(table, f"Changes in the history: {len(registry.entries)}, none altered.")


@dataclass(frozen=True, slots=True)
class HistoryTable:
    """What `posology models history` shows."""

    listing: RegistryListing

    def __rich__(self) -> Group:
        table = Table("when (UTC)", "what", "version", "by", "why")
        for entry in self.listing.registry.entries:
            gate = entry.details.get("gate", "")
            what = f"gate {gate}" if gate else entry.action
            table.add_row(
                entry.at[:16].replace("T", " "),
                what,
                entry.digest[:_SHOWN] or "-",
                Text(entry.by),
                Text(entry.reason),
            )
        when = "now" if self.listing.on is None else f"on {self.listing.on:%Y-%m-%d %H:%M} UTC"
        champion = self.listing.champion[:_SHOWN] or "none"
        return Group(table, f"Champion {when}: {champion}")


def add_model(registry: Path, model: Path, author: Author) -> ChangeResult:
    """Add a saved policy to a registry, which is made if there is none; it is read first."""
    loaded = artifact.load(model)
    facts = VersionFacts(
        study=loaded.study.name,
        study_hash=hash_study(loaded.study),
        posology=artifact.saved_by(model),
        learned=dict(loaded.evidence.get(LEARNED_FROM) or {}),
        parent=str(loaded.evidence.get(PARENT) or ""),
    )
    entry = add(registry, model, facts, author)
    return ChangeResult(entry, "", not author.dry_run)


def describe_change(registry: Registry, entry: Entry, author: Author) -> ChangeResult:
    """The result of a change of a registry as it was before."""
    before = registry.champion if entry.action in ("promote", ROLLBACK) else ""
    return ChangeResult(entry, before, not author.dry_run)


def check_registry(folder: Path) -> RegistryListing:
    """The registry, after every version was read and compared with its digest; UserError."""
    registry = read_registry(folder)
    for digest in registry.versions:
        artifact.load(verify_version(folder, digest))
    return RegistryListing(registry)


def hash_study(study: Study) -> str:
    """SHA-256 of everything that a study states."""
    return hashlib.sha256(json.dumps(serialize(study, {}), sort_keys=True).encode()).hexdigest()
