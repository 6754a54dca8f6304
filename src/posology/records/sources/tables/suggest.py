"""A first mapping of an unknown table, for a person to correct."""

import csv
import io
import json
import re
import zlib
from collections.abc import Iterator, Sequence
from gzip import BadGzipFile
from itertools import islice
from pathlib import Path

import pyarrow.parquet as pq

from posology.errors import RecordError
from posology.records.io.duckdb_tables import DUCKDB_EXTENSIONS, read_column_names
from posology.records.io.header import named_columns
from posology.records.io.text_lines import bounded_texts, decompressed
from posology.records.sources.tables.column_kinds import (
    ENTRY,
    Column,
    describe_column,
    plain_name,
)
from posology.records.sources.tables.dialect import Dialect, find_dialect
from posology.records.sources.tables.mapping import ROW
from posology.records.sources.tables.number_marks import file_mark, plain_number

SAMPLE_ROWS = 1_000
"""Rows from which columns are described (our choice)."""

NOT_READ = {
    "text": "looks like free text",
    "bound": "has numbers that are only known to be as large, such as 90+; write >=90 to have 90 "
    "read",
    "empty": "is empty",
    "record": "looks like the number of a visit or an order",
}
"""Why columns of these kinds become no events."""


def suggest_mapping(path: Path) -> str:
    """A mapping file (TOML) for a table: types, units, dates and likely codes of its columns."""
    check_is_table(path)
    dialect = find_dialect(path)
    names, rows = read_sample(path, dialect)
    columns = [
        describe_column(name, [row[at] for row in rows if len(row) == len(names)])
        for at, name in enumerate(names)
    ]
    subject = next((c for c in columns if c.kind == "subject"), None)
    time = time_of_all(columns)
    lines = [
        f"# Suggested by `posology ingest --suggest` from {len(rows)} rows; correct it.",
        f"# {len(names)} columns; the file is {dialect}.",
        f"file = {quoted(path.name)}",
        *_shared_lines(path, dialect, columns, subject, time),
    ]
    for column in columns:
        if column is not subject:
            lines += ["", *_event_lines(column, columns, time, dialect)]
    return "\n".join(lines) + "\n"


def check_is_table(path: Path) -> None:
    """RecordError if the file is none, or its name is not that of a table."""
    if not path.is_file() or not path.name.lower().endswith(DUCKDB_EXTENSIONS):
        raise RecordError(
            f"{path}: is no table; give a file of {', '.join(DUCKDB_EXTENSIONS)} (save the sheet "
            "of a spreadsheet as CSV)"
        )


def read_sample(
    path: Path, dialect: Dialect, most: int = SAMPLE_ROWS
) -> tuple[list[str], list[list[str]]]:
    """Names of a table's columns, and its first rows as texts; RecordError if it cannot be read."""
    if path.suffix == ".parquet":
        names = read_column_names(path)
        batch = next(pq.ParquetFile(path).iter_batches(most), None)
        rows = [] if batch is None else batch.to_pylist()
        return names, [["" if v is None else str(v) for v in row.values()] for row in rows]
    with path.open("rb") as raw:
        text = io.TextIOWrapper(decompressed(raw), dialect.encoding, "replace", newline="")
        reader = csv.reader(bounded_texts(text), delimiter=dialect.delimiter)
        try:
            header = [name.removeprefix("\ufeff") for name in next(reader, [])]
            names = named_columns(path, header)
            rows = list(islice((row for row in reader if row), most))
        except (csv.Error, EOFError, zlib.error, BadGzipFile) as error:
            raise RecordError(f"{path}: the file is damaged ({error})") from error
    if not names or not rows:
        raise RecordError(f"{path}: has no rows below a row of column names")
    is_single = len(names) == 1
    if not any(len(row) == len(names) for row in rows) or (
        is_single and any(all(mark in row[0] for row in rows) for mark in ";\t|,")
    ):
        raise RecordError(
            f"{path}: its first line has not as many cells as the others: it looks like a title; "
            "delete the lines above the names of the columns"
        )
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise RecordError(f"{path}: has the column {twice!r} twice; give each its own name")
    return names, rows


def time_of_all(columns: Sequence[Column]) -> Column | None:
    """The date of the rows: the first date named as one, else the first date."""
    dates = [column for column in columns if column.kind == "date"]
    named = [column for column in dates if ENTRY.search(plain_name(column.name))]
    return next(iter([*named, *dates]), None)


def _shared_lines(
    path: Path,
    dialect: Dialect,
    columns: Sequence[Column],
    subject: Column | None,
    time: Column | None,
) -> Iterator[str]:
    if subject is None:
        prefix = plain_name(path.name.split(".")[0]) or "row"
        yield "# CHECK: no column looks like a patient's number, so each row is a patient."
        yield f"subject = {quoted(f'{prefix}-{{{ROW}}}')}"
    else:
        yield f"subject = {quoted(subject.name)}"
    if time is None:
        yield "# CHECK: no column looks like a date: all facts are static."
    else:
        yield f"time = {quoted(f'{{{time.name}}}')}"
        yield from time_lines(time, None)
    yield from dialect_lines(dialect, columns)


