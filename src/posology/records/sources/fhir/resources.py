"""From one FHIR R4 resource to its events: thin extractors, one a resource type.

Each appends to `facts` what it can read and to `refusals` what it cannot, and raises where the
resource is not of R4's shape. An event's time is when it became known, so `recorded` goes before
`onset` and `issued` before `effective`.
"""

from typing import Any

from posology.records.batching import Fact, Refusal, clean_part, finite
from posology.records.io.times import parse_time
from posology.records.sources.fhir.coding import (
    Context,
    Extractor,
    Json,
    concept_code,
    concept_text,
    known_at,
    moment,
    quantity,
)
from posology.records.sources.fhir.genotypes import GENETIC, genetic
from posology.records.sources.fhir.medications import medication
from posology.records.sources.questionnaires import response_facts

Facts = list[Fact]
Refusals = list[Refusal]

_US_CORE = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-"
_OMB = {
    # the categories of the US Office of Management and Budget, by their CDC codes (US Core)
    "1002-5": "American_Indian_or_Alaska_Native",
    "2028-9": "Asian",
    "2054-5": "Black_or_African_American",
    "2076-8": "Native_Hawaiian_or_Other_Pacific_Islander",
    "2106-3": "White",
    "2131-1": "Other_Race",
    "2135-2": "Hispanic_or_Latino",
    "2186-5": "Not_Hispanic_or_Latino",
}
_VITAL = frozenset({"laboratory", "vital-signs"})


def patient(resource: Json, context: Context, facts: Facts, refusals: Refusals) -> None:
    """Birth, death, sex, race and ethnicity."""
    if resource.get("birthDate"):
        try:
            birth = moment(resource["birthDate"], "birthDate", context)
            facts.append(Fact("MEDS_BIRTH", birth))
        except ValueError as error:
            refusals.append(Refusal("birthDate", resource["birthDate"], str(error)))
    died = resource.get("deceasedDateTime")
    if died:
        try:  # a day alone ends it, so that what was done on that day does not follow death
            facts.append(Fact("MEDS_DEATH", parse_time(died, context.zone, True)))
        except ValueError:
            refusals.append(Refusal("deceasedDateTime", died, "is not a date"))
    elif resource.get("deceasedBoolean"):
        refusals.append(Refusal("deceasedBoolean", True, "died, but the date is not told"))
    if resource.get("gender"):
        facts.append(Fact(f"SEX//{clean_part(resource['gender']).lower()}", None))
    _race(resource, facts)


def _race(resource: Json, facts: Facts) -> None:
    """The categories of US Core's extensions."""
    for extension in resource.get("extension") or ():
        url = extension.get("url") or ""
        if url in (_US_CORE + "race", _US_CORE + "ethnicity"):
            family = url.removeprefix(_US_CORE).upper()
            for part in extension.get("extension") or ():
                coding = part.get("valueCoding")
                if part.get("url") == "ombCategory" and coding:
                    name = _OMB.get(coding["code"]) or clean_part(coding["code"])
                    facts.append(Fact(f"{family}//{name}", None))


def encounter(resource: Json, context: Context, facts: Facts, refusals: Refusals) -> None:
    """Start and end of a visit, each at its own time."""
    period = resource.get("period") or {}
    kind = clean_part((resource.get("class") or {}).get("code") or "unknown")
    for edge in ("start", "end"):
        if period.get(edge):
            try:
                at = moment(period[edge], f"period.{edge}", context)
                facts.append(Fact(f"VISIT//{kind}//{edge}", at))
            except ValueError as error:
                refusals.append(Refusal(f"period.{edge}", period[edge], str(error)))
    if not period:
        refusals.append(Refusal("period", "", "an Encounter without a period has no time"))


def _coded(family: str, concept: str, *times: str) -> Extractor:
    """An extractor of resources that are one code at one time."""

    def extract(resource: Json, context: Context, facts: Facts, refusals: Refusals) -> None:
        code = concept_code(resource.get(concept))
        if code is None:
            refusals.append(Refusal(concept, resource.get(concept), "has neither code nor text"))
            return
        facts.append(Fact(f"{family}//{code}", known_at(resource, context, *times)))

    return extract


