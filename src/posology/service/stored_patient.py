"""A patient of a stored answer, as it was asked about."""

import datetime
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from posology.records.schema import EVENTS
from posology.workflows.patient import Patient


def stored_patient(given: Mapping[str, Any], at: str) -> tuple[Patient, str | None]:
    """A stored patient as `recommend` takes it, and the decision where the form has it not."""
    if "facts" in given:
        return dict(given), None if given.get("decision") else at
    rows = [
        row
        | {
            "subject_id": 1,
            "time": None if row["time"] is None else datetime.datetime.fromisoformat(row["time"]),
        }
        for row in given["events"]
    ]
    return pa.Table.from_pylist(rows, schema=EVENTS), at
