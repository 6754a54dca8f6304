"""The tester's own patient, or one read from a FHIR Bundle."""

import json
from pathlib import Path
from typing import Any

from posology.errors import UserError
from posology.records.sources.fhir.search import Resource

PATIENT = "conform-patient"
_LOINC, _SNOMED = "http://loinc.org", "http://snomed.info/sct"
_UCUM, _RXNORM = "http://unitsofmeasure.org", "http://www.nlm.nih.gov/research/umls/rxnorm"
_SUBJECT = {"reference": f"Patient/{PATIENT}"}
_WARFARIN = {
    "coding": [{"system": _RXNORM, "code": "11289", "display": "warfarin"}],
    "text": "warfarin",
}


def _observation(number: int, code: str, text: str, value: float, unit: str) -> Resource:
    return {
        "resourceType": "Observation",
        "id": f"conform-{number}",
        "status": "final",
        "code": {"coding": [{"system": _LOINC, "code": code, "display": text}]},
        "subject": _SUBJECT,
        "effectiveDateTime": f"2026-10-0{number}T08:00:00Z",
        "valueQuantity": {"value": value, "unit": unit, "system": _UCUM, "code": unit},
    }


def made_up_patient() -> list[Resource]:
    """A woman of 65 who starts warfarin for atrial fibrillation; nobody's record."""
    return [
        {
            "resourceType": "Patient",
            "id": PATIENT,
            "gender": "female",
            "birthDate": "1961-04-02",
        },
        {
            "resourceType": "Encounter",
            "id": "conform-encounter",
            "status": "in-progress",
            "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
            "subject": _SUBJECT,
            "period": {"start": "2026-10-09T08:00:00Z"},
        },
        {"resourceType": "Practitioner", "id": "conform-1", "active": True},
        {
            "resourceType": "Condition",
            "id": "conform-1",
            "code": {
                "coding": [
                    {"system": _SNOMED, "code": "49436004", "display": "Atrial fibrillation"}
                ]
            },
            "subject": _SUBJECT,
            "onsetDateTime": "2026-09-20",
        },
        _observation(1, "29463-7", "Body weight", 72.0, "kg"),
        _observation(2, "8302-2", "Body height", 166.0, "cm"),
        _observation(3, "6301-6", "INR", 1.1, "{INR}"),
        _observation(4, "33914-3", "eGFR", 74.0, "mL/min/{1.73_m2}"),
        _observation(5, "718-7", "Hemoglobin", 13.1, "g/dL"),
        draft_order(PATIENT) | {"id": "conform-current", "status": "active"},
    ]


def draft_of(resources: list[Resource]) -> Resource:
    """The order that is being chosen or signed: the record's draft, else one of warfarin."""
    drafts = (r for r in resources if r.get("resourceType") == "MedicationRequest" and is_draft(r))
    return next(drafts, draft_order(id_of(resources)))


def is_draft(resource: Resource) -> bool:
    """Whether a resource is an order that nobody has signed: no server holds it yet."""
    return resource.get("status") == "draft" and isinstance(resource.get("id"), str)


def draft_order(patient: str) -> Resource:
    """An order of warfarin."""
    return {
        "resourceType": "MedicationRequest",
        "id": "conform-order",
        "status": "draft",
        "intent": "order",
        "medicationCodeableConcept": _WARFARIN,
        "subject": {"reference": f"Patient/{patient}"},
        "authoredOn": "2026-10-09",
    }


def read_bundle(path: Path) -> list[Resource]:
    """The resources of one patient in a FHIR Bundle; UserError where it is none."""
    try:
        bundle: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read as JSON ({error}); name a FHIR Bundle.") from error
    entries = bundle.get("entry") if isinstance(bundle, dict) else None
    resources = [
        entry["resource"]
        for entry in entries or ()
        if isinstance(entry, dict) and isinstance(entry.get("resource"), dict)
    ]
    patients = [r for r in resources if r.get("resourceType") == "Patient" and r.get("id")]
    if len(patients) != 1:
        raise UserError(
            f"{path}: holds {len(patients)} Patient resources with an id; the tester plays one "
            "patient: give a FHIR Bundle with exactly one."
        )
    return resources


def id_of(resources: list[Resource]) -> str:
    """The FHIR id of the patient among these resources."""
    return next(str(r["id"]) for r in resources if r.get("resourceType") == "Patient")
