"""CDS Hooks calls about a made-up patient, and the study that answers them."""

import copy
from typing import Any

from posology.cohorts.study.reader import parse_study
from posology.domain.study import Study

RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
PATIENT = {
    "resourceType": "Patient",
    "id": "p-1",
    "gender": "male",
    "birthDate": "1954-03-02",
    "name": [{"family": "Canary", "given": ["Zebulon"]}],
    "address": [{"line": ["1 Canary Street"]}],
    "text": {"status": "generated", "div": "<div>Zebulon Canary</div>"},
}
INSTANCE = "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea"

STUDY_TEXT = """
format = 1
name = "warfarin_start"
title = "Warfarin start"
purpose = "Which weekly dose for the first 4 weeks?"
limits = "Children."
[decision]
codes = ["REVIEW"]
which = "every"
eligible = ["MEASUREMENT//LOINC//6301-6"]
[[treatments]]
name = "low"
title = "low start"
codes = ["DRUG_PER_DAY//RXNORM//111", "DRUG//RXNORM//111"]
[[treatments]]
name = "medium"
title = "medium start"
codes = ["DRUG//RXNORM//222"]
[[treatments]]
name = "high"
title = "high start"
codes = ["DRUG//RXNORM//333"]
[given]
grace_days = 0.5
[outcome]
kind = "value_in_range"
codes = ["MEASUREMENT//LOINC//6301-6"]
unit = "{INR}"
within_days = 28
range = { at_most = 3.0 }
[reward]
source = "made up"
effective = 1.0
[profile]
families = ["SEX", "MEASUREMENT", "CONDITION", "ALLERGY", "GENOTYPE", "OBSERVATION", "DRUG"]
[split]
train = 0.6
validation = 0.2
test = 0.2
salt = "hooks"
[names]
"MEASUREMENT//LOINC//6301-6" = "INR"
"MEASUREMENT//LOINC//98979-8" = "eGFR"
"CONDITION//SNOMED//84114007" = "heart failure"
"ALLERGY//RXNORM//111" = "allergy to warfarin"
"GENOTYPE//CYP2C9" = "CYP2C9"
"OBSERVATION//CLINIC//diet" = "diet"
"""


def study() -> Study:
    """Three options with RxNorm codes."""
    return parse_study(STUDY_TEXT, "study.toml")


def call(hook: str | None = "patient-view", **changes: Any) -> dict[str, Any]:
    """A good call; a change to None leaves the key out."""
    context: dict[str, Any] = {"userId": "Practitioner/d-7", "patientId": "p-1"}
    if hook != "patient-view":
        context["draftOrders"] = {"resourceType": "Bundle", "entry": [{"resource": draft("111")}]}
    if hook == "order-select":
        context["selections"] = ["MedicationRequest/draft-111"]
    body = {
        "hook": hook,
        "hookInstance": INSTANCE,
        "context": context,
        "prefetch": {"patient": PATIENT},
        **changes,
    }
    return copy.deepcopy({key: value for key, value in body.items() if value is not None})


def draft(code: str, patient: str = "p-1") -> dict[str, Any]:
    """A draft order of a drug; without a code if it is empty."""
    order: dict[str, Any] = {
        "resourceType": "MedicationRequest",
        "id": f"draft-{code}",
        "status": "draft",
        "intent": "order",
        "subject": {"reference": f"Patient/{patient}"},
    }
    if code:
        coding = {"system": RXNORM, "code": code}
        order["medicationCodeableConcept"] = {"coding": [coding], "text": f"drug {code}"}
    return order


def searchset(*resources: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A searchset Bundle."""
    entries = [{"resource": resource} for resource in resources]
    return {"resourceType": "Bundle", "type": "searchset", "entry": entries, **more}


def observation(code: str = "6301-6", value: float = 2.4, patient: str = "p-1") -> dict[str, Any]:
    """A laboratory result."""
    return {
        "resourceType": "Observation",
        "id": f"o-{code}",
        "status": "final",
        "category": [{"coding": [{"code": "laboratory"}]}],
        "code": {"coding": [{"system": "http://loinc.org", "code": code}]},
        "subject": {"reference": f"Patient/{patient}"},
        "effectiveDateTime": "2026-11-01",
        "valueQuantity": {"value": value, "unit": "{INR}", "code": "{INR}"},
    }
