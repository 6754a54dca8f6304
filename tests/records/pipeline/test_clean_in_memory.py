"""Cleaning in memory and cleaning by an ingest give the same events and the same rejections."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from posology.errors import RecordError
from posology.workflows.patient import read_given

LOINC, RXNORM = "http://loinc.org", "http://www.nlm.nih.gov/research/umls/rxnorm"


def lab(code: str, value: Any, unit: str | None, when: str = "2026-03-01", **more: Any) -> Any:
    quantity = {"value": value, **({} if unit is None else {"unit": unit, "code": unit})}
    return {
        "resourceType": "Observation",
        "id": "o",
        "status": "final",
        "category": [{"coding": [{"code": "laboratory"}]}],
        "subject": {"reference": "Patient/7"},
        "code": {"coding": [{"system": LOINC, "code": code}]},
        "effectiveDateTime": when,
        **({"valueQuantity": quantity} if "valueString" not in more else {}),
        **more,
    }


def coded(kind: str, system: str, code: str, when: str) -> Any:
    concept = {"coding": [{"system": system, "code": code}]} if code else {"text": "free words"}
    return {
        "resourceType": kind,
        "subject": {"reference": "Patient/7"},
        "code": concept,
        "recordedDate": when,
    }


def order(code: str, amount: float, unit: str, reference: bool = False) -> Any:
    drug: Any = {"medicationCodeableConcept": {"coding": [{"system": RXNORM, "code": code}]}}
    if reference:
        drug = {"medicationReference": {"reference": f"Medication/{code}"}}
    return {
        "resourceType": "MedicationRequest",
        "status": "active",
        "intent": "order",
        "subject": {"reference": "Patient/7"},
        "authoredOn": "2026-02-01",
        "dosageInstruction": [
            {
                "doseAndRate": [{"doseQuantity": {"value": amount, "unit": unit, "code": unit}}],
                "timing": {"repeat": {"frequency": 2, "period": 1, "periodUnit": "d"}},
            }
        ],
        **drug,
    }


RESOURCES = [
    {"resourceType": "Patient", "id": "7", "gender": "female", "birthDate": "1950-05-05"},
    {"resourceType": "Patient", "id": "7", "gender": "female", "birthDate": "1951-05-05"},
    lab("2160-0", 88, "umol/L"),
    lab("2160-0", 88, "umol/L"),  # an exact duplicate
    lab("2160-0", 1.2, "mg/dL"),
    lab("2160-0", 1.2, None),
    lab("2160-0", 9_999_999, "umol/L"),  # out of range
    lab("29463-7", 176, "[lb_av]"),
    lab("29463-7", 80, "metres"),  # cannot be converted
    lab("59261-8", "7,5", "%"),
    lab("4548-4", 0, None, valueString="<5.1"),
    lab("4548-4", 0, None, valueString="≥5.2"),
    lab("4548-4", 0, None, valueString="1,200"),
    lab("4548-4", 0, None, valueString="02139"),
    lab("59261-8", 50, "mmol/mol", when="1930-01-01"),  # before birth
    lab("59261-8", 50, "mmol/mol", when="1700-01-01"),  # impossible
    lab("59261-8", 50, "mmol/mol", when="2026-03"),
    lab("59261-8", 1e300, "mmol/mol"),
    lab("1-1", 50, "mmol/mol", when="not a day"),
    coded("Condition", "http://snomed.info/sct", "84114007", "2020-01-01"),
    coded("Condition", "http://hl7.org/fhir/sid/icd-10", "e11.9", "2020-01-01"),
    coded("Condition", "", "", "2020-01-01"),  # free text
    order("111", 500, "mg"),
    order("111", 0.5, "g"),
    order("222", 5, "mg", reference=True),
    order("333", 5, "mg", reference=True),  # its Medication is not there
    {
        "resourceType": "Medication",
        "id": "222",
        "code": {"coding": [{"system": RXNORM, "code": "222"}]},
    },
    {"resourceType": "Slot", "id": "1"},
    {"resourceType": "Observation"},
    {},
]


def bundle(*resources: Any) -> dict[str, Any]:
    entries = [{"resource": one} for one in resources]
    return {"resourceType": "Bundle", "type": "collection", "entry": entries}


DEAD = {"resourceType": "Patient", "id": "7", "deceasedDateTime": "2026-03-15"}


def test_memory_and_ingest_agree(tmp_path: Path) -> None:
    late = lab("59261-8", 50, "mmol/mol", when="2026-06-01")
    body = bundle(*RESOURCES, DEAD, late)
    path = tmp_path / "bundle.json"
    path.write_text(json.dumps(body))
    from_file, from_memory = read_given(path), read_given(body)
    assert isinstance(from_file, tuple)
    assert isinstance(from_memory, tuple)
    assert rows(from_memory[0]) == rows(from_file[0])
    assert from_memory[0].schema == from_file[0].schema
    assert sorted(from_memory[1]) == sorted(from_file[1])
    assert len(from_memory[1]) >= 9


def rows(table: pa.Table) -> list[dict[str, Any]]:
    return table.to_pylist()


def test_a_resource_alone_is_read_and_nothing_is_refused() -> None:
    given = read_given(RESOURCES[0])
    assert isinstance(given, tuple)
    assert [row["code"] for row in rows(given[0])] == ["SEX//female", "MEDS_BIRTH"]
    with pytest.raises(RecordError, match=r"patient: nothing of it could be read \(it has no res"):
        read_given(bundle())
    with pytest.raises(RecordError, match=r"patient: nothing of it could be read \(resources of"):
        read_given(bundle({"resourceType": "Slot"}))


def test_what_cannot_be_right_of_a_patient_is_named_with_its_number_or_date() -> None:
    """`1 entry: the value is outside the plausible limits` did not say which fact to correct."""
    weight, height = lab("29463-7", -80, "kg"), lab("8302-2", 1.8, "cm", "2300-03-01")
    patient = {"resourceType": "Patient", "id": "7", "gender": "male"}
    entries = [{"resource": one} for one in (patient, weight, height)]
    body = {"resourceType": "Bundle", "type": "collection", "entry": entries}
    assert sorted(read_given(body)[1]) == [
        "Given but not read: 1 entry of the FHIR file: the value is outside the code's plausible "
        "limits: Body weight -80 kg.",
        "Given but not read: 1 entry of the FHIR file: the year is outside those an event can lie "
        "in: Body height of 2300-03-01.",
    ]


def test_no_engine_is_loaded_for_one_patient() -> None:
    """Ibis and DuckDB take 28 MB of each process of a service."""
    code = (
        "import sys; from posology.workflows.patient import read_given; "
        "read_given({'resourceType': 'Patient', 'id': '1', 'gender': 'male'}); "
        "print(sorted({'ibis', 'duckdb'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
