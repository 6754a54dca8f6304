"""Facts under a study's own codes as resources, by the standard codes that the study names.

The demonstration's record system sends what a real one would: a birth date for a decade of age, a
weight under its LOINC code. Facts that no standard code names stay behind.
"""

import datetime
from collections.abc import Sequence
from typing import Any

from posology.domain.standard_facts import AGE_DECADES, AGE_YEARS, NUMBER, StandardFact

Json = dict[str, Any]
DAYS_AGO = 30
"""Days since facts without a date were recorded, in the demonstration."""
_LOINC = "http://loinc.org"
_RACE = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-race"
_OMB = {
    "Asian": "2028-9",
    "Black_or_African_American": "2054-5",
    "White": "2106-3",
}
_ALLELES = {"rs9923231": ("C", "T")}
"""Reference and alternate allele in dbSNP, by the variant of VKORC1 that studies here know."""


def person_element(row: Json, spec: StandardFact | None, today: datetime.date) -> Json:
    """What a fact says of the Patient resource itself; nothing of most facts."""
    value, code = row["numeric_value"], spec.sent_as[0] if spec else str(row["code"])
    if spec is not None and spec.how in (AGE_DECADES, AGE_YEARS) and value is not None:
        years = 10 * value + 5 if spec.how == AGE_DECADES else value
        return {"birthDate": f"{today.year - int(years)}-01-01"}
    family, _, name = code.partition("//")
    if family == "RACE" and name in _OMB:
        coding = {"system": "urn:oid:2.16.840.1.113883.6.238", "code": _OMB[name]}
        part = {"url": "ombCategory", "valueCoding": coding}
        return {"extension": [{"url": _RACE, "extension": [part]}]}
    return {}


def sent_row(row: Json, spec: StandardFact | None, today: datetime.date) -> Json:
    """The event as it would be of a system that uses standard codes; itself if none is named."""
    if spec is None:
        return row
    code = spec.codes[0]
    is_order = code.startswith("DRUG//") and code.count("//") == 2
    time = row["time"] or days_ago(today)
    unit = spec.unit if spec.how == NUMBER else row.get("unit")
    return {**row, "code": f"{code}//ordered" if is_order else code, "time": time, "unit": unit}


def days_ago(today: datetime.date) -> datetime.datetime:
    """When facts without a date were recorded."""
    moment = datetime.datetime(today.year, today.month, today.day)  # noqa: DTZ001 - as MEDS
    return moment - datetime.timedelta(days=DAYS_AGO)


def spec_of(code: str, standard: Sequence[StandardFact]) -> StandardFact | None:
    """How other systems send the fact with this code."""
    return next((spec for spec in standard if spec.fact == code), None)


def genotype(ident: str, patient: str, code: str, when: str) -> Json | None:
    """A genotype as an Observation (HL7 genomics reporting); None if its variant is not known."""
    _, gene, value = code.split("//")
    name, _, rsid = gene.partition("_")
    body: Json = {
        "resourceType": "Observation",
        "id": ident,
        "status": "final",
        "subject": {"reference": f"Patient/{patient}"},
        "effectiveDateTime": when,
        "component": [_component("48018-6", {"text": name})],
    }
    if not rsid:
        return body | {"code": _loinc("84413-4"), "valueCodeableConcept": {"text": value}}
    if rsid not in _ALLELES:
        return None
    reference, alternate = _ALLELES[rsid]
    copies = value.split("/").count(alternate)
    body["component"] += [
        _component("81252-9", {"coding": [{"code": rsid}]}),
        _component("69547-8", {"text": reference}),
    ]
    if copies:
        state = "LA6706-1" if copies == 1 else "LA6705-3"
        body["component"] += [
            _component("69551-0", {"text": alternate}),
            _component("53034-5", {"coding": [{"system": _LOINC, "code": state}]}),
        ]
    present = {"coding": [{"system": _LOINC, "code": "LA9633-4" if copies else "LA9634-2"}]}
    return body | {"code": _loinc("69548-6"), "valueCodeableConcept": present}


def _loinc(code: str) -> Json:
    return {"coding": [{"system": _LOINC, "code": code}]}


def _component(code: str, value: Json) -> Json:
    return {"code": _loinc(code), "valueCodeableConcept": value}
