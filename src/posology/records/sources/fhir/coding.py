"""FHIR data types that resources share: codes, quantities, times and references.

The functions do not check a resource's shape. A malformed resource raises AttributeError,
TypeError, KeyError or ValueError, and `read_fhir` rejects it with that reason.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from posology.records.batching import code_part
from posology.records.io.times import parse_time
from posology.records.schema import Event, Rejection, finite_number
from posology.records.sources.code_book import CodeBook

Json = dict[str, Any]

SYSTEMS = {
    # canonical addresses of HL7's terminology (terminology.hl7.org) -> names as OMOP writes them
    "http://loinc.org": "LOINC",
    "http://snomed.info/sct": "SNOMED",
    "http://www.nlm.nih.gov/research/umls/rxnorm": "RXNORM",
    "http://www.whocc.no/atc": "ATC",
    "http://hl7.org/fhir/sid/icd-10-cm": "ICD10CM",
    "http://hl7.org/fhir/sid/icd-10": "ICD10",
    "http://hl7.org/fhir/sid/icd-9-cm": "ICD9CM",
    "http://hl7.org/fhir/sid/cvx": "CVX",
    "http://hl7.org/fhir/sid/ndc": "NDC",
    "http://www.ama-assn.org/go/cpt": "CPT4",
    "http://www.genenames.org": "HGNC",
    "http://unitsofmeasure.org": "UCUM",
    "http://terminology.hl7.org/CodeSystem/v3-ActCode": "ACT",
    "urn:oid:2.16.840.1.113883.6.238": "CDCREC",
    "http://www.nlm.nih.gov/research/umls/hcpcs": "HCPCS",
    "http://www.cms.gov/Medicare/Coding/ICD10": "ICD10PCS",
}
OIDS = {
    # HL7's registry of object identifiers (hl7.org/oid), all beginning with 2.16.840.1.113883
    "6.1": "LOINC",
    "6.96": "SNOMED",
    "6.88": "RXNORM",
    "6.73": "ATC",
    "6.90": "ICD10CM",
    "6.3": "ICD10",
    "6.103": "ICD9CM",
    "6.4": "ICD10PCS",
    "6.69": "NDC",
    "6.12": "CPT4",
    "6.8": "UCUM",
    "6.285": "HCPCS",
    "6.281": "HGNC",
    "12.292": "CVX",
    "5.4": "ACT",
}
"""Code systems by the end of their OID, which CDA and older systems send instead of addresses."""
SYSTEMS |= {f"urn:oid:2.16.840.1.113883.{end}": name for end, name in OIDS.items()}


@dataclass(frozen=True, slots=True, eq=False)
class Context:
    """What an extractor needs in addition to the resource."""

    zone: ZoneInfo
    book: CodeBook
    medications: dict[str, Json] = field(default_factory=dict)
    """CodeableConcept of each Medication, by its id."""
    addresses: dict[str, str] = field(default_factory=dict)
    """`Type/id` of each entry of the Bundle being read, by its fullUrl."""


Extractor = Callable[[Json, Context, list[Event], list[Rejection]], None]
"""Appends a resource's events and rejections; raises an error if the resource is malformed."""


def concept_code(concept: Json | None) -> str | None:
    """`SYSTEM//code` of a CodeableConcept, preferring known systems; its text if it has no code."""
    if not concept:
        return None
    fallback = None
    for coding in concept.get("coding") or ():
        code = coding.get("code")
        if not code:
            continue
        system = SYSTEMS.get(coding.get("system"))
        if system is not None:
            return f"{system}//{code_part(code)}"
        fallback = fallback or f"{_system_name(coding.get('system'))}//{code_part(code)}"
    if fallback is not None:
        return fallback
    text = code_part(concept_text(concept) or "").lower()
    return f"TEXT//{text}" if text else None


def concept_text(concept: Json) -> str | None:
    """The text of a CodeableConcept, or the display of its first coding that has one."""
    if concept.get("text"):
        return str(concept["text"])
    for coding in concept.get("coding") or ():
        if coding.get("display"):
            return str(coding["display"])
    return None


