"""Saved policies in a registry: each in a folder named by its content's hash, never changed."""

import hashlib
import os
import shutil
import sys
from pathlib import Path

from posology.errors import UserError
from posology.lifecycle.registry.history import sync_folder
from posology.records.io.checksums import CHECKSUMS, read_checksums, verify_files
from posology.records.io.drafts import draft_folder

VERSIONS = "versions"
"""Folder of the versions."""
NAME_LENGTH = 16
"""Digits of the digest in a folder's name."""
_MADE_BY = "posology fit"


def digest_of(model: Path) -> str:
    """The version of a saved policy: the hash of its files' hashes. UserError if it is damaged."""
    verify_files(model, sums := read_checksums(model, _MADE_BY), sums, _MADE_BY)
    return hashlib.sha256((model / CHECKSUMS).read_bytes()).hexdigest()


def folder_of(registry: Path, digest: str) -> Path:
    """Where the registry keeps the version."""
    return registry / VERSIONS / digest[:NAME_LENGTH]


def store_version(registry: Path, model: Path) -> str:
    """Copy a saved policy into the registry, whole or not at all; its digest.

    One that a killed run left complete is kept.
    """
    digest = digest_of(model)
    folder = folder_of(registry, digest)
    if folder.exists():
        if digest_of(folder) != digest:
            raise UserError(f"{folder}: is another version; restore the registry from a copy.")
        return digest
    with draft_folder(folder) as draft:
        whole = draft / "whole"
        shutil.copytree(model, whole)
        for path in whole.iterdir():
            with path.open("r+b" if sys.platform == "win32" else "rb") as file:
                os.fsync(file.fileno())
        sync_folder(whole)
        whole.rename(folder)
    sync_folder(folder.parent)
    return digest


def verify_version(registry: Path, digest: str) -> Path:
    """The folder of a version, every byte as it was added; UserError otherwise."""
    folder = folder_of(registry, digest)
    if not folder.is_dir():
        raise UserError(f"{folder}: is missing; restore the registry from a copy.")
    if digest_of(folder) != digest:
        raise UserError(f"{folder}: was changed after it was added; restore it from a copy.")
    return folder
