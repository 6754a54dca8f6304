"""Cohort parts of each file of events, cached on disk: an unchanged file is not built again."""

import hashlib
import json
import shutil
import zipfile
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import pyarrow as pa
from jaxtyping import Int64

import posology
from posology.cohorts.decisions.decision_table import DecisionTable, PatientFlow, SubjectMap
from posology.cohorts.encode import CodeStatistics
from posology.cohorts.events.chunks import distinct_codes, subject_chunks
from posology.cohorts.events.day_order import study_events
from posology.cohorts.events.stream import subject_runs
from posology.cohorts.part import build_part
from posology.cohorts.storage.arrays import history_of
from posology.domain.history import HISTORY_ARRAYS, History
from posology.domain.serialization import deserialize, serialize
from posology.domain.study import Study
from posology.errors import RecordError, UserError
from posology.records.io.checksums import (
    CHECKSUMS,
    read_checksums,
    verify_files,
    write_checksums,
)

_CODES = "codes.json"
_COMMAND = "posology cohort --parts"
_PREFIX = "shard-"
PARTS_VERSION = 9
"""Raise it if the same events and study give different parts: older parts are rebuilt."""


@dataclass(frozen=True, slots=True)
class Shard:
    """A file of events and the folder of its parts: its codes, then one .npz per chunk."""

    events: Path
    folder: Path

    @property
    def draft(self) -> Path:
        """Folder in which parts are written; renamed to `folder` when complete."""
        return self.folder.with_name(f".{self.folder.name}")


def list_shards(files: list[Path], folder: Path, settings: str | None) -> tuple[Shard, ...]:
    """The shards of the files. settings: hash of all other inputs; None if nothing is cached.

    A cached shard is named by the file's content and `settings`; UserError if its own files are
    not as they were written. Drafts of a killed run are removed.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    unknown = [p.name for p in folder.iterdir() if not p.name.lstrip(".").startswith(_PREFIX)]
    if unknown:
        raise UserError(
            f"{folder}: holds {unknown[0]}, which is not a cohort part; choose a new folder, or "
            "one that an earlier `posology cohort --parts` wrote."
        )
    names = [
        f"{row:06d}" if settings is None else _name(path, settings)
        for row, path in enumerate(files)
    ]
    shards = tuple(
        Shard(path, folder / f"{_PREFIX}{name}") for path, name in zip(files, names, strict=True)
    )
    for shard in shards:
        shutil.rmtree(shard.draft, ignore_errors=True)
        if shard.folder.exists():
            _verify(shard.folder)
    return shards


def _verify(folder: Path) -> None:
    """Raise UserError if a file of a cached shard is not as it was written."""
    names = {path.name for path in folder.iterdir()} - {CHECKSUMS}
    try:
        sums = read_checksums(folder, _COMMAND)
        verify_files(folder, sorted({*sums, *names}), sums, _COMMAND)
    except RecordError as error:
        raise UserError(
            f"{str(error).partition(':')[0]}: is damaged; remove {folder} and build the cohort "
            "again."
        ) from error


def _name(path: Path, settings: str) -> str:
    with path.open("rb") as file:
        content = hashlib.file_digest(file, "sha256").hexdigest()
    return hashlib.sha256(f"{content} {settings}".encode()).hexdigest()


def settings_hash(study: Study, rows: int, split: SubjectMap | None) -> str:
    """Hash of all inputs of the parts other than the events: study, split file, version."""
    inputs = [PARTS_VERSION, posology.__version__, serialize(study, {}), rows]
    assigned = [] if split is None else [sorted(split.items())]
    return hashlib.sha256(json.dumps([*inputs, *assigned]).encode()).hexdigest()


def shard_codes(shard: Shard) -> tuple[str, ...]:
    """Every code of the file, in alphabetical order; cached."""
    for folder in (shard.folder, shard.draft):
        if (folder / _CODES).is_file():
            return tuple(json.loads((folder / _CODES).read_text(encoding="utf-8")))
    codes = distinct_codes([shard.events])
    shutil.rmtree(shard.draft, ignore_errors=True)
    shard.draft.mkdir()
    (shard.draft / _CODES).write_text(json.dumps(codes), encoding="utf-8")
    return codes


def build_shard(shard: Shard, study: Study, split: SubjectMap | None, rows: int) -> None:
    """Build the parts of the file, unless they are complete."""
    if shard.folder.exists():
        return
    codes = shard_codes(shard)
    for number, table in enumerate(subject_chunks(shard.events, rows)):
        _write_part(table, (codes, study, split), shard.draft / f"{number:06d}.npz")
    write_checksums(shard.draft)
    shard.draft.rename(shard.folder)


def _write_part(
    table: pa.Table, inputs: tuple[tuple[str, ...], Study, SubjectMap | None], path: Path
) -> None:
    codes, study, split = inputs
    events = study_events(table, study, codes)
    part = build_part(events, study, split)
    kinds = {"decided": DecisionTable, "statistics": CodeStatistics}
    arrays = {
        f"{name}.{f.name}": getattr(getattr(part, name), f.name)
        for name, kind in kinds.items()
        for f in fields(kind)
    }
    arrays |= {f"history.{name}": getattr(part.history, name) for name in HISTORY_ARRAYS}
    np.savez(
        path,
        allow_pickle=False,
        flow=np.array(json.dumps(serialize(part.flow, {}))),
        subject=part.subject,
        last_step=part.last_step,
        subjects=subject_runs(events)[0],
        **arrays,
    )


def part_files(shard: Shard) -> list[Path]:
    """The files of the shard's parts, in order."""
    return sorted(shard.folder.glob("*.npz"))


@dataclass(frozen=True, slots=True, eq=False)
class PartCounts:
    """A part without its histories."""

    decided: DecisionTable
    flow: PatientFlow
    statistics: CodeStatistics
    """In the vocabulary `feature_codes` of the shard's codes."""
    subjects: Int64[np.ndarray, " subject"]
    """All subjects in the records, with a decision or without."""


def read_counts(path: Path) -> PartCounts:
    """A part's decisions, flow and statistics."""
    names = (
        "flow",
        "subjects",
        *_names("decided", DecisionTable),
        *_names("statistics", CodeStatistics),
    )
    arrays = _read(path, names)
    return PartCounts(
        DecisionTable(**{f.name: arrays[f"decided.{f.name}"] for f in fields(DecisionTable)}),
        deserialize(PatientFlow, json.loads(str(arrays["flow"])), {}),
        CodeStatistics(**{f.name: arrays[f"statistics.{f.name}"] for f in fields(CodeStatistics)}),
        arrays["subjects"],
    )


def read_history(path: Path) -> tuple[History, np.ndarray, np.ndarray]:
    """A part's histories, and each decision's subject and last step in them."""
    names = tuple(f"history.{name}" for name in HISTORY_ARRAYS)
    arrays = _read(path, ("subject", "last_step", *names))
    return history_of(arrays), arrays["subject"], arrays["last_step"]


def remove_stale_shards(shards: tuple[Shard, ...], folder: Path) -> None:
    """Remove the folders of files that changed or were removed."""
    current = {shard.folder for shard in shards}
    for path in folder.iterdir():
        if path not in current:
            shutil.rmtree(path)


def _names(name: str, kind: type[DecisionTable | CodeStatistics]) -> tuple[str, ...]:
    return tuple(f"{name}.{f.name}" for f in fields(kind))


def _read(path: Path, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            return {name: file[name] for name in names}
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise UserError(
            f"{path}: is damaged ({error}); remove {path.parent} and build the cohort again."
        ) from error
