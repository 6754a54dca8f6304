"""Rows of a table file (CSV, Parquet or a spreadsheet) as dictionaries, even if it is damaged."""

import csv
import gzip
import io
import math
import zlib
from collections.abc import Iterable, Iterator
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from posology.errors import RecordError, describe_install
from posology.records.io.header import describe_columns
from posology.records.io.subject_ids import to_subject_id
from posology.records.io.text_lines import LINE_LIMIT, bounded_texts, decompressed
from posology.records.io.times import parse_time, to_microseconds
from posology.records.schema import Rejection, finite_number

if TYPE_CHECKING:
    from python_calamine import CalamineWorkbook

Row = dict[str, Any]

TABLE_EXTENSIONS = (".csv", ".csv.gz", ".tsv", ".parquet", ".xlsx", ".xls")
"""Files that `read_rows` reads."""


def read_rows(path: Path, required: tuple[str, ...] = ()) -> Iterator[tuple[int, Row | Rejection]]:
    """Each row with its number from 1 (the header is not counted), or why it cannot be read.

    Raises RecordError if one of the `required` columns is missing.
    """
    name = path.name.lower()
    try:
        if name.endswith(".parquet"):
            yield from _parquet(path, required)
        elif name.endswith((".xlsx", ".xls")):
            yield from _spreadsheet(path, required)
        else:
            yield from _csv(path, "\t" if ".tsv" in name else ",", required)
    except OSError as error:
        raise RecordError(f"{path}: cannot be read: {error.strerror or error}") from error


def _csv(
    path: Path, delimiter: str, required: tuple[str, ...]
) -> Iterator[tuple[int, Row | Rejection]]:
    csv.field_size_limit(LINE_LIMIT.get())  # the module's own limit of 131,072 is too low
    number = 0
    with path.open("rb") as raw:
        text = io.TextIOWrapper(
            decompressed(raw), "utf-8-sig", errors="surrogateescape", newline=""
        )
        reader = csv.reader(bounded_texts(text), delimiter=delimiter)
        try:
            header = next(reader, None)
            if header is None:
                raise RecordError(f"{path}: is empty; a table begins with a row of column names")
            header = _header(header)
            require_columns(path, header, required)
            for number, cells in enumerate((c for c in reader if c), start=1):
                yield number, _row(header, cells)
        except (EOFError, zlib.error, gzip.BadGzipFile, csv.Error) as error:
            reason = f"the file is damaged here ({error}); what follows cannot be read"
            yield number + 1, Rejection("file", "", reason)


def _row(header: list[str], cells: list[str]) -> Row | Rejection:
    if len(cells) != len(header):
        reason = f"has {len(cells)} cells where the header has {len(header)}"
        swallowed = sum(cell.count("\n") for cell in cells)
        if swallowed:
            reason += f"; a quote may be open: {swallowed + 1} lines of the file stand in this row"
        return Rejection("row", ",".join(cells[:20]), reason)
    for name, cell in zip(header, cells, strict=True):
        if not cell.isascii() and any("\ud800" <= c <= "\udfff" for c in cell):
            return Rejection(name, cell, "is not UTF-8; convert the file, for example with iconv")
    return dict(zip(header, cells, strict=True))


def _header(cells: list[Any]) -> list[str]:
    return [str(cell).strip() for cell in cells]


