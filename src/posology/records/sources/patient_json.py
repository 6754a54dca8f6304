"""The file of one patient: JSON, or MEDS Parquet."""

from pathlib import Path
from typing import Any

import pyarrow as pa

from posology.errors import RecordError
from posology.records.io.documents import parse_json


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
    missing = {"subject_id", "time", "code", "numeric_value"} - set(table.column_names)
    if missing:
        raise RecordError(f"{path}: lacks the MEDS column(s) {', '.join(sorted(missing))}.")
    subjects = table["subject_id"].unique()
    if len(subjects) != 1:
        raise RecordError(f"{path}: has {len(subjects)} patients; give a file with exactly one.")
    return table
