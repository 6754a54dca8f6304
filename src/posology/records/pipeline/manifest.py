"""What was ingested into a folder so far."""

import json
from pathlib import Path
from typing import Any

from posology.errors import RecordError


def read_manifest(folder: Path) -> dict[str, Any]:
    """What was ingested into the folder so far; empty where the folder is new."""
    path = folder / "manifest.json"
    if path.exists():
        try:
            return json.loads(path.read_text())
        except ValueError as error:
            raise RecordError(f"{path} is damaged: {error}; ingest into a new folder") from error
    if folder.exists() and any(folder.iterdir()):
        raise RecordError(
            f"{folder} is not empty and was not made by `posology ingest`: it has no "
            "manifest.json; choose another folder"
        )
    return {"shards": None, "sources": [], "repairs": {}, "merged": 0}


def write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    """Write it, last of all: a folder that has one is whole."""
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1))
