"""The file of one patient: JSON, or MEDS Parquet."""

from pathlib import Path
from typing import Any

import pyarrow as pa

from posology.errors import RecordError
from posology.records.io.documents import parse_json
from posology.records.schema import COLUMN_TYPES


def read_patient(path: Path) -> pa.Table | dict[str, Any]:
    """The patient's events of a Parquet file, or the object of a JSON file."""
    return _read_meds(path) if path.suffix == ".parquet" else _read_json(path)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise RecordError(f"{path}: cannot be read ({error.strerror}).") from error
    except UnicodeDecodeError as error:
        raise RecordError(
            f"{path}: is not text in UTF-8 (byte {error.start + 1}); save it as UTF-8."
        ) from error
    if not text.strip():
        raise RecordError(f"{path}: is empty; write a form with `posology template`.")
    try:
        body = parse_json(text)
    except ValueError as error:
        raise RecordError(f"{path}: is not JSON ({error}); compare `posology template`.") from error
    if not isinstance(body, dict):
        raise RecordError(
            f"{path}: holds no patient: it must begin with {{; compare `posology template`."
        )
    return body


def _read_meds(path: Path) -> pa.Table:
    import pyarrow.parquet as pq  # a form needs none

    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise RecordError(f"{path}: cannot be read as Parquet ({error}).") from error
    table = check_events(table, str(path))
    if not len(table):
        raise RecordError(f"{path}: has 0 patients; give a file with exactly one.")
    return table


def check_events(table: pa.Table, source: str) -> pa.Table:
    """The events of a patient with times in microseconds, as MEDS has them, without a zone (UTC).

    RecordError names the column that is missing, there twice, or of another type, and says if
    there are several patients.
    """
    missing = COLUMN_TYPES.keys() - {*table.column_names}
    if missing:
        raise RecordError(f"{source}: lacks the MEDS column(s) {', '.join(sorted(missing))}.")
    for name, (expected, is_expected) in COLUMN_TYPES.items():
        if table.column_names.count(name) > 1:
            raise RecordError(f"{source}: has the column {name!r} twice; keep one.")
        kind = table.schema.field(name).type
        kind = kind.value_type if pa.types.is_dictionary(kind) else kind
        is_number = name == "numeric_value" and pa.types.is_decimal(kind)
        if not (is_number or kind == pa.null() or is_expected(kind)):
            raise RecordError(f"{source}: {name} has the type {kind}, not {expected}; convert it.")
    subjects = len(table["subject_id"].unique())
    if subjects > 1:
        raise RecordError(f"{source}: has {subjects} patients; give a file with exactly one.")
    if table["code"].null_count:
        row = table["code"].is_null().to_pylist().index(True) + 1
        raise RecordError(f"{source}: row {row}: has no code; leave the row out.")
    time = table["time"]
    is_finer = pa.types.is_timestamp(time.type) and time.type.unit == "ns"
    try:
        time = time.cast(pa.timestamp("us"), safe=not is_finer)
        time.to_pylist()
    except (pa.ArrowInvalid, OverflowError, ValueError) as error:
        raise RecordError(f"{source}: a time is in no year from 1 to 9999; correct it.") from error
    return table.set_column(table.column_names.index("time"), "time", time)
