"""Registries whose versions are small files that no model reads."""

from pathlib import Path

from posology.lifecycle.registry.changes import Author, VersionFacts, add_version
from posology.lifecycle.registry.history import JUDGE, Entry, append_entry
from posology.lifecycle.registry.state import Registry, read_registry
from posology.records.io.checksums import write_checksums

SOMEBODY = Author("ada")
FACTS = VersionFacts(study="warfarin", study_hash="0" * 64, posology="0.1.0")


def made_up_version(folder: Path, content: str) -> Path:
    """A folder with one file and its checksum."""
    folder.mkdir(parents=True)
    (folder / "policy.json").write_text(content)
    write_checksums(folder)
    return folder


def made_up_registry(folder: Path, versions: int) -> tuple[Registry, list[str]]:
    """A registry with so many versions, none of them promoted, and their digests."""
    for number in range(versions):
        model = made_up_version(folder / f"model-{number}", f"version {number}")
        add_version(folder / "registry", model, FACTS, SOMEBODY)
    registry = read_registry(folder / "registry")
    return registry, list(registry.versions)


def open_the_gate(registry: Registry, digest: str) -> Registry:
    """The same with an open gate for this version against today's champion."""
    details = {"champion": registry.champion, "gate": "open"}
    append_entry(registry.folder, Entry(JUDGE, digest, "ada", "", details), len(registry.entries))
    return read_registry(registry.folder)
