"""CSV and Parquet files as DuckDB relations, with the lines that are no rows kept aside."""

import csv
import gzip
import io
import zlib
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from posology.errors import RecordError
from posology.records.io.engine import quoted
from posology.records.schema import REFUSED

LONGEST_LINE = 32_000_000
"""Characters of one line that are still read (own choice; notes of 10 MB exist)."""
ENDINGS = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".txt", ".parquet")


MEMORY = "1GB"
"""What reading may hold before it spills (own choice)."""


def reader(folder: Path, threads: int = 2) -> duckdb.DuckDBPyConnection:
    """A DuckDB of its own for reading files, whose rows keep the order of the file.

    What does not fit in memory goes to the folder.
    """
    settings: dict[str, Any] = {
        "memory_limit": MEMORY,
        "threads": threads,
        "temp_directory": str(folder / "spill"),
    }
    duck = duckdb.connect(config=settings)
    duck.execute("SET TimeZone = 'UTC'")
    duck.execute("SET enable_progress_bar = false")
    return duck


def columns_of(path: Path) -> list[str]:
    """The names in the header of a CSV file or the schema of a Parquet file."""
    try:
        if path.suffix == ".parquet":
            return list(pq.read_schema(path).names)
        with path.open("rb") as raw:
            packed = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            stream = gzip.GzipFile(fileobj=raw) if packed else raw
            text = io.TextIOWrapper(stream, "utf-8-sig", errors="replace", newline="")
            header = next(csv.reader(text, delimiter=_delimiter(path)), None)
    except (pa.ArrowInvalid, EOFError, zlib.error, gzip.BadGzipFile, csv.Error) as error:
        raise RecordError(f"{path}: the file is damaged ({_first(error)})") from error
    except OSError as error:
        raise RecordError(f"{path}: cannot be read: {error.strerror or error}") from error
    if not header:
        raise RecordError(f"{path}: is empty; a table begins with a row of column names")
    names = [name.strip() for name in header]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise RecordError(f"{path}: has the column {twice[0]!r} twice; give each its own name")
    return names


def open_table(duck: duckdb.DuckDBPyConnection, path: Path, name: str) -> None:
    """Make the file a table `name` of texts (CSV) or its own types (Parquet), numbered in `_row`.

    A CSV file is read here, and lines that are no rows are then in `rejected`; a Parquet file
    when it is asked, inside `damage_told`.
    """
    columns = columns_of(path)
    kind = "VIEW" if path.suffix == ".parquet" else "TABLE"
    with damage_told(str(path)):
        duck.execute(f'CREATE OR REPLACE TEMP {kind} "{name}" AS {_scan(path, columns)}')


@contextmanager
def damage_told(place: str) -> Generator[None]:
    """What DuckDB cannot read inside the block is told as damage of the place."""
    try:
        yield
    except duckdb.OutOfMemoryException:
        raise
    except duckdb.Error as error:
        raise RecordError(f"{place}: the file is damaged ({_first(error)})") from error


def _scan(path: Path, columns: list[str]) -> str:
    if path.suffix == ".parquet":
        return (
            "SELECT *, file_row_number + 1 AS _row "
            f"FROM read_parquet('{quoted(path)}', file_row_number = true)"
        )
    types = ", ".join(f"'{quoted(column)}': 'VARCHAR'" for column in columns)
    return (
        f"SELECT *, row_number() OVER () AS _row FROM read_csv('{quoted(path)}', "
        f"columns = {{{types}}}, auto_detect = false, header = true, "
        f"delim = '{_delimiter(path)}', quote = '\"', escape = '\"', nullstr = '', "
        f"compression = '{'gzip' if _packed(path) else 'none'}', "
        f"max_line_size = {LONGEST_LINE}, buffer_size = {2 * LONGEST_LINE}, "
        "ignore_errors = true, store_rejects = true)"
    )


def rejected(duck: duckdb.DuckDBPyConnection, path: Path) -> pa.Table:
    """Lines of the CSV files read so far that are no rows, once each, in REFUSED."""
    known = duck.execute(
        "SELECT count(*) FROM duckdb_tables() WHERE table_name = 'reject_errors'"
    ).fetchone()
    if not known or not known[0]:
        return REFUSED.empty_table()
    rows = duck.execute(
        "SELECT line - 1, first(column_name), first(csv_line), first(error_type) "
        "FROM reject_errors GROUP BY scan_id, file_id, line ORDER BY line"
    ).fetchall()
    duck.execute("DELETE FROM reject_errors")
    reasons = {
        "MISSING COLUMNS": "has fewer cells than the header",
        "TOO MANY COLUMNS": "has more cells than the header",
        "INVALID ENCODING": "is not UTF-8; convert the file, for example with iconv",
        "UNQUOTED VALUE": "a quote is opened and not closed",
        "LINE SIZE OVER MAXIMUM": f"is longer than {LONGEST_LINE} characters",
    }
    return pa.table(
        {
            "source": [str(path)] * len(rows),
            "row": [row[0] for row in rows],
            "field": [row[1] or "row" for row in rows],
            "value": [(row[2] or "")[:500].strip() for row in rows],
            "reason": [reasons.get(row[3], str(row[3]).lower()) for row in rows],
        },
        schema=REFUSED,
    )


def _packed(path: Path) -> bool:
    with path.open("rb") as raw:
        return raw.read(2) == b"\x1f\x8b"


def _delimiter(path: Path) -> str:
    return "\t" if ".tsv" in path.name.lower() else ","


def _first(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
