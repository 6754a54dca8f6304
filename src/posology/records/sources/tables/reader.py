"""Any table as events, by a small mapping file.

DuckDB reads files by column. Tables of a database are first copied to Parquet, so that one path
reads both.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from posology.errors import RecordError
from posology.records.io.duckdb_tables import (
    connect_reader,
    create_table,
    damage_as_record_error,
    read_column_names,
    rejected_lines,
)
from posology.records.io.engine import Engine, connect, escape_quotes, iter_batches
from posology.records.io.header import describe_columns
from posology.records.io.subject_ids import to_subject_ids
from posology.records.pipeline.staging import Source, StagedSource
from posology.records.schema import RAW, REJECTED
from posology.records.sources.tables.dialect import (
    as_utf8,
    find_dialect,
    find_joined_dialect,
)
from posology.records.sources.tables.mapping import FIELD, EventMapping, TableMapping, read_mapping
from posology.records.sources.tables.sql import (
    parsed_sql,
    quote_name,
    selected_sql,
    unread_no_sql,
)
from posology.records.sources.tables.stray_texts import find_stray_texts


def make_sources(inputs: Sequence[str | Path]) -> list[Source]:
    """One source for each event of each mapping file and each of its files."""
    return [
        Source(table.name, table.files, table.stage, table.settings)
        for path in inputs
        for table in mapped_tables(Path(path))
    ]


def mapped_tables(path: Path) -> list["TableInput"]:
    """Each event of a mapping file, with each of its files."""
    mapping = read_mapping(path)
    tables = []
    for number, entry in enumerate(mapping.event, start=1):
        if entry.table is not None:
            source = f"{entry.table} ({path.name} event {number})"
            tables.append(TableInput(mapping, entry, (), source, number))
            continue
        joined = () if entry.join is None else (path.parent / entry.join,)
        for file in _matching_files(path, entry):
            tables.append(TableInput(mapping, entry, (file, *joined), str(file), number))
    return tables


def _matching_files(path: Path, entry: EventMapping) -> list[Path]:
    pattern = entry.file or ""
    absolute = Path(pattern).is_absolute()
    root = Path(Path(pattern).anchor) if absolute else path.parent
    relative = str(Path(pattern).relative_to(root)) if absolute else pattern
    files = sorted(root.glob(relative))
    if not files:
        raise RecordError(f"{path}: no file is named {pattern!r} (looked in {root})")
    return files


@dataclass(frozen=True, slots=True)
class TableInput:
    """A table to read by one event of a mapping."""

    mapping: TableMapping
    entry: EventMapping
    files: tuple[Path, ...]
    """The table and the one joined to it; empty for a table of a database."""
    source: str
    """Its name in `source` of the events."""
    number: int
    """Number of the event in the mapping file, from 1."""

    @property
    def name(self) -> str:
        """As errors and summaries name it."""
        return self.source if not self.files else f"{self.source} (event {self.number})"

    @property
    def settings(self) -> str:
        """Everything but the files that decides what is read."""
        return f"{self.mapping.time_zone} {self.entry!r}"

    def _stage_from_database(self, folder: Path) -> StagedSource:
        """Copy the needed columns from the database, and read the copy."""
        entry, copy = self.entry, folder / "table.parquet"
        con = connect(Engine(self.mapping.database or ""))
        try:
            *schema, name = (entry.table or "").split(".")
            try:
                table = con.table(name, database=schema[0] if schema else None)
            except Exception as error:
                raise RecordError(f"{self.source}: the database has no such table") from error
            present = [name for name in entry.columns() if name in table.columns]
            copy_table(con, table.select(present), copy)
        finally:
            con.disconnect()
        return stage_table(replace(self, files=(copy,)), folder)

    def stage(self, _con: Any, folder: Path) -> StagedSource:
        """Read the files, or the database, into Parquet files of events and rejected rows."""
        return stage_table(self, folder) if self.files else self._stage_from_database(folder)


def copy_table(con: Any, table: Any, path: Path) -> None:
    """Copy a table of a database to Parquet in batches."""
    schema = table.schema().to_pyarrow()
    with pq.ParquetWriter(path, schema) as writer:
        for batch in iter_batches(con, table):
            writer.write_table(pa.Table.from_batches([batch]).cast(schema))


def stage_table(table: TableInput, folder: Path, rows: int | None = None) -> StagedSource:
    """Read a table (and the one joined to it) into Parquet files of events and rejected rows.

    rows: read only the first so many.
    """
    entry = table.entry
    duck = connect_reader(folder)
    try:
        first, delimiter = _readable(table, 0, folder)
        create_table(duck, first, "first", delimiter, rows)
        malformed = rejected_lines(duck, first, is_whole=rows is None)
        columns = read_column_names(first, delimiter)
        if len(table.files) > 1:
            other, separated = _readable(table, 1, folder)
            _check_key(table, columns, read_column_names(other, separated))
            _join(duck, (other, separated), entry.on or "", table.files[1])
            refused = rejected_lines(duck, other, is_whole=rows is None)
            malformed = pa.concat_tables([malformed, _of_joined(refused, table.files[1])])
            columns += [n for n in read_column_names(other, separated) if n not in columns]
        else:
            duck.execute("CREATE TEMP VIEW input AS SELECT * FROM first")
        check_columns(table, columns)
        _check_when(duck, table)
        with damage_as_record_error(table.source):
            return _stage(duck, table, folder, malformed)
    finally:
        duck.close()


def _readable(table: TableInput, which: int, folder: Path) -> tuple[Path, str]:
    """One of the files as UTF-8, and what separates its cells."""
    path, entry = table.files[which], table.entry
    find = find_joined_dialect if which else find_dialect
    dialect = find(path, entry.encoding, entry.delimiter)
    return as_utf8(path, dialect, folder), dialect.delimiter


def check_columns(table: TableInput, columns: list[str]) -> None:
    """RecordError at columns that the mapping names and the table lacks, with a guess why."""
    missing = [name for name in table.entry.columns() if name not in columns]
    if not missing:
        return
    near = get_close_matches(missing[0], columns, 1, cutoff=0.6)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise RecordError(
        f"{table.name}: has no column {missing[0]!r}; {hint}{describe_columns(columns)}"
    )


def _check_when(duck: duckdb.DuckDBPyConnection, table: TableInput) -> None:
    """RecordError where rows that say no would be events: 0 is not empty.

    Not where the mapping reads the column itself, which keeps yes and no apart.
    """
    entry, column = table.entry, table.entry.when
    if column is None or entry.accepted or column in _columns_read(table.mapping):
        return
    found = duck.execute(unread_no_sql(entry)).fetchone()
    if found is not None and found[0] is not None:
        raise RecordError(
            f"{table.name}: when = {column!r} reads every row that is not empty, also those with "
            f'{found[0]!r}; state which rows have the event, such as when_is = "1"'
        )


def _columns_read(mapping: TableMapping) -> set[str]:
    """Columns that some event of the mapping takes a value, a unit, a text or a code from."""
    templates = [t for e in mapping.event for t in (e.code, e.unit, e.text) if t]
    fields = {name for template in templates for name in FIELD.findall(template)}
    return fields | {e.value for e in mapping.event if e.value}


def _check_key(table: TableInput, columns: list[str], joined: list[str]) -> None:
    """RecordError if one of two tables lacks the column that joins them."""
    for path, names in zip(table.files, (columns, joined), strict=True):
        if table.entry.on not in names:
            raise RecordError(
                f"{table.name}: {path} has no column {table.entry.on!r}, which `on` joins by; "
                f"{describe_columns(names)}"
            )


def _join(duck: duckdb.DuckDBPyConnection, readable: tuple[Path, str], on: str, path: Path) -> None:
    """Join the file, `path` as the user named it, to table `first`."""
    create_table(duck, readable[0], "other", readable[1])
    key = quote_name(on)
    rows = duck.execute(
        f"SELECT list(_row ORDER BY _row)[1:2] FROM other GROUP BY {key} "
        "HAVING count(*) > 1 LIMIT 1"
    )
    duplicate = rows.fetchone()
    if duplicate is not None:
        first, second = duplicate[0]
        raise RecordError(
            f"{path}: rows {first} and {second} have the same {on}; a joined file has one row each"
        )
    duck.execute(
        f"CREATE TEMP TABLE input AS SELECT first.*, other.* EXCLUDE (_row, {key}) "
        f"FROM first LEFT JOIN other ON first.{key} = other.{key} ORDER BY first._row"
    )


def _of_joined(refused: pa.Table, path: Path) -> pa.Table:
    """Rejected lines of a joined file, whose name stands before each reason."""
    reasons = [f"of {path.name}: {reason}" for reason in refused["reason"].to_pylist()]
    column = refused.schema.get_field_index("reason")
    return refused.set_column(column, "reason", pa.array(reasons, pa.string()))


def _stage(
    duck: duckdb.DuckDBPyConnection, table: TableInput, folder: Path, malformed: pa.Table
) -> StagedSource:
    duck.execute(f"CREATE TEMP TABLE selected AS {selected_sql(table.entry)}")
    distinct = duck.sql("SELECT DISTINCT subject FROM selected WHERE subject IS NOT NULL")
    subjects = distinct.to_arrow_table()["subject"]
    ids = pa.table({"subject": subjects, "subject_id": to_subject_ids(subjects)})
    duck.register("subject_ids", ids)
    query = parsed_sql(table.entry, table.mapping.time_zone)
    duck.execute(f"CREATE TEMP TABLE parsed AS {query}")
    events, rejected = folder / "events.parquet", folder / "rejected.parquet"
    name = escape_quotes(table.source)
    _copy_events(
        duck,
        f"SELECT subject_id, time, code, numeric_value, text_value, unit, '{name}' AS source, "
        "_row AS row FROM parsed WHERE field IS NULL",
        events,
    )
    faulty = duck.sql(
        f"SELECT '{name}' AS source, _row AS row, field, value, reason "
        "FROM parsed WHERE field IS NOT NULL ORDER BY _row"
    ).to_arrow_table()
    source_column = pa.array([table.source] * malformed.num_rows, pa.string())
    malformed = malformed.set_column(0, "source", source_column)
    pq.write_table(pa.concat_tables([faulty.cast(REJECTED), malformed.cast(REJECTED)]), rejected)
    rows = duck.execute("SELECT count(*) FROM parsed").fetchone()
    count = (rows or (0,))[0] + malformed.num_rows
    strays = tuple(find_stray_texts(duck, table.entry))
    return StagedSource((events,), (rejected,), count, strays=strays)


def _copy_events(duck: duckdb.DuckDBPyConnection, query: str, path: Path) -> None:
    relation = duck.sql(query)
    with pq.ParquetWriter(path, RAW) as writer:
        for batch in relation.to_arrow_reader(1_000_000):
            writer.write_table(pa.Table.from_batches([batch]).cast(RAW))
