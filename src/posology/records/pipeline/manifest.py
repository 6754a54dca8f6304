"""The manifest of a folder: what was ingested so far, and each source's counts before cleaning."""

import json
from pathlib import Path
from typing import Any

import meds
import pyarrow as pa

from posology.errors import RecordError
from posology.records.io.checksums import read_checksums
from posology.records.meds_dataset import MANIFEST, verify_folder
from posology.records.pipeline.units import normalise_code

FORMAT = 3
"""Format of the folder; raised when the name or the meaning of one of its files changes."""

SourceCounts = dict[tuple[str, str], dict[str, Any]]
"""By source and code family: `events`, `without_number`, `units`."""


def read_manifest(folder: Path) -> dict[str, Any]:
    """The folder's manifest; an empty one if the folder is new.

    All files but those of events are compared with their checksums; RecordError if one changed.
    """
    path = folder / MANIFEST
    if path.exists():
        try:
            manifest = json.loads(path.read_text("utf-8"))
        except ValueError as error:
            raise RecordError(f"{path} is damaged: {error}; ingest into a new folder") from error
        number = manifest.get("format", 1) if isinstance(manifest, dict) else None
        if number != FORMAT:
            raise RecordError(
                f"{path} has the format {number}, and this version adds to "
                f"format {FORMAT} only; ingest into a new folder"
            )
        sums = read_checksums(folder, "posology ingest")
        is_data = f"{meds.data_subdirectory}/"
        verify_folder(folder, [MANIFEST, *(name for name in sums if not name.startswith(is_data))])
        return manifest
    if folder.is_file():
        raise RecordError(f"{folder} is a file; name a folder")
    if folder.exists() and any(folder.iterdir()):
        raise RecordError(
            f"{folder} is not empty and was not made by `posology ingest`: it has no "
            "manifest.json; choose another folder"
        )
    return {
        "format": FORMAT,
        "shards": None,
        "sources": [],
        "source_counts": [],
        "repairs": {},
        "merged": 0,
    }


def write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    """Write the manifest; last of all, so that a folder with a manifest is complete."""
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1), "utf-8")


def count_by_source(profile: pa.Table) -> SourceCounts:
    """Sum the profile of raw rows (`cleaning.profile_codes`) by source and family."""
    counts: SourceCounts = {}
    for row in profile.to_pylist():
        family = normalise_code(row["code"] or "").partition("//")[0]
        total = counts.setdefault(
            (row["source"] or "", family), {"events": 0, "without_number": 0, "units": []}
        )
        numbers = row["numbers"] - (row["broken"] or 0) + (row["readable"] or 0)
        total["events"] += row["rows"]
        total["without_number"] += row["rows"] - numbers
        total["units"] = sorted({*total["units"], *([row["unit"]] if row["unit"] else [])})
    return counts


def add_counts(
    before: list[dict[str, Any]], new: SourceCounts, reopened: SourceCounts
) -> list[dict[str, Any]]:
    """The manifest's list plus the new counts, minus reopened rows, which it counts already."""
    total = {(row["source"], row["family"]): row for row in before}
    for key, counts in new.items():
        source, family = key
        old = total.get(key, {"events": 0, "without_number": 0, "units": []})
        twice = reopened.get(key, {"events": 0, "without_number": 0})
        total[key] = {
            "source": source,
            "family": family,
            "events": old["events"] + counts["events"] - twice["events"],
            "without_number": old["without_number"]
            + counts["without_number"]
            - twice["without_number"],
            "units": sorted({*old["units"], *counts["units"]}),
        }
    return sorted(total.values(), key=lambda row: (row["source"], -row["events"], row["family"]))
