"""A patient's events as FHIR are read back as the same events."""

import datetime
from typing import Any

import pyarrow as pa

from posology.service.ehr.record import draft_order, resources_of
from posology.workflows.patient import read_given

SEEN = datetime.datetime(2026, 11, 1, 8)  # noqa: DTZ001 - MEDS times have no zone
ROWS: list[tuple[str, datetime.datetime | None, float | None, str | None]] = [
    ("MEDS_BIRTH", datetime.datetime(1951, 4, 2), None, None),  # noqa: DTZ001
    ("SEX//female", None, None, None),
    ("MEASUREMENT//LOINC//59261-8", SEEN, 61.0, "mmol/mol"),
    ("OBSERVATION//LOINC//72166-2//SNOMED//77176002", SEEN, None, None),
    ("CONDITION//SNOMED//44054006", SEEN, None, None),
    ("PROCEDURE//SNOMED//394725008", SEEN, None, None),
    ("DRUG//RXNORM//6809//ordered", SEEN, None, None),
    ("DRUG_PER_DAY//RXNORM//6809//ordered", SEEN, 1000.0, "mg/d"),
]
OWN = [
    ("OBSERVATION//CLINIC//diet_score", SEEN, 4.0, None),
    ("OBSERVATION//LOINC//72166-2//OWN//1", SEEN, None, None),
]


def table(rows: list[Any]) -> pa.Table:
    codes, times, values, units = zip(*rows, strict=True)
    return pa.table(
        {
            "subject_id": [1] * len(rows),
            "time": pa.array(times, pa.timestamp("us")),
            "code": list(codes),
            "numeric_value": pa.array(values, pa.float32()),
            "unit": pa.array(units, pa.string()),
        }
    )


def test_what_was_written_is_read_back() -> None:
    resources, left_out = resources_of("demo-01", table(ROWS + OWN))
    assert left_out == len(OWN)
    bundle = {"resourceType": "Bundle", "entry": [{"resource": r} for r in resources]}
    given = read_given(bundle)
    assert isinstance(given, tuple)
    events, not_read = given
    assert not_read == ()
    found = {(r["code"], r["time"], r["numeric_value"]) for r in events.to_pylist()}
    wanted = {
        (code, time, 1000.0 if code.startswith("DRUG//") else value)
        for code, time, value, _ in ROWS
    }
    assert wanted <= found
    orders = [r for r in resources if r["resourceType"] == "MedicationRequest"]
    assert len(orders) == 1


def test_a_draft_needs_a_code_that_fhir_knows() -> None:
    order = draft_order("p", ("DRUG//RXNORM//25789",), "glimepiride")
    assert order is not None
    assert order["medicationCodeableConcept"]["coding"][0]["code"] == "25789"
    assert draft_order("p", ("DRUG//OWN//1",), "own") is None
    other = draft_order("p", (), "other")
    assert other is not None
    assert other["medicationCodeableConcept"]["text"] == "amoxicillin"
