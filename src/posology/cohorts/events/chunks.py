"""Read a MEDS folder in chunks of whole subjects, in bounded memory."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from posology.errors import RecordError
from posology.records.meds_dataset import data_files, open_events, verify_folder

COLUMNS = ("subject_id", "time", "code", "numeric_value")
UNIT_ROWS = 5_000_000
"""Rows that are read for the units of codes: after `posology ingest` each code has one."""


def event_files(events: Path) -> list[Path]:
    """The Parquet files of a MEDS folder, of any folder of them, or the file itself.

    A folder that `posology ingest` wrote is compared with its checksums.
    """
    if not events.exists():
        raise RecordError(f"{events}: no such file or folder.")
    if events.is_file():
        return [events]
    verify_folder(events)
    if (events / "data").is_dir():
        return data_files(events)
    files = sorted(events.glob("*.parquet"))
    if not files:
        raise RecordError(f"{events}: holds no Parquet files of events.")
    return files


def read_event_table(files: list[Path]) -> pa.Table:
    """All events of the files, with their units where every file has them."""
    has_units = all("unit" in pq.ParquetFile(path).schema_arrow.names for path in files)
    return pq.read_table(files, columns=[*COLUMNS, "unit"] if has_units else list(COLUMNS))


def distinct_codes(files: list[Path]) -> tuple[str, ...]:
    """Every code of the files, in alphabetical order; reads the code column only."""
    codes: set[str] = set()
    for path in files:
        open_events(path)  # an error that names the file if it is not of events
        parquet = pq.ParquetFile(path, read_dictionary=["code"])
        for group in range(parquet.num_row_groups):
            column = parquet.read_row_group(group, columns=["code"])["code"]
            codes.update(pc.unique(column).to_pylist())
    codes.discard(None)
    return tuple(sorted(codes))


def count_units(files: list[Path], most: int | None = None) -> dict[tuple[str, str], int]:
    """Numbers of each code in each unit; the unit is empty where the records give none.

    most: about how many rows are read.
    """
    counts: dict[tuple[str, str], int] = {}
    rows = 0
    for path in files:
        names = pq.read_schema(path).names
        texts = [name for name in ("code", "unit") if name in names]
        parquet = pq.ParquetFile(path, read_dictionary=texts)
        columns = [name for name in ("code", "numeric_value", "unit") if name in names]
        if "numeric_value" not in columns:
            continue
        for group in range(parquet.num_row_groups):
            if most is not None and rows >= most:
                return counts
            table = parquet.read_row_group(group, columns=columns)
            rows += table.num_rows
            for key, count in group_units(table).items():
                counts[key] = counts.get(key, 0) + count
    return counts


def group_units(table: pa.Table) -> dict[tuple[str, str], int]:
    """Numbers of each pair of code and unit in a table."""
    table = table.filter(pc.is_valid(table["numeric_value"]))
    code, codes = _dictionary(table["code"])
    if "unit" in table.column_names:
        unit, units = _dictionary(table["unit"])
    else:
        unit, units = np.zeros(table.num_rows, np.int64), [""]
    pairs, counts = np.unique(code * len(units) + unit, return_counts=True)
    return {
        (codes[pair // len(units)], units[pair % len(units)]): int(count)
        for pair, count in zip(pairs, counts, strict=True)
    }


def _dictionary(column: pa.ChunkedArray) -> tuple[np.ndarray, list[str]]:
    """Row of each value in the list of distinct ones; null counts as empty text."""
    array = column.combine_chunks()
    if not isinstance(array, pa.DictionaryArray):
        array = array.dictionary_encode()
    values = [*(str(value) for value in array.dictionary.to_pylist()), ""]
    rows = array.indices.fill_null(len(values) - 1).to_numpy(zero_copy_only=False)
    return rows.astype(np.int64), values


def code_units(events: pa.Table) -> dict[str, str]:
    """Most frequent unit of each code in a table of events; empty where it has no units."""
    return _most_frequent(group_units(events))


def read_units(files: list[Path]) -> dict[str, str]:
    """Most frequent unit of each code in the first `UNIT_ROWS` rows of the files."""
    return _most_frequent(count_units(files, UNIT_ROWS))


def _most_frequent(counts: Mapping[tuple[str, str], int]) -> dict[str, str]:
    ordered = sorted(counts, key=lambda pair: counts[pair])
    return {code: unit for code, unit in ordered if unit}


def subject_chunks(path: Path, rows: int) -> Iterator[pa.Table]:
    """Chunks of a file, of about `rows` rows, each of whole subjects.

    A file that is not sorted by subject is sorted in memory if it has at most `rows` rows; a larger
    one is a RecordError.
    """
    pending: list[pa.Table] = []
    for table in _tables(path, rows):
        pending.append(table)
        if sum(t.num_rows for t in pending) >= rows:
            whole = pa.concat_tables(pending).unify_dictionaries()
            start = _last_subject_start(whole)
            if start:
                yield whole.slice(0, start)
            pending = [whole.slice(start)]
    if pending:
        rest = pa.concat_tables(pending).unify_dictionaries()
        if rest.num_rows:
            yield rest


def _tables(path: Path, rows: int) -> Iterator[pa.Table]:
    open_events(path).close()
    parquet = pq.ParquetFile(path, read_dictionary=["code"])
    if "numeric_value" not in parquet.schema_arrow.names:
        raise RecordError(f"{path}: has no column numeric_value; `posology ingest` adds it.")
    last = None
    for batch in parquet.iter_batches(min(rows, 1_000_000), columns=list(COLUMNS)):
        table = pa.Table.from_batches([batch])
        subject = table["subject_id"].to_numpy()
        if len(subject) and (
            (np.diff(subject) < 0).any() or (last is not None and subject[0] < last)
        ):
            yield from _sorted(path, parquet, rows, last is None)
            return
        last = subject[-1] if len(subject) else last
        yield table


def _sorted(path: Path, parquet: pq.ParquetFile, rows: int, whole: bool) -> Iterator[pa.Table]:
    if not whole or parquet.metadata.num_rows > rows:
        raise RecordError(
            f"{path}: its {parquet.metadata.num_rows} rows are not in order of subject_id; "
            "`posology ingest --meds` writes them in order."
        )
    yield parquet.read(columns=list(COLUMNS)).sort_by([("subject_id", "ascending")])


def _last_subject_start(table: pa.Table) -> int:
    """Row at which the last subject of the table begins."""
    subject = table["subject_id"].to_numpy()
    return int(np.flatnonzero(subject != subject[-1])[-1]) + 1 if subject[0] != subject[-1] else 0
