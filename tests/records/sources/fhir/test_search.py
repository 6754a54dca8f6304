"""Templates filled, and reads and searches answered from one patient's resources."""

import pytest

from posology.conformance.calls.patient import PATIENT, made_up_patient
from posology.records.sources.fhir.search import answer_query, fill_template

CONTEXT = {"userId": "Practitioner/p1", "patientId": "x", "selections": ["A/1"]}


@pytest.mark.parametrize(
    ("template", "filled"),
    [
        ("Patient/{{context.patientId}}", "Patient/x"),
        ("Practitioner/{{ userPractitionerId }}", "Practitioner/p1"),
        ("Patient/{{userPatientId}}", None),
        ("Encounter/{{context.encounterId}}", None),
        ("MedicationRequest?_id={{context.selections}}", None),
        ("Patient/1", "Patient/1"),
    ],
)
def test_a_template_is_filled_or_left_out(template: str, filled: str | None) -> None:
    assert fill_template(template, CONTEXT) == filled


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("Observation?patient=x&code=http://loinc.org|29463-7", ["conform-1"]),
        ("Observation?patient=x&code=29463-7,8302-2", ["conform-1", "conform-2"]),
        ("Observation?patient=x&_sort=-date&_count=2", ["conform-5", "conform-4"]),
        ("MedicationRequest?status=active&_count=%C2%B2", ["conform-current"]),
        (f"MedicationRequest?status=active&_count={'9' * 5_000}", ["conform-current"]),
        ("MedicationRequest?status=active", ["conform-current"]),
        ("MedicationRequest?code=11289", ["conform-current"]),
        ("AllergyIntolerance?patient=x", []),
    ],
)
def test_a_search_finds(query: str, ids: list[str]) -> None:
    bundle = answer_query(query, made_up_patient())
    assert bundle is not None
    assert bundle["total"] == len(ids)
    assert [entry["resource"]["id"] for entry in bundle.get("entry", [])] == ids


def test_a_read_finds_the_resource_or_nothing() -> None:
    patient = answer_query(f"Patient/{PATIENT}", made_up_patient())
    assert patient is not None
    assert patient["birthDate"] == "1961-04-02"
    assert answer_query("Patient/other", made_up_patient()) is None
