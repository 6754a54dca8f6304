"""Dispenses, relatives, Bundles in Bundles, and code systems named by OID."""

import json
from pathlib import Path

from posology.records.batching import combine_batches
from posology.records.schema import Batch
from posology.records.sources.fhir.reader import read_fhir

PATIENT = {"subject": {"reference": "Patient/7"}}
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"


def read(tmp_path: Path, *resources: dict) -> Batch:
    (tmp_path / "a.ndjson").write_text("\n".join(map(json.dumps, resources)))
    return combine_batches(read_fhir([tmp_path / "a.ndjson"]))


def coded(system: str, code: str) -> dict:
    return {"coding": [{"system": system, "code": code}]}


def events(batch: Batch) -> list[tuple]:
    rows = batch.events.to_pylist()
    return [(str(e["time"])[:10], e["code"], e["numeric_value"], e["unit"]) for e in rows]


def test_a_dispense_is_a_drug_with_its_dose_per_day(tmp_path: Path) -> None:
    drug = {
        "resourceType": "MedicationDispense",
        **PATIENT,
        "status": "completed",
        "whenHandedOver": "2020-01-03",
        "medicationCodeableConcept": coded(RXNORM, "6809"),
        "dosageInstruction": [
            {
                "timing": {"repeat": {"frequency": 2, "period": 1, "periodUnit": "d"}},
                "doseAndRate": [{"doseQuantity": {"value": 500, "code": "mg"}}],
            }
        ],
    }
    batch = read(tmp_path, drug, {**drug, "status": "declined"})
    assert events(batch) == [
        ("2020-01-03", "DRUG//RXNORM//6809//dispensed", 500.0, "mg"),
        ("2020-01-03", "DRUG_PER_DAY//RXNORM//6809//dispensed", 1000.0, "mg/d"),
    ]
    assert batch.rejected["reason"].to_pylist() == [
        "MedicationDispense of this status did not happen or is not valid"
    ]


def test_conditions_of_relatives_are_events_of_the_patient(tmp_path: Path) -> None:
    role = "http://terminology.hl7.org/CodeSystem/v3-RoleCode"
    history = {
        "resourceType": "FamilyMemberHistory",
        "patient": {"reference": "Patient/7"},
        "status": "completed",
        "date": "2020-02-01",
        "relationship": coded(role, "FTH"),
        "condition": [{"code": coded("http://snomed.info/sct", "73211009")}, {"code": {}}],
    }
    batch = read(tmp_path, history, {**history, "condition": []})
    assert events(batch) == [("2020-02-01", "FAMILY_HISTORY//SNOMED//73211009//FTH", None, None)]
    assert sorted(batch.rejected["reason"].to_pylist()) == [
        "a relative without a condition",
        "has neither code nor text",
    ]


def test_bundles_in_bundles_are_read_and_medications_in_them_found(tmp_path: Path) -> None:
    patient = {"resourceType": "Patient", "id": "7", "birthDate": "1950-01-02"}
    drug = {"resourceType": "Medication", "id": "m", "code": coded(RXNORM, "6809")}
    order = {
        "resourceType": "MedicationRequest",
        "subject": {"reference": "urn:uuid:1"},
        "authoredOn": "2020-01-03",
        "medicationReference": {"reference": "Medication/m"},
    }
    inner = {"resourceType": "Bundle", "entry": [{"resource": order}, {"resource": drug}, {}]}
    outer = {
        "resourceType": "Bundle",
        "entry": [{"fullUrl": "urn:uuid:1", "resource": patient}, {"resource": inner}],
    }
    batch = read(tmp_path, outer)
    assert events(batch) == [
        ("1950-01-02", "MEDS_BIRTH", None, None),
        ("2020-01-03", "DRUG//RXNORM//6809//ordered", None, None),
    ]
    assert set(batch.events["subject_id"].to_pylist()) == {7}
    assert batch.rows == 4
    assert sorted(batch.rejected["reason"].to_pylist()) == [
        "an entry without a resource",
        "read when a MedicationRequest or similar resource refers to it",
    ]


def test_code_systems_are_known_by_their_oid(tmp_path: Path) -> None:
    oids = {
        **{"2.16.840.1.113883.6.1": "LOINC", "2.16.840.1.113883.6.96": "SNOMED"},
        **{"2.16.840.1.113883.6.90": "ICD10CM", "2.16.840.1.113883.12.292": "CVX"},
    }
    resources = [
        {
            "resourceType": "Condition",
            **PATIENT,
            "recordedDate": "2020-01-01",
            "code": coded(f"urn:oid:{oid}", "X1"),
        }
        for oid in oids
    ]
    batch = read(tmp_path, *resources)
    assert [code for _, code, *_ in events(batch)] == [
        f"CONDITION//{name}//X1" for name in oids.values()
    ]


COVERAGE = {
    # HL7's example 9876B1 (hl7.org/fhir/R4/coverage-example.json), without its narrative
    "resourceType": "Coverage",
    "id": "9876B1",
    "identifier": [{"system": "http://benefitsinc.com/certificate", "value": "12345"}],
    "status": "active",
    "type": coded("http://terminology.hl7.org/CodeSystem/v3-ActCode", "EHCPOL"),
    "policyHolder": {"reference": "http://benefitsinc.com/FHIR/Organization/CBI35"},
    "subscriber": {"reference": "Patient/4"},
    "beneficiary": {"reference": "Patient/4"},
    "dependent": "0",
    "relationship": {"coding": [{"code": "self"}]},
    "period": {"start": "2011-05-23", "end": "2012-05-23"},
    "payor": [{"reference": "Organization/2"}],
}


def test_a_coverage_is_an_observation_period_of_its_beneficiary(tmp_path: Path) -> None:
    batch = read(tmp_path, COVERAGE, {**COVERAGE, "status": "cancelled"})
    rows = [(e["subject_id"], str(e["time"]), e["code"]) for e in batch.events.to_pylist()]
    assert rows == 2 * [
        (4, "2011-05-23 00:00:00", "OBSERVATION_PERIOD//START"),
        (4, "2012-05-23 23:59:59", "OBSERVATION_PERIOD//END"),
    ]
    still = read(tmp_path, {**COVERAGE, "period": {"start": "2011-05-23"}})
    assert still.events["code"].to_pylist() == ["OBSERVATION_PERIOD//START"]


def test_a_coverage_that_was_never_in_force_or_has_no_readable_period_is_rejected(tmp_path) -> None:
    periods = ({}, {"end": "2012"}, {"start": "2012", "end": "2011"}, {"start": "2012", "end": "x"})
    unusable = [{**COVERAGE, "status": status} for status in ("draft", "entered-in-error")]
    batch = read(tmp_path, *unusable, *({**COVERAGE, "period": period} for period in periods))
    assert batch.events.num_rows == 0
    missing = "is missing: when the coverage began is unknown"
    assert batch.rejected["reason"].to_pylist() == [
        *2 * ["Coverage of this status did not happen or is not valid"],
        *2 * [missing],
        "period.end lies before period.start",
        "period.end is not a date",
    ]
