"""A MEDS dataset on disk: read that of any tool, write one that every tool accepts.

`data/*.parquet` sorted by subject and time, each subject in one file; `metadata/codes.parquet`,
`metadata/dataset.json`, `metadata/subject_splits.parquet` (MEDS 0.4).
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata as installed
from pathlib import Path
from typing import Any

import meds
import pyarrow as pa
import pyarrow.parquet as pq

from posology.errors import RecordError
from posology.records.io.checksums import (
    CHECKSUMS,
    read_checksums,
    update_checksum,
    verify_files,
)
from posology.records.schema import COLUMN_TYPES, EVENTS

SPLITS = {
    meds.train_split: "train",
    meds.tuning_split: "validation",
    meds.held_out_split: "test",
}
"""MEDS's names of the splits, and the names used here."""
SPLIT_SCHEMA = pa.schema([("subject_id", pa.int64()), ("split", pa.string())])


def data_files(folder: Path) -> list[Path]:
    """The folder's data files, sorted by name (2.parquet before 10.parquet)."""
    files = sorted((folder / meds.data_subdirectory).rglob("*.parquet"), key=_numeric_name)
    if not files:
        raise RecordError(
            f"{folder} is not a MEDS folder: it has no {meds.data_subdirectory}/*.parquet; "
            "make one with `posology ingest`"
        )
    return files


MANIFEST = "manifest.json"
"""File that marks a folder as written by `posology ingest`."""


def verify_folder(folder: Path, names: Iterable[str] | None = None) -> dict[str, str]:
    """The checksums of a folder; RecordError if one of the files is not as ingest wrote it.

    names: the files to read, relative to the folder; by default all that ingest wrote, and all
    data files. A folder of another tool has no checksums: nothing is verified.
    """
    if not (folder / MANIFEST).exists() and not (folder / CHECKSUMS).exists():
        return {}
    sums = read_checksums(folder, "posology ingest")
    if names is None:
        names = {*sums, *(path.relative_to(folder).as_posix() for path in data_files(folder))}
    verify_files(folder, sorted(names), sums, "posology ingest")
    return sums


def _numeric_name(path: Path) -> tuple[int, int, str]:
    return (0, int(path.stem), "") if path.stem.isdecimal() else (1, 0, str(path))


def read_events(folder: Path, rows: int = 1_000_000) -> Iterator[pa.Table]:
    """The folder's events in order, in the schema EVENTS, at most `rows` of them at a time."""
    for path in data_files(folder):
        parquet = open_events(path)
        names = parquet.schema_arrow.names
        for batch in parquet.iter_batches(rows, columns=[n for n in EVENTS.names if n in names]):
            yield in_schema(pa.Table.from_batches([batch]))