def _parquet(path: Path, required: tuple[str, ...]) -> Iterator[tuple[int, Row | Rejection]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    number = 0
    try:
        with pq.ParquetFile(path) as file:
            require_columns(path, file.schema_arrow.names, required)
            for batch in file.iter_batches(batch_size=10_000):
                for number, row in enumerate(_to_rows(batch), start=number + 1):  # noqa: B020
                    yield number, row
    except (pa.ArrowException, UnicodeDecodeError, OSError) as error:
        if isinstance(error, OSError) and error.errno:
            raise  # the disk failed, the content may be fine
        reason = f"the Parquet file is damaged ({str(error)[:200]})"
        yield number + 1, Rejection("file", "", reason)


def _to_rows(batch: Any) -> list[Row | Rejection]:
    """The batch's rows; a row with a cell that Python cannot represent is rejected."""
    try:
        return batch.to_pylist()
    except (ValueError, OverflowError, KeyError) as error:  # year 300,000; a zone of no list
        if len(batch) == 1:
            return [Rejection("row", "", f"has a cell that cannot be read ({str(error)[:200]})")]
        half = len(batch) // 2
        return [*_to_rows(batch.slice(0, half)), *_to_rows(batch.slice(half))]


def _spreadsheet(path: Path, required: tuple[str, ...]) -> Iterator[tuple[int, Row | Rejection]]:
    try:
        from python_calamine import CalamineError, CalamineWorkbook, SheetTypeEnum
    except ImportError as error:
        raise RecordError(
            f"{path}: spreadsheets need one more package: {describe_install('excel')}"
        ) from error
    try:
        book = CalamineWorkbook.from_path(path)
        rows = book.get_sheet_by_index(0).to_python()
    except (CalamineError, ValueError) as error:
        yield 1, Rejection("file", "", f"the spreadsheet cannot be opened ({error})")
        return
    if not rows:
        raise RecordError(f"{path}: is empty; a table begins with a row of column names")
    header = _header(rows[0])
    require_columns(path, header, required)
    for number, cells in enumerate(rows[1:], start=1):
        yield number, dict(zip(header, cells, strict=False))
    for number, sheet in enumerate(book.sheets_metadata[1:], start=len(rows)):
        if sheet.typ == SheetTypeEnum.WorkSheet and _has_cells(book, sheet.name):
            reason = "only the first sheet is read; save this one as a file of its own"
            yield number, Rejection("sheet", sheet.name, reason)


def _has_cells(book: "CalamineWorkbook", sheet: str) -> bool:
    from python_calamine import CalamineError

    try:
        return book.get_sheet_by_name(sheet).height > 0
    except (CalamineError, ValueError):
        return True


def require_columns(path: Path, columns: Iterable[str], required: tuple[str, ...]) -> None:
    """Raise RecordError if a required column is missing."""
    columns = list(columns)
    duplicates = [name for name in columns if columns.count(name) > 1]
    if duplicates:
        raise RecordError(f"{path}: has the column {duplicates[0]!r} twice; give each its own name")
    missing = [name for name in required if name not in columns]
    if missing:
        raise RecordError(f"{path}: has no column {missing[0]!r}; {describe_columns(columns)}")


def is_blank(value: Any) -> bool:
    """Whether a cell is null, NaN, or an empty text."""
    if isinstance(value, float):
        return math.isnan(value)
    return value is None or (isinstance(value, str) and not value.strip())


def cell_text(value: Any) -> str:
    """The text of a cell; 7 for 7.0, as spreadsheets keep whole numbers."""
    return str(_as_integer(value)).strip()


def parse_subject(value: Any) -> int:
    """The subject id of a cell; raises ValueError if it is blank or no identifier."""
    value = _as_integer(value)
    if is_blank(value) or isinstance(value, bool | float | Decimal | dict | list):
        raise ValueError("names no subject")
    return to_subject_id(str(value))


def _as_integer(value: Any) -> Any:
    """7.0 as 7; any other value unchanged."""
    if isinstance(value, Decimal) and value.is_finite() and value == value.to_integral_value():
        return int(value)
    return int(value) if isinstance(value, float) and value.is_integer() else value


def parse_cell_time(value: Any, zone: ZoneInfo, time_format: str | None = None) -> int:
    """Microseconds since 1970 of a cell (strptime's `time_format`); raises ValueError."""
    if is_blank(value):
        raise ValueError("is empty")
    try:
        if isinstance(value, datetime):
            return to_microseconds(value, zone)
        if isinstance(value, date):
            return to_microseconds(datetime.combine(value, time()), zone)
        text = cell_text(value)
        if time_format is not None:
            return to_microseconds(datetime.strptime(text, time_format), zone)  # noqa: DTZ007
        return parse_time(text, zone, True) if len(text) < 10 else parse_time(text, zone)
    except ValueError as error:
        expected = f" written as {time_format}" if time_format else ""
        raise ValueError(f"is not a date{expected}") from error


def parse_number(value: Any) -> float:
    """The number of a cell; raises ValueError if it is none."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError as error:
            raise ValueError("is not a number") from error
    return finite_number(float(value) if isinstance(value, Decimal) else value)
