"""Synthetic FHIR resources as hospital systems export them, for `benchmarks.ingest`."""

from collections.abc import Iterator
from typing import Any

import numpy as np

LOINC, SNOMED = "http://loinc.org", "http://snomed.info/sct"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
DOSE = {
    "doseAndRate": [{"doseQuantity": {"value": 500, "code": "mg"}}],
    "timing": {"repeat": {"frequency": 2, "period": 1, "periodUnit": "d"}},
}


def coded(system: str, code: str, text: str) -> dict[str, Any]:
    """A CodeableConcept as hospital systems export it, with display and text."""
    return {"coding": [{"system": system, "code": code, "display": text}], "text": text}


def observation(category: str, code: dict[str, Any], **rest: Any) -> dict[str, Any]:
    """An Observation of this category; `rest` are its other fields."""
    concept = [{"coding": [{"code": category}]}]
    return {
        "resourceType": "Observation",
        "status": "final",
        "category": concept,
        "code": code,
        **rest,
    }


def resources(patients: int, rng: np.random.Generator) -> Iterator[dict[str, Any]]:
    """Five visits per patient, each with four laboratory values, a blood pressure, a diagnosis and
    an order."""
    quantity = {"value": 7.1, "unit": "%", "code": "%"}
    parts = [
        {"code": coded(LOINC, code, "pressure"), "valueQuantity": {"value": 120, "code": "mm[Hg]"}}
        for code in ("8480-6", "8462-4")
    ]
    pressure = coded(LOINC, "85354-9", "Blood pressure panel")
    for number in range(patients):
        ids = {"subject": {"reference": f"Patient/p-{number:08d}"}, "id": f"r-{number:08d}"}
        yield {"resourceType": "Patient", "id": f"p-{number:08d}", "birthDate": "1960-02-03"}
        for _ in range(5):
            time = f"2020-{rng.integers(1, 13):02d}-{rng.integers(1, 29):02d}T10:11:12.345+01:00"
            for code in ("4548-4", "2160-0", "2823-3", "718-7"):
                value = coded(LOINC, code, "a laboratory value")
                yield observation("laboratory", value, issued=time, valueQuantity=quantity, **ids)
            yield observation("vital-signs", pressure, issued=time, component=parts, **ids)
            diabetes = coded(SNOMED, "44054006", "Diabetes mellitus type 2")
            yield {"resourceType": "Condition", "recordedDate": time, "code": diabetes, **ids}
            yield {
                "resourceType": "MedicationRequest",
                "status": "active",
                "authoredOn": time,
                "medicationCodeableConcept": coded(RXNORM, "860975", "metformin 500 mg"),
                "dosageInstruction": [DOSE],
                **ids,
            }