def open_events(path: Path) -> pq.ParquetFile:
    """Open a Parquet file of events and check its columns."""
    try:
        parquet = pq.ParquetFile(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise RecordError(f"{path} is not a readable Parquet file: {error}") from error
    names = parquet.schema_arrow.names
    duplicates = sorted(name for name in set(names) if names.count(name) > 1)
    if duplicates:
        raise RecordError(f"{path} has the column {duplicates[0]!r} twice; give each its own name")
    for name in ("subject_id", "time", "code"):
        if name not in parquet.schema_arrow.names:
            raise RecordError(
                f"{path} has no column {name!r}; MEDS data has subject_id, time and code "
                f"(it has {', '.join(parquet.schema_arrow.names)})"
            )
    for name, (expected, is_expected) in COLUMN_TYPES.items():
        if name in parquet.schema_arrow.names:
            kind = parquet.schema_arrow.field(name).type
            kind = kind.value_type if pa.types.is_dictionary(kind) else kind
            if not is_expected(kind):
                raise RecordError(
                    f"{path}: {name} has the type {kind}, not {expected}; "
                    "read this file with a mapping file"
                )
    return parquet


def in_schema(table: pa.Table) -> pa.Table:
    """The table in the schema EVENTS; missing columns are null."""
    columns = [
        table[field.name].cast(field.type)
        if field.name in table.column_names
        else pa.nulls(table.num_rows, field.type)
        for field in EVENTS
    ]
    return pa.table(columns, schema=EVENTS)


def read_splits(folder: Path) -> dict[int, str] | None:
    """Each subject's split (`train`, `validation` or `test`); None if there is no split file."""
    path = folder / meds.subject_splits_filepath
    if not path.exists():
        return None
    try:
        table = pq.read_table(path).select(SPLIT_SCHEMA.names).cast(SPLIT_SCHEMA)
    except (pa.ArrowException, OSError, KeyError) as error:
        raise RecordError(f"{path} is not a MEDS split file: {error}") from error
    splits: dict[int, str] = {}
    rows = zip(table["subject_id"].to_pylist(), table["split"].to_pylist(), strict=True)
    for row, (subject, name) in enumerate(rows, start=1):
        if name not in SPLITS:
            raise RecordError(
                f"{path}: row {row}: split {name!r} is not known; known are {', '.join(SPLITS)}"
            )
        if splits.setdefault(subject, SPLITS[name]) != SPLITS[name]:
            raise RecordError(f"{path}: the subject of row {row} is in two splits; keep one")
    return splits


def write_splits(folder: Path, splits: Mapping[int, str]) -> None:
    """Write each subject's split (`train`, `validation` or `test`) under MEDS's names."""
    meds_names = {split: name for name, split in SPLITS.items()}
    for name in splits.values():
        if name not in meds_names:
            raise RecordError(f"split {name!r} is not known; known are {', '.join(meds_names)}")
    subjects = sorted(splits)
    table = pa.table(
        {
            "subject_id": pa.array(subjects, pa.int64()),
            "split": pa.array([meds_names[splits[s]] for s in subjects], pa.string()),
        }
    )
    path = folder / meds.subject_splits_filepath
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(meds.SubjectSplitSchema.align(table), path)
    update_checksum(folder, meds.subject_splits_filepath)


def write_metadata(
    folder: Path,
    codes: Mapping[str, str | None],
    name: str,
    parents: Mapping[str, Sequence[str]] | None = None,
) -> None:
    """Write `codes.parquet` (each code, its description and parents) and `dataset.json`."""
    parents = parents or {}
    (folder / "metadata").mkdir(parents=True, exist_ok=True)
    ordered = sorted(codes)
    table = pa.table(
        {
            "code": pa.array(ordered, pa.string()),
            "description": pa.array([codes[code] for code in ordered], pa.string()),
            "parent_codes": pa.array(
                [parents.get(code) for code in ordered], pa.list_(pa.string())
            ),
        }
    )
    pq.write_table(meds.CodeMetadataSchema.align(table), folder / meds.code_metadata_filepath)
    description = {
        "dataset_name": name,
        "etl_name": "posology ingest",
        "etl_version": installed.version("posology"),
        "meds_version": meds.__version__,
        "created_at": datetime.now(UTC).isoformat(),
        "code_modifier_columns": ["unit"],
    }
    (folder / meds.dataset_metadata_filepath).write_text(json.dumps(description, indent=1))


def read_codes(folder: Path) -> dict[str, str | None]:
    """Each code of the folder and its description, if it has one."""
    return _code_column(folder, "description", pa.string())


def read_parent_codes(folder: Path) -> dict[str, list[str]]:
    """The parents of each code of the folder that has any."""
    parents = _code_column(folder, "parent_codes", pa.list_(pa.string()))
    return {code: names for code, names in parents.items() if names}


def read_code_units(folder: Path) -> dict[str, str | None]:
    """The unit of each code, where another tool wrote a column `unit` into `codes.parquet`."""
    return _code_column(folder, "unit", pa.string())


def _code_column(folder: Path, name: str, kind: pa.DataType) -> dict[str, Any]:
    """A column of `codes.parquet` by code; no codes without the file, None without the column."""
    path = folder / meds.code_metadata_filepath
    if not path.exists():
        return {}
    try:
        table = pq.read_table(path)
        codes = table["code"].cast(pa.string()).to_pylist()
        if name not in table.column_names:
            return dict.fromkeys(codes)
        return dict(zip(codes, table[name].cast(kind).to_pylist(), strict=True))
    except (pa.ArrowException, OSError, KeyError) as error:
        raise RecordError(f"{path} is not a MEDS file of codes: {error}") from error


def write_folder(folder: Path, events: Iterable[pa.Table], name: str = "posology") -> None:
    """Write events that are already sorted as a new folder with one data file.

    For small data sets and tests; `ingest` sorts, cleans and shards.
    """
    (folder / meds.data_subdirectory).mkdir(parents=True)
    codes: set[str] = set()
    with pq.ParquetWriter(folder / meds.data_subdirectory / "0.parquet", EVENTS) as writer:
        for table in events:
            part = in_schema(table)
            codes |= set(part["code"].unique().to_pylist())
            writer.write_table(part)
    write_metadata(folder, dict.fromkeys(codes), name)
