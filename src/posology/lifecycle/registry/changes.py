"""Add, promote, shadow, drop and roll back: each one entry of the history, so each is atomic."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from posology.errors import UserError
from posology.lifecycle.registry.history import (
    ADD,
    DROP,
    HISTORY,
    PROMOTE,
    ROLLBACK,
    SHADOW,
    Entry,
    append_entry,
)
from posology.lifecycle.registry.state import Registry, is_registry, read_registry
from posology.lifecycle.registry.versions import digest_of, store_version, verify_version


@dataclass(frozen=True, slots=True)
class Author:
    """Who makes a change and why; with a dry run nothing is written."""

    by: str
    reason: str = ""
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class VersionFacts:
    """What is known of a version when it is added."""

    study: str
    """Name of its study."""
    study_hash: str
    """SHA-256 of the whole study."""
    posology: str
    """Version of posology that fitted it."""
    learned: dict[str, Any] = field(default_factory=dict)
    """From what it learned: patients, decisions, the last decision's time, hash of the data."""
    parent: str = ""
    """Digest of the version whose weights it started from; empty of a first fit."""


def add_version(registry: Path, model: Path, facts: VersionFacts, author: Author) -> Entry:
    """Copy a saved policy into the registry, which is made if there is none.

    It answers nobody until it is promoted. UserError if it is there already, or its study is not
    that of the registry's other versions.
    """
    digest = digest_of(model)
    entry = _entry(ADD, digest, author, {name: getattr(facts, name) for name in _FACTS})
    known: Registry | None = read_registry(registry) if is_registry(registry) else None
    if known is None and registry.exists() and (registry.is_file() or any(registry.iterdir())):
        raise UserError(f"{registry}: holds something else; name a new folder, or a registry.")
    if known is not None:
        if digest in known.versions:
            raise UserError(f"{model}: is in {registry} already, as version {digest[:8]}.")
        _check_study(known, facts, model)
    if author.dry_run:
        return entry
    (registry / HISTORY).mkdir(parents=True, exist_ok=True, mode=0o700)
    store_version(registry, model)
    return append_entry(registry, entry, 0 if known is None else len(known.entries))


def promote(registry: Registry, version: str, author: Author, without_gate: bool = False) -> Entry:
    """Make a version the champion: the gate must have been open, unless `without_gate`.

    The first champion needs no gate: there is nothing that it could be worse than.
    """
    digest = registry.find(version)
    if digest == registry.champion:
        raise UserError(f"version {digest[:8]}: is the champion already.")
    needs_gate = bool(registry.champion) and not registry.passed_gate(digest)
    if needs_gate and not without_gate:
        raise UserError(
            f"version {digest[:8]}: the gate was not open for it against the champion "
            f"{registry.champion[:8]}; judge it with `posology update --judge`, or promote it "
            "--without-gate with a --reason, which the history then says."
        )
    if needs_gate and not author.reason:
        raise UserError("--without-gate: give a --reason; the history says so for good.")
    verify_version(registry.folder, digest)
    details = {"champion_before": registry.champion, "without_gate": needs_gate}
    return _write(registry, _entry(PROMOTE, digest, author, details), author)


def shadow(registry: Registry, version: str, author: Author) -> Entry:
    """Let a version answer silently beside the champion; one that did so before stops."""
    digest = registry.find(version)
    if digest == registry.champion:
        raise UserError(f"version {digest[:8]}: is the champion; it cannot be its own challenger.")
    if digest == registry.challenger:
        raise UserError(f"version {digest[:8]}: is the challenger already.")
    verify_version(registry.folder, digest)
    return _write(registry, _entry(SHADOW, digest, author), author)


def drop_challenger(registry: Registry, author: Author) -> Entry:
    """Let the challenger answer no more."""
    if not registry.challenger:
        raise UserError(f"{registry.folder}: has no challenger.")
    return _write(registry, _entry(DROP, registry.challenger, author), author)


def roll_back(registry: Registry, author: Author, version: str = "") -> Entry:
    """Make an earlier champion the champion again: by default the one before.

    Its files are those that answered then, byte by byte: it gives the same answers.
    """
    earlier = registry.champions[:-1]
    if not earlier:
        raise UserError(f"{registry.folder}: no other version was champion before.")
    digest = registry.find(version) if version else earlier[-1]
    if digest == registry.champion or digest not in earlier:
        names = ", ".join(dict.fromkeys(one[:8] for one in reversed(earlier)))
        raise UserError(f"version {digest[:8]}: was not champion before this one; {names} was.")
    verify_version(registry.folder, digest)
    details = {"champion_before": registry.champion}
    return _write(registry, _entry(ROLLBACK, digest, author, details), author)


_FACTS = tuple(VersionFacts.__slots__)


def _entry(
    action: str, digest: str, author: Author, details: dict[str, Any] | None = None
) -> Entry:
    return Entry(action, digest, author.by, author.reason, details or {})


def _write(registry: Registry, entry: Entry, author: Author) -> Entry:
    """The entry as it is written, or would be."""
    if author.dry_run:
        return entry
    return append_entry(registry.folder, entry, len(registry.entries))


def _check_study(registry: Registry, facts: VersionFacts, model: Path) -> None:
    studies = {version.details.get("study") for version in registry.versions.values()}
    if studies and facts.study not in studies:  # none where the first addition was killed
        raise UserError(
            f"{model}: is of the study {facts.study!r}, and {registry.folder} holds versions of "
            f"{studies.pop()!r}; one registry holds one model."
        )
