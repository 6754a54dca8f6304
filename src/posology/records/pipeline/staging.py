"""Sources of an ingest: what to read, and the staged Parquet files that reading it produces."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from posology.errors import RecordError
from posology.records.schema import RAW, REJECTED, Batch


@dataclass(frozen=True, slots=True)
class StagedSource:
    """A source as Parquet files: its events in RAW, its rejected rows in REJECTED."""

    events: tuple[Path, ...]
    rejected: tuple[Path, ...] = ()
    rows: int = 0
    """Number of rows read from the source."""
    meanings: Mapping[str, str] = field(default_factory=dict)
    """Descriptions of codes, if the source has them."""
    parents: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Parent codes of codes, if the source has them."""
    images: tuple[Path, ...] = ()
    """Files of arrays that the events refer to, as `image_store` writes them."""
    models: Mapping[str, str] = field(default_factory=dict)
    """SHA-256 of each model that made events of images, by its name in their codes."""
    splits: Mapping[int, str] = field(default_factory=dict)
    """Each subject's split, if the source has splits."""
    strays: tuple[Mapping[str, Any], ...] = ()
    """Texts in columns of numbers, as `losses.describe_strays` says them."""


@dataclass(frozen=True, slots=True)
class Source:
    """One source to ingest."""

    name: str
    """As the user named it."""
    files: tuple[Path, ...]
    """Files whose content decides whether the source was ingested before.

    Empty for a database, which is read whole each time: its known events are merged as duplicates,
    and its rejected rows replace those of the last time.
    """
    stage: Callable[[Any, Path], StagedSource]
    """Reads the source, from the engine's connection and an empty folder to write to."""
    settings: str = ""
    """Everything else that decides what is read, such as the mapping."""


def batch_source(
    kind: str, inputs: Sequence[str | Path], read: Callable[[], Iterator[Batch]]
) -> Source:
    """A source of files that Python reads in batches. Its name lists the inputs."""
    files = tuple(file for path in inputs for file in _files_in(Path(path)))
    name = ", ".join(str(path) for path in inputs)
    return Source(name, files, lambda _con, folder: stage_batches(read(), folder), kind)


def stage_batches(batches: Iterable[Batch], folder: Path) -> StagedSource:
    """Write the batches to Parquet files in the folder."""
    events, rejected, rows = folder / "events.parquet", folder / "rejected.parquet", 0
    with (
        pq.ParquetWriter(events, RAW) as event_writer,
        pq.ParquetWriter(rejected, REJECTED) as rejected_writer,
    ):
        for batch in batches:
            event_writer.write_table(batch.events)
            rejected_writer.write_table(batch.rejected)
            rows += batch.rows
    return StagedSource((events,), (rejected,), rows)


def split_mapping(inputs: Sequence[str | Path]) -> tuple[list[Path], list[Path]]:
    """The mapping files (TOML) among the inputs, and the others."""
    paths = [Path(path) for path in inputs]
    mappings = [path for path in paths if path.suffix == ".toml"]
    return mappings, [path for path in paths if path.suffix != ".toml"]


def only_mapping(kind: str, mappings: Sequence[Path]) -> Path:
    """The one mapping file; raises RecordError if there is not exactly one."""
    if len(mappings) != 1:
        raise RecordError(
            f"--{kind} needs one mapping file (TOML) next to the data, not {len(mappings)}"
        )
    return mappings[0]


def content_digest(source: Source) -> str | None:
    """SHA-256 of the source's settings and files; None for a database."""
    if not source.files:
        return None
    digest = hashlib.sha256(source.settings.encode())
    for path in sorted(source.files):
        try:
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        except OSError as error:
            raise RecordError(f"{source.name}: {path} cannot be read: {error.strerror}") from error
    return digest.hexdigest()


def _files_in(path: Path) -> list[Path]:
    if path.is_dir():
        return sorted(file for file in path.rglob("*") if file.is_file())
    if not path.exists():
        raise RecordError(f"{path}: there is no such file or folder")
    return [path]
