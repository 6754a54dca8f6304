"""One patient as JSON (the form that `posology template` writes) or as MEDS Parquet."""

import datetime
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from posology.errors import RecordError
from posology.records.schema import EVENTS

SUBJECT = 1
"""Subject id of the patient in a JSON file, which has no identifier."""


def read_patient(path: Path) -> pa.Table:
    """The patient's events, in the schema EVENTS; RecordError names the field and the value."""
    if path.suffix == ".parquet":
        return _read_meds(path)
    try:
        body = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        raise RecordError(f"{path}: cannot be read ({error}).") from error
    except ValueError as error:
        raise RecordError(f"{path}: is not JSON ({error}); compare `posology template`.") from error
    return parse_patient(body, str(path))


def parse_patient(body: object, source: str) -> pa.Table:
    """The events of a patient in the form of `posology template`; errors start with `source`."""
    if not isinstance(body, dict) or not isinstance(body.get("facts"), dict):
        raise RecordError(
            f'{source}: has no "facts" object; write one with `posology template STUDY`.'
        )
    facts = body["facts"].items()
    rows = [row for code, value in facts for row in _fact_rows(source, code, value)]
    for number, event in enumerate(body.get("events") or [], start=1):
        rows.append(_event_row(f"{source}: event {number}", event))
    if not rows:
        raise RecordError(
            f"{source}: nothing is known of this patient (every fact is null); fill in at least "
            "one."
        )
    return pa.Table.from_pylist(rows, schema=EVENTS)


def _fact_rows(path: str, code: str, value: object) -> list[dict]:
    """Events of one fact: none if it is null or false; a number, a text, or a list of values."""
    if value is None or value is False:
        return []
    if isinstance(value, list):
        return [row for item in value for row in _fact_rows(path, code, item)]
    if value is True:
        return [_row(code, None)]
    if isinstance(value, int | float):
        return [_row(code, float(value))]
    if isinstance(value, str) and value.strip():
        return [_row(f"{code}//{value.strip()}", None)]
    raise RecordError(
        f"{path}: fact `{code}` is {value!r}; write null, a number, a text, true or a list of them."
    )


def _event_row(place: str, event: object) -> dict:
    if not isinstance(event, dict) or not isinstance(event.get("code"), str):
        raise RecordError(f'{place}: needs a text "code", and optionally "time" and "value".')
    value, time = event.get("value"), event.get("time")
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise RecordError(f"{place} ({event['code']}): value {value!r} is not a number.")
    try:
        moment = None if time is None else datetime.datetime.fromisoformat(time)
    except (TypeError, ValueError) as error:
        raise RecordError(
            f"{place} ({event['code']}): time {time!r} is not a date such as 2026-03-01T09:30."
        ) from error
    if moment is not None and moment.tzinfo is not None:
        moment = moment.astimezone(datetime.UTC).replace(tzinfo=None)
    return {**_row(event["code"], value), "time": moment}


def _row(code: str, value: float | None) -> dict:
    return {
        "subject_id": SUBJECT,
        "time": None,
        "code": code,
        "numeric_value": value,
        "text_value": None,
        "unit": None,
    }


def _read_meds(path: Path) -> pa.Table:
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
