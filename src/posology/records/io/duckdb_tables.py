"""CSV and Parquet files as DuckDB tables; malformed lines are returned apart."""

import csv
import io
import zlib
from collections.abc import Generator
from contextlib import contextmanager
from gzip import BadGzipFile
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from posology.errors import RecordError
from posology.records.io.engine import escape_quotes
from posology.records.io.header import named_columns
from posology.records.io.memory import reader_memory
from posology.records.io.text_lines import (
    LINE_LIMIT,
    bounded_texts,
    decompressed,
    find_long_lines,
    is_gzipped,
    too_long,
)
from posology.records.schema import REJECTED

DUCKDB_EXTENSIONS = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".txt", ".parquet")
"""Files that DuckDB reads as tables."""


def connect_reader(folder: Path, threads: int = 2) -> duckdb.DuckDBPyConnection:
    """A separate DuckDB that reads files in row order; data beyond its memory go to the folder."""
    settings: dict[str, Any] = {
        "memory_limit": reader_memory(),
        "threads": threads,
        "temp_directory": str(folder / "spill"),
    }
    duck = duckdb.connect(config=settings)
    duck.execute("SET TimeZone = 'UTC'")
    duck.execute("SET enable_progress_bar = false")
    return duck


def read_column_names(path: Path, delimiter: str | None = None) -> list[str]:
    """The column names in the header of a CSV file or the schema of a Parquet file."""
    try:
        if path.suffix == ".parquet":
            return _checked_names(path, list(pq.read_schema(path).names))
        with path.open("rb") as raw:
            text = io.TextIOWrapper(decompressed(raw), "utf-8-sig", errors="replace", newline="")
            header = next(
                csv.reader(bounded_texts(text), delimiter=delimiter or _delimiter(path)), None
            )
    except (pa.ArrowInvalid, EOFError, zlib.error, BadGzipFile, csv.Error) as error:
        raise RecordError(f"{path}: the file is damaged ({_first_line(error)})") from error
    except OSError as error:
        raise RecordError(f"{path}: cannot be read: {error.strerror or error}") from error
    if not header:
        raise RecordError(f"{path}: is empty; a table begins with a row of column names")
    return _checked_names(path, named_columns(path, header))


def _checked_names(path: Path, names: list[str]) -> list[str]:
    """The names; RecordError if DuckDB, which ignores case, would take two for one."""
    folded = [name.casefold() for name in names]
    for name in names:
        if folded.count(name.casefold()) > 1:
            raise RecordError(
                f"{path}: has the column {name!r} twice, but for case; give each its own name"
            )
        if name.casefold() == "_row":
            raise RecordError(f"{path}: the column name {name!r} is reserved; rename the column")
    return names


def create_table(
    duck: duckdb.DuckDBPyConnection,
    path: Path,
    name: str,
    delimiter: str | None = None,
    rows: int | None = None,
    has_quotes: bool = True,
) -> None:
    """Make the file a table `name` of texts (CSV) or of its own types (Parquet).

    Column `_row` has the row's number. A CSV file is read now, and `rejected_lines` returns its
    malformed lines; a Parquet file is read when queried, within `damage_as_record_error`.
    delimiter: by default a comma, or a tab of a `.tsv`. rows: read only the first so many.
    has_quotes: whether a quote at the start of a cell encloses it.
    """
    delimiter = delimiter or _delimiter(path)
    columns = read_column_names(path, delimiter)
    kind = "VIEW" if path.suffix == ".parquet" else "TABLE"
    limit = "" if rows is None else f" LIMIT {rows}"
    with damage_as_record_error(str(path)):
        scan = _scan_sql(path, columns, delimiter, '"' if has_quotes else "")
        duck.execute(f'CREATE OR REPLACE TEMP {kind} "{name}" AS {scan}{limit}')


@contextmanager
def damage_as_record_error(source: str) -> Generator[None]:
    """Raise errors of DuckDB or gzip in the block as a RecordError: the source is damaged."""
    try:
        yield
    except duckdb.OutOfMemoryException:
        raise
    except (duckdb.Error, EOFError, zlib.error, BadGzipFile) as error:
        raise RecordError(f"{source}: the file is damaged ({_first_line(error)})") from error


def _scan_sql(path: Path, columns: list[str], delimiter: str, quote: str) -> str:
    if path.suffix == ".parquet":
        return (
            "SELECT *, file_row_number + 1 AS _row "
            f"FROM read_parquet('{escape_quotes(path)}', file_row_number = true)"
        )
    with path.open("rb") as raw:
        compression = "gzip" if is_gzipped(raw) else "none"
    types = ", ".join(f"'{escape_quotes(column)}': 'VARCHAR'" for column in columns)
    return (
        f"SELECT *, row_number() OVER () AS _row FROM read_csv('{escape_quotes(path)}', "
        f"columns = {{{types}}}, auto_detect = false, header = true, "
        f"delim = '{escape_quotes(delimiter)}', quote = '{quote}', escape = '{quote}', "
        f"nullstr = '', compression = '{compression}', "
        f"max_line_size = {LINE_LIMIT.get()}, buffer_size = {2 * LINE_LIMIT.get()}, "
        "ignore_errors = true, store_rejects = true)"
    )


def rejected_lines(duck: duckdb.DuckDBPyConnection, path: Path, is_whole: bool = True) -> pa.Table:
    """Malformed lines of the CSV file read last, each returned once, in REJECTED.

    is_whole: whether the whole file was read. A line that does not fit into DuckDB's buffer is lost
    without a word; such lines are searched for here.
    """
    known = duck.execute(
        "SELECT count(*) FROM duckdb_tables() WHERE table_name = 'reject_errors'"
    ).fetchone()
    rows: list[tuple] = []
    if known and known[0]:
        rows = duck.execute(
            "SELECT line - 1, first(column_name), first(csv_line), first(error_type) "
            "FROM reject_errors GROUP BY scan_id, file_id, line ORDER BY line"
        ).fetchall()
        duck.execute("DELETE FROM reject_errors")
    if is_whole and path.suffix != ".parquet":
        seen = {row[0] for row in rows}
        with damage_as_record_error(str(path)):  # also a checksum that DuckDB does not compare
            lost = [line - 1 for line in find_long_lines(path) if line - 1 not in seen]
        rows += [(line, None, "", "LINE SIZE OVER MAXIMUM") for line in lost]
    reasons = {
        "MISSING COLUMNS": "has fewer cells than the header",
        "TOO MANY COLUMNS": "has more cells than the header",
        "INVALID ENCODING": "is not UTF-8; convert the file, for example with iconv",
        "UNQUOTED VALUE": "a quote is opened and not closed",
        "LINE SIZE OVER MAXIMUM": too_long(LINE_LIMIT.get()),
    }
    return pa.table(
        {
            "source": [str(path)] * len(rows),
            "row": [row[0] for row in rows],
            "field": [row[1] or "row" for row in rows],
            "value": [(row[2] or "")[:500].strip() for row in rows],
            "reason": [reasons.get(row[3], str(row[3]).lower()) for row in rows],
        },
        schema=REJECTED,
    )


def _delimiter(path: Path) -> str:
    return "\t" if ".tsv" in path.name.lower() else ","


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
