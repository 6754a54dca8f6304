"""A patient's events as FHIR R4 resources, as far as their codes belong to systems of FHIR."""

import datetime
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from posology.domain.standard_facts import StandardFact
from posology.records.sources.fhir.coding import SYSTEMS
from posology.service.ehr.own_facts import (
    days_ago,
    genotype,
    person_element,
    sent_row,
    spec_of,
)
from posology.service.fhir.medication_request import drug_of

Json = dict[str, Any]
_UCUM = "http://unitsofmeasure.org"
_ADDRESSES = {name: address for address, name in reversed(SYSTEMS.items())}
_KINDS = {
    "MEASUREMENT": "Observation",
    "OBSERVATION": "Observation",
    "CONDITION": "Condition",
    "PROCEDURE": "Procedure",
    "DRUG": "MedicationRequest",
    "DRUG_PER_DAY": "MedicationRequest",
}
OTHER_DRUG = ("http://www.nlm.nih.gov/research/umls/rxnorm", "723", "amoxicillin")
"""A drug that no study here is about."""


def resources_of(
    patient: str, events: pa.Table, standard: Sequence[StandardFact] = ()
) -> tuple[list[Json], int]:
    """The resources, and how many events have no code that FHIR knows: those are not sent.

    Args:
        standard: the standard codes of facts that the study has under codes of its own.
    """
    person: Json = {"resourceType": "Patient", "id": patient}
    resources, left_out = [person], 0
    today = datetime.datetime.now(datetime.UTC).date()
    given = [(row, spec_of(row["code"], standard)) for row in events.to_pylist()]
    rows = []
    for row, spec in given:
        element = person_element(row, spec, today)
        person |= element
        rows += [] if element else [sent_row(row, spec, today)]
    daily = {(_drug(row), row["time"]) for row in rows if row["code"].startswith("DRUG_PER_DAY//")}
    for number, row in enumerate(rows):
        family, *rest = str(row["code"]).split("//")
        time = row["time"]
        if family == "SEX" and rest:
            person["gender"] = rest[0].lower() if rest[0].lower() in _GENDERS else "unknown"
        elif family == "MEDS_BIRTH" and time is not None:
            person["birthDate"] = f"{time:%Y-%m-%d}"
        elif family == "GENOTYPE" and len(rest) == 2:
            when = f"{time or days_ago(today):%Y-%m-%d}"
            made = genotype(f"{patient}-{number}", patient, str(row["code"]), when)
            resources += [made] if made else []
            left_out += made is None
        elif family == "DRUG" and (_drug(row), row["time"]) in daily:
            continue  # the order with its daily dose says both
        elif family in _KINDS and _is_coded(family, rest):
            resources.append(_resource(f"{patient}-{number}", patient, row))
        else:
            left_out += 1
    return resources, left_out


def record_bundle(patient: str, events: pa.Table, standard: Sequence[StandardFact]) -> Json:
    """The whole record of a patient, as a call of the record system would bring it together."""
    resources, _ = resources_of(patient, events, standard)
    entries = [{"resource": resource} for resource in resources]
    return {"resourceType": "Bundle", "type": "collection", "entry": entries}


_GENDERS = frozenset({"male", "female", "other"})


def _is_coded(family: str, rest: list[str]) -> bool:
    """Whether code, and answer where there is one, belong to systems that FHIR knows."""
    systems = rest[:1] if family.startswith("DRUG") else rest[0:4:2]
    return len(rest) >= 2 and all(name in _ADDRESSES for name in systems)


def _drug(row: Json) -> tuple[str, ...]:
    """Code system and code of a drug's event."""
    return tuple(str(row["code"]).split("//")[1:3])


def _resource(ident: str, patient: str, row: Json) -> Json:
    family, system, code, *answer = row["code"].split("//")
    coding = _concept(system, code)
    resource: Json = {
        "resourceType": _KINDS[family],
        "id": ident,
        "subject": {"reference": f"Patient/{patient}"},
    }
    when = None if row["time"] is None else row["time"].replace(tzinfo=datetime.UTC).isoformat()
    value = row["numeric_value"]
    if family in {"MEASUREMENT", "OBSERVATION"}:
        group = "laboratory" if family == "MEASUREMENT" else "social-history"
        resource |= {"status": "final", "code": coding, "effectiveDateTime": when}
        resource["category"] = [{"coding": [{"code": group}]}]
        if len(answer) == 2:
            resource["valueCodeableConcept"] = _concept(*answer)
        elif value is not None:
            resource["valueQuantity"] = _quantity(value, row.get("unit"))
    elif family in {"DRUG", "DRUG_PER_DAY"}:
        resource |= {"status": "active", "intent": "order", "authoredOn": when}
        resource["medicationCodeableConcept"] = coding
        if family == "DRUG_PER_DAY" and value is not None:
            resource["dosageInstruction"] = [_daily(value, str(row.get("unit") or ""))]
    elif family == "CONDITION":
        resource |= {"code": coding, "onsetDateTime": when, "recordedDate": when}
    else:
        resource |= {"status": "completed", "code": coding, "performedDateTime": when}
    return {name: one for name, one in resource.items() if one is not None}


def _concept(system: str, code: str) -> Json:
    return {"coding": [{"system": _ADDRESSES[system], "code": code}]}


def _daily(value: float, unit: str) -> Json:
    """A dose once a day, of a unit such as `mg/d`."""
    dose = {"doseQuantity": _quantity(value, unit.removesuffix("/d"))}
    repeat = {"frequency": 1, "period": 1, "periodUnit": "d"}
    return {"timing": {"repeat": repeat}, "doseAndRate": [dose]}


def _quantity(value: float, unit: object) -> Json:
    quantity: Json = {"value": round(float(value), 4)}
    if isinstance(unit, str) and unit:
        quantity |= {"unit": unit, "system": _UCUM, "code": unit}
    return quantity


def draft_order(patient: str, codes: tuple[str, ...], title: str) -> Json | None:
    """A draft order of the drug with these study codes; of another drug where there are none."""
    if codes:
        drug = drug_of(codes, title)
        if drug is None:
            return None
        concept = drug.concept()
    else:
        system, code, text = OTHER_DRUG
        concept = {"coding": [{"system": system, "code": code}], "text": text}
    now = datetime.datetime.now(datetime.UTC)
    return {
        "resourceType": "MedicationRequest",
        "id": "draft-1",
        "status": "draft",
        "intent": "order",
        "medicationCodeableConcept": concept,
        "subject": {"reference": f"Patient/{patient}"},
        "authoredOn": now.isoformat(timespec="seconds"),
    }
