"""Rows of a table file, CSV, Parquet or a spreadsheet, as dictionaries, however damaged."""

import csv
import gzip
import io
import zlib
from collections.abc import Iterable, Iterator
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from posology.errors import RecordError
from posology.records.batching import Refusal, finite
from posology.records.io.subject_ids import subject_number
from posology.records.io.times import microseconds_of, parse_time

Row = dict[str, Any]

ENDINGS = (".csv", ".csv.gz", ".tsv", ".parquet", ".xlsx", ".xls")
"""The table files that are read."""


def read_sheet(path: Path, needed: tuple[str, ...] = ()) -> Iterator[tuple[int, Row | Refusal]]:
    """Each row with its number from 1 (the header is not counted), or why it cannot be read.

    needed: columns without which the table is a RecordError.
    """
    name = path.name.lower()
    try:
        if name.endswith(".parquet"):
            yield from _parquet(path, needed)
        elif name.endswith((".xlsx", ".xls")):
            yield from _spreadsheet(path, needed)
        else:
            yield from _csv(path, "\t" if ".tsv" in name else ",", needed)
    except OSError as error:
        raise RecordError(f"{path}: cannot be read: {error.strerror or error}") from error


def _csv(
    path: Path, delimiter: str, needed: tuple[str, ...]
) -> Iterator[tuple[int, Row | Refusal]]:
    csv.field_size_limit(2**31 - 1)  # the module's own limit of 131,072 would end the file
    number = 0
    with path.open("rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        stream = gzip.GzipFile(fileobj=raw) if packed else raw
        text = io.TextIOWrapper(stream, "utf-8-sig", errors="surrogateescape", newline="")
        reader = csv.reader(text, delimiter=delimiter)
        try:
            header = next(reader, None)
            if header is None:
                raise RecordError(f"{path}: is empty; a table begins with a row of column names")
            header = _header(header)
            need_columns(path, header, needed)
            for number, cells in enumerate((c for c in reader if c), start=1):
                yield number, _row(header, cells)
        except (EOFError, zlib.error, gzip.BadGzipFile, csv.Error) as error:
            reason = f"the file is damaged here ({error}); what follows cannot be read"
            yield number + 1, Refusal("file", "", reason)


def _row(header: list[str], cells: list[str]) -> Row | Refusal:
    if len(cells) != len(header):
        reason = f"has {len(cells)} cells where the header has {len(header)}"
        swallowed = sum(cell.count("\n") for cell in cells)
        if swallowed:
            reason += f"; a quote may be open: {swallowed + 1} lines of the file stand in this row"
        return Refusal("row", ",".join(cells[:20]), reason)
    for name, cell in zip(header, cells, strict=True):
        if not cell.isascii() and any("\ud800" <= c <= "\udfff" for c in cell):
            return Refusal(name, cell, "is not UTF-8; convert the file, for example with iconv")
    return dict(zip(header, cells, strict=True))


def _header(cells: list[Any]) -> list[str]:
    return [str(cell).strip() for cell in cells]


def _parquet(path: Path, needed: tuple[str, ...]) -> Iterator[tuple[int, Row | Refusal]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    number = 0
    try:
        with pq.ParquetFile(path) as file:
            need_columns(path, file.schema_arrow.names, needed)
            for batch in file.iter_batches(batch_size=10_000):
                for number, row in enumerate(_listed(batch), start=number + 1):  # noqa: B020
                    yield number, row
    except (pa.ArrowException, UnicodeDecodeError, OSError) as error:
        if isinstance(error, OSError) and error.errno:
            raise  # the disk's fault, not the content's
        reason = f"the Parquet file is damaged ({str(error)[:200]})"
        yield number + 1, Refusal("file", "", reason)


def _listed(batch: Any) -> list[Row | Refusal]:
    """The batch's rows; those with a cell that Python cannot hold are refused."""
    try:
        return batch.to_pylist()
    except (ValueError, OverflowError, KeyError) as error:  # year 300,000; a zone of no list
        if len(batch) == 1:
            return [Refusal("row", "", f"has a cell that cannot be read ({str(error)[:200]})")]
        half = len(batch) // 2
        return [*_listed(batch.slice(0, half)), *_listed(batch.slice(half))]


def _spreadsheet(path: Path, needed: tuple[str, ...]) -> Iterator[tuple[int, Row | Refusal]]:
    try:
        from python_calamine import CalamineError, CalamineWorkbook
    except ImportError as error:
        raise RecordError(
            f"{path}: spreadsheets need one more package: pip install 'posology[excel]'"
        ) from error
    try:
        rows = CalamineWorkbook.from_path(path).get_sheet_by_index(0).to_python()
    except (CalamineError, ValueError) as error:
        yield 1, Refusal("file", "", f"the spreadsheet cannot be opened ({error})")
        return
    if not rows:
        raise RecordError(f"{path}: is empty; a table begins with a row of column names")
    header = _header(rows[0])
    need_columns(path, header, needed)
    for number, cells in enumerate(rows[1:], start=1):
        yield number, dict(zip(header, cells, strict=False))


def need_columns(path: Path, have: Iterable[str], names: tuple[str, ...]) -> None:
    """RecordError if the table lacks a column that the mapping names."""
    missing = [name for name in names if name not in have]
    if missing:
        told = ", ".join(repr(name[:100]) for name in have)[:1000]
        raise RecordError(f"{path}: has no column {missing[0]!r}; its columns are {told}")


def blank(value: Any) -> bool:
    """Whether a cell holds nothing: null, empty, or a number that is not one."""
    if isinstance(value, float):
        return value != value
    return value is None or (isinstance(value, str) and not value.strip())


def cell_subject(value: Any) -> int:
    """The subject number of a cell; ValueError where it names none."""
    value = _whole(value)
    if blank(value) or isinstance(value, bool | float | Decimal | dict | list):
        raise ValueError("names no subject")
    return subject_number(str(value))


def _whole(value: Any) -> Any:
    """7.0 as 7, the way a person reads it; other values as they are."""
    if isinstance(value, Decimal) and value.is_finite() and value == value.to_integral_value():
        return int(value)
    return int(value) if isinstance(value, float) and value.is_integer() else value


def cell_time(value: Any, zone: ZoneInfo, layout: str | None = None) -> int:
    """Microseconds since 1970 of a cell; ValueError where it is no date."""
    if blank(value):
        raise ValueError("is empty")
    try:
        if isinstance(value, datetime):
            return microseconds_of(value, zone)
        if isinstance(value, date):
            return microseconds_of(datetime.combine(value, time()), zone)
        text = str(_whole(value)).strip()
        if layout is not None:
            return microseconds_of(datetime.strptime(text, layout), zone)  # noqa: DTZ007
        return parse_time(text, zone, True) if len(text) < 10 else parse_time(text, zone)
    except ValueError as error:
        raise ValueError(f"is not a date{f' written as {layout}' if layout else ''}") from error


def cell_number(value: Any) -> float:
    """The number of a cell; ValueError where it is none."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError as error:
            raise ValueError("is not a number") from error
    return finite(float(value) if isinstance(value, Decimal) else value)