def has_code(concept: Json | None, codes: frozenset[str]) -> bool:
    """Whether any coding of the concept is one of the codes."""
    return bool(concept) and any(c.get("code") in codes for c in concept.get("coding") or ())


def _system_name(system: str | None) -> str:
    """A name for a code system that SYSTEMS does not have: the end of its address."""
    name = (system or "LOCAL").rstrip("/").replace(":", "/").rsplit("/", 1)[-1]
    return code_part(name).upper() or "LOCAL"


def quantity(value: Json) -> tuple[float | None, str | None, str | None]:
    """Number, text and unit of a Quantity; a comparator makes it a text such as "<5".

    The unit is its code in UCUM; a code of another system (SNOMED's 258813002) says less than the
    printed unit (mmol/L), which is then used.
    """
    number = value.get("value")
    names = ("code", "unit")
    if value.get("system") and SYSTEMS.get(value["system"]) != "UCUM":
        names = ("unit", "code")
    unit = value.get(names[0]) or value.get(names[1])
    unit = str(unit) if unit else None
    if number is None:
        raise ValueError("a quantity without a value")
    if value.get("comparator"):
        return None, f"{value['comparator']}{number}", unit
    if isinstance(number, str):
        return None, number, unit  # not valid R4; cleaning reads numbers from text
    return finite_number(number), None, unit


def known_at(resource: Json, context: Context, *paths: str) -> int:
    """The first of the fields that has a value, as microseconds; raises ValueError if none has.

    A Period is known when it ends (`name.start`: when it starts); without an end, at its start.
    """
    for path in paths:
        name, _, edge = path.partition(".")
        value = resource.get(name)
        if isinstance(value, dict):
            value = value.get(edge) if edge else value.get("end") or value.get("start")
        if value:
            return parse_moment(value, path, context, end=True)
    raise ValueError(f"has none of {', '.join(paths)}: when it became known is unknown")


def parse_moment(text: str, path: str, context: Context, end: bool = False) -> int:
    """A FHIR date or dateTime as microseconds; ValueError names the field."""
    try:
        # a day alone means its start, as in tables; a month or year alone depends on `end`
        return parse_time(text, context.zone, end and len(text) < 10)
    except (ValueError, AttributeError) as error:
        raise ValueError(f"{path} is not a date") from error


_OTHER_SUBJECTS = ("patient", "beneficiary")
"""Elements that name the patient where `subject` does not."""


def patient_id(resource: Json, context: Context) -> str | Rejection:
    """The id of the patient that a resource is about."""
    if resource["resourceType"] == "Patient":
        name = resource.get("id")
        return str(name) if name else Rejection("id", "", "a Patient without an id")
    field_name = next((name for name in _OTHER_SUBJECTS if name in resource), "subject")
    text = (resource.get(field_name) or {}).get("reference")
    if not text:
        return Rejection(field_name, resource.get(field_name), "no reference to a patient")
    if "?" in text:
        reason = "a search, not a reference to one patient; export references with ids"
        return Rejection(field_name, text, reason)
    kind, name = resolve_reference(text, context)
    if kind == "contained":
        reason = "refers to a patient inside the resource, who has no id outside it"
        return Rejection(field_name, text, reason)
    if kind not in ("Patient", "") or not name:
        return Rejection(field_name, text, "refers to something other than a Patient")
    return name


def resolve_reference(reference: str, context: Context) -> tuple[str, str]:
    """Type and id that a reference names; the type is "" if the reference has none."""
    reference = context.addresses.get(reference, reference)
    if reference.startswith("urn:"):
        return "", reference.rsplit(":", 1)[-1]
    if reference.startswith("#"):
        return "contained", reference[1:]
    parts = reference.split("/_history/")[0].split("/")
    return (parts[-2], parts[-1]) if len(parts) > 1 else ("", parts[-1])
