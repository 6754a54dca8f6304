"""A MEDS folder with its split file, or one Parquet file of events in any order."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import meds
import pyarrow as pa
import pyarrow.parquet as pq

from posology.errors import RecordError
from posology.records import meds_dataset
from posology.records.io.settings import load_settings
from posology.records.pipeline.staging import Source, StagedSource, split_mapping
from posology.records.schema import EVENTS, RAW

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class MedsColumns:
    """How columns that MEDS does not name are read."""

    numeric_value: str | None = None
    """Column of the number."""
    text_value: str | None = None
    """Column of the text."""
    unit: str | None = None
    """Column of the number's unit."""
    ignore: tuple[str, ...] = ()
    """Columns of numbers that are not read."""

    @property
    def renamed(self) -> dict[str, str]:
        """Columns of the file, and the names that they get."""
        names = ("numeric_value", "text_value", "unit")
        pairs = ((getattr(self, name), name) for name in names)
        return {column: name for column, name in pairs if column is not None}


def make_sources(inputs: Sequence[str | Path]) -> list[Source]:
    """One source for each MEDS folder or Parquet file; a TOML file maps the columns of all."""
    mappings, paths = split_mapping(inputs)
    if len(mappings) > 1:
        raise RecordError(f"--meds takes one file of columns (TOML), not {len(mappings)}")
    columns = load_settings(mappings[0], MedsColumns) if mappings else MedsColumns()
    return [_source(path, columns) for path in paths]


def _source(path: Path, columns: MedsColumns) -> Source:
    files = tuple(meds_dataset.data_files(path)) if path.is_dir() else (path,)
    metadata = (meds.subject_splits_filepath, meds.code_metadata_filepath)
    others = [path / name for name in metadata if path.is_dir() and (path / name).exists()]

    def stage(con: Any, folder: Path) -> StagedSource:
        if path.is_dir():
            meds_dataset.verify_folder(path)
        for file in files:
            _check_columns(file, columns)
        staged = files
        if con.name != "duckdb" or columns.renamed:  # DuckDB reads in place and numbers the rows
            staged = tuple(folder / f"{number}.parquet" for number in range(len(files)))
            for file, copy in zip(files, staged, strict=True):
                _copy_with_rows(file, copy, columns)
        descriptions = meds_dataset.read_codes(path) if path.is_dir() else {}
        return StagedSource(
            staged,
            rows=sum(pq.read_metadata(file).num_rows for file in files),
            meanings={code: text for code, text in descriptions.items() if text},
            parents=meds_dataset.read_parent_codes(path) if path.is_dir() else {},
            splits=(meds_dataset.read_splits(path) or {}) if path.is_dir() else {},
        )

    settings = repr(columns) if columns != MedsColumns() else ""
    return Source(str(path), (*files, *others), stage, settings)


def _check_columns(path: Path, columns: MedsColumns) -> None:
    """Raise RecordError at a column of numbers that would be lost; log others that are not read."""
    schema = meds_dataset.open_events(path).schema_arrow
    for column, name in columns.renamed.items():
        if column not in schema.names:
            raise RecordError(
                f"{path}: has no column {column!r}, which is to be {name}; "
                f"its columns are {', '.join(schema.names)}"
            )
        if name in schema.names and column != name:
            raise RecordError(f"{path}: has a column {name!r} already; remove {name} = {column!r}")
        if name == "numeric_value" and not _is_number(schema.field(column).type):
            kind = schema.field(column).type
            raise RecordError(f"{path}: {column} has the type {kind}, not numbers")
    known = {*RAW.names, *columns.renamed, *columns.ignore}
    for field in schema:
        if field.name in known:
            continue
        if _is_number(field.type):
            raise RecordError(
                f"{path}: the numbers of column {field.name!r} would be lost, because MEDS does "
                "not name it; give a TOML file as a further --meds with "
                f'numeric_value = "{field.name}" or ignore = ["{field.name}"]'
            )
        _log.info("%s: column %s is not read", path, field.name)


def _is_number(kind: pa.DataType) -> bool:
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)


def _copy_with_rows(file: Path, copy: Path, columns: MedsColumns) -> None:
    """Copy a file of events and add the columns `source` and `row`."""
    start = 1
    with pq.ParquetWriter(copy, RAW) as writer:
        for table in _renamed_tables(file, columns):
            events = meds_dataset.in_schema(table)
            events = events.append_column("source", pa.array([str(file)] * len(events)))
            events = events.append_column("row", pa.array(range(start, start + len(events))))
            writer.write_table(events.cast(RAW))
            start += len(events)


def _renamed_tables(file: Path, columns: MedsColumns) -> Iterator[pa.Table]:
    """The file in parts, with its columns renamed; those that are not read are left out."""
    renamed = columns.renamed
    parquet = meds_dataset.open_events(file)
    names = [n for n in parquet.schema_arrow.names if renamed.get(n, n) in EVENTS.names]
    for batch in parquet.iter_batches(columns=names):
        table = pa.Table.from_batches([batch])
        yield table.rename_columns([renamed.get(name, name) for name in table.column_names])