def dialect_lines(dialect: Dialect, columns: Sequence[Column]) -> Iterator[str]:
    """How the file and its numbers are written, where that is not the usual way."""
    if dialect.delimiter != ",":
        yield f"delimiter = {quoted(dialect.delimiter)}"
    if dialect.encoding != "utf-8":
        yield f"encoding = {quoted(dialect.encoding)}"
    if mark_of(dialect, columns) == ",":
        yield 'decimal = ","'
    marks = sorted({mark for column in columns for mark in column.missing})
    if marks:
        listed = ", ".join(quoted(mark) for mark in marks)
        yield f"missing = [{listed}]  # CHECK: such cells are read as empty, in every column"


def mark_of(dialect: Dialect, columns: Sequence[Column]) -> str:
    """The decimal mark of a file."""
    return file_mark([column.marks for column in columns], dialect.delimiter)


def number_lines(column: Column, columns: Sequence[Column], dialect: Dialect) -> Iterator[str]:
    """A column's number as an event's value, with its unit where that is known."""
    yield f"value = {quoted(column.name)}"
    mark, (shown, unclear) = mark_of(dialect, columns), column.marks
    if shown not in ("", mark):
        yield f"decimal = {quoted(shown)}"
    number = plain_number(unclear, mark)
    if number != unclear or (unclear and not any(other.marks[0] for other in columns)):
        other = "." if mark == "," else ","
        meant = f"with `decimal = {quoted(other)}` as {plain_number(unclear, other)}"
        yield f"# CHECK: {unclear} is read as {number}; {meant}."
    if column.unit:
        yield f"unit = {quoted(column.unit)}"


def time_lines(column: Column, shared: Column | None) -> Iterator[str]:
    """How a column writes its dates, where that is not how the date of all rows is written."""
    if column.misfits:
        cells = "cell is no date" if column.misfits == 1 else "cells are no dates"
        yield f"# CHECK: {column.misfits} {cells}: rows with such a one are rejected."
    if shared is not None and (column.formats, column.months) == (shared.formats, shared.months):
        return
    if column.ambiguous:
        yield "# CHECK: day and month could be the other way round."
    if column.formats:
        yield f"time_format = {quoted(column.formats[0])}"
    elif shared is not None and shared.formats:
        yield 'time_format = "iso"'
    if column.months:
        yield f"months = {quoted(column.months)}"


def _event_lines(
    column: Column, columns: Sequence[Column], time: Column | None, dialect: Dialect
) -> Iterator[str]:
    name, cell = column.name, f"{{{column.name}}}"
    if "{" in name or "}" in name or "//" in name:
        yield f"# {quoted(name)}: rename the column; templates use braces, codes use //"
        return
    if column.kind in NOT_READ:
        yield f"# {quoted(name)} {NOT_READ[column.kind]}: not read"
        return
    yield "[[event]]"
    part = _code_part(column, columns)
    if column.kind in ("birth", "death", "date"):
        codes = {"birth": "MEDS_BIRTH", "death": "MEDS_DEATH"}
        yield f"code = {quoted(codes.get(column.kind, f'EVENT//LOCAL//{part}'))}"
        if column is not time:
            yield f"time = {quoted(cell)}"
            yield from time_lines(column, time)
    elif column.kind == "sex":
        yield "# CHECK: studies know SEX//female and SEX//male. To translate other words, write"
        yield f"# sex.csv with the columns {column.name} and sex, a line for each word, and here:"
        yield f"# code = 'SEX//{{sex}}', join = 'sex.csv', on = {quoted(column.name)}"
        yield f"code = {quoted(f'SEX//{cell}')}"
        yield "static = true"
    elif column.kind == "code":
        family = {"LOINC": "MEASUREMENT", "ATC": "DRUG", "ICD10": "CONDITION"}
        yield f"code = {quoted(f'{family[str(column.system)]}//{column.system}//{cell}')}"
    elif column.kind == "number":
        yield f"code = {quoted(f'MEASUREMENT//LOCAL//{part}')}"
        yield from number_lines(column, columns, dialect)
    else:
        yield f"code = {quoted(f'OBSERVATION//LOCAL//{part}//{cell}')}"
    if column is not time:
        yield f"when = {quoted(name)}"


def _code_part(column: Column, columns: Sequence[Column]) -> str:
    """The column's name as part of a code; with its place where another has the same."""
    part = _without_unit(column.name)
    names = [_without_unit(other.name) for other in columns]
    return f"{part}_{columns.index(column) + 1}" if not part or names.count(part) > 1 else part


def _without_unit(name: str) -> str:
    return plain_name(re.sub(r"[\[(][^\])]*[\])]\s*$", "", name))


def quoted(text: str) -> str:
    """The text as a basic string of TOML."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