def observation(resource: Json, context: Context, facts: Facts, refusals: Refusals) -> None:
    """A measurement or another observation, and its components."""
    if any(c.get("code") in GENETIC for c in (resource.get("code") or {}).get("coding") or ()):
        genetic(resource, context, facts, refusals)
        return
    time = known_at(
        resource, context, "issued", "effectiveDateTime", "effectivePeriod", "effectiveInstant"
    )
    family = "OBSERVATION"
    for category in resource.get("category") or ():
        if any(c.get("code") in _VITAL for c in category.get("coding") or ()):
            family = "MEASUREMENT"
    components = resource.get("component") or ()
    _value_fact(resource, "", family, time, (facts, refusals), bool(components))
    for number, part in enumerate(components):
        _value_fact(part, f"component[{number}].", family, time, (facts, refusals), False)


def _value_fact(
    holder: Json, path: str, family: str, time: int, out: tuple[Facts, Refusals], may_lack: bool
) -> None:
    facts, refusals = out
    key = next((k for k in holder if k.startswith("value")), None)
    if key is None:
        if not may_lack:
            why = concept_text(holder.get("dataAbsentReason") or {})
            refusals.append(Refusal(path + "value", why, "has no value"))
        return
    code = concept_code(holder.get("code"))
    if code is None:
        refusals.append(Refusal(path + "code", holder.get("code"), "has neither code nor text"))
        return
    try:
        answer, number, text, unit = _value(key, holder[key])
    except (ValueError, AttributeError, TypeError, KeyError) as error:
        refusals.append(Refusal(path + key, holder[key], f"cannot be read: {error}"))
        return
    facts.append(Fact(f"{family}//{code}{answer}", time, number, text, unit))


def _value(key: str, value: Any) -> tuple[str, float | None, str | None, str | None]:
    """What follows the code (`//answer` or nothing), number, text and unit of a value[x]."""
    match key:
        case "valueQuantity":
            return "", *quantity(value)
        case "valueInteger":
            return "", finite(value), None, None
        case "valueCodeableConcept":
            code = concept_code(value)
            if code is None:
                raise ValueError("has neither code nor text")
            return f"//{code}", None, concept_text(value), None
        case "valueBoolean":
            return f"//{str(value).lower()}", None, None, None
        case "valueString" | "valueDateTime" | "valueTime":
            if not isinstance(value, str) or not value:
                raise ValueError("not a text")
            return "", None, value, None
        case "valueRatio":
            top, bottom = value["numerator"], value["denominator"]
            return "", None, f"{top['value']}:{bottom['value']}", None
        case "valueRange":
            low, high = value.get("low") or {}, value.get("high") or {}
            unit = low.get("code") or low.get("unit") or high.get("code") or high.get("unit")
            return "", None, f"{low.get('value', '')}-{high.get('value', '')}", unit
    raise ValueError(f"{key} is not read; dense series go through the source `wearables`")


def questionnaire_response(
    resource: Json, context: Context, facts: Facts, refusals: Refusals
) -> None:
    """The answers that the code book knows; each other one is refused by its linkId."""
    time = known_at(resource, context, "authored")
    response_facts(resource, time, context.book, facts, refusals)


_ENTERED = frozenset({"entered-in-error"})
UNUSABLE: dict[str, frozenset[str]] = {
    # status codes under which R4 says that it did not happen, or must not be used
    "Encounter": _ENTERED | {"cancelled", "planned"},
    "MedicationRequest": _ENTERED | {"cancelled", "draft"},
    "MedicationAdministration": _ENTERED | {"not-done"},
    "MedicationStatement": _ENTERED | {"not-taken", "intended"},
    "Observation": _ENTERED | {"cancelled", "registered"},
    "Procedure": _ENTERED | {"not-done", "preparation"},
    "Immunization": _ENTERED | {"not-done"},
    "QuestionnaireResponse": _ENTERED | {"in-progress"},
}

EXTRACTORS: dict[str, Extractor] = {
    "Patient": patient,
    "Encounter": encounter,
    "Condition": _coded("CONDITION", "code", "recordedDate", "onsetDateTime", "onsetPeriod"),
    "MedicationRequest": medication("ordered", "dosageInstruction", "authoredOn"),
    "MedicationAdministration": medication(
        "given", "dosage", "effectiveDateTime", "effectivePeriod.start"
    ),
    "MedicationStatement": medication(
        "reported", "dosage", "dateAsserted", "effectiveDateTime", "effectivePeriod"
    ),
    "Observation": observation,
    "Procedure": _coded("PROCEDURE", "code", "performedDateTime", "performedPeriod"),
    "AllergyIntolerance": _coded("ALLERGY", "code", "recordedDate", "onsetDateTime"),
    "Immunization": _coded("IMMUNIZATION", "vaccineCode", "recorded", "occurrenceDateTime"),
    "QuestionnaireResponse": questionnaire_response,
}
