"""FHIR R4 resources as events: one extractor per resource type.

Each appends to `events` and `rejections`, and raises an error if the resource is malformed. An
event's time is when it became known, so `recorded` is preferred to `onset` and `issued` to
`effective`.
"""

from typing import Any

from posology.domain.study import PERIOD_END, PERIOD_START
from posology.records.batching import append_outcome, code_part
from posology.records.io.times import parse_time
from posology.records.schema import Event, Rejection, finite_number
from posology.records.sources.fhir.coding import (
    Context,
    Extractor,
    Json,
    concept_code,
    concept_text,
    known_at,
    parse_moment,
    quantity,
)
from posology.records.sources.fhir.genotypes import GENETIC, genotype_observation
from posology.records.sources.fhir.medications import medication
from posology.records.sources.fhir.questionnaires import questionnaire_response

Events = list[Event]
Rejections = list[Rejection]

_US_CORE = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-"
_OMB = {
    # categories of the US Office of Management and Budget, by their CDC codes (US Core)
    "1002-5": "American_Indian_or_Alaska_Native",
    "2028-9": "Asian",
    "2054-5": "Black_or_African_American",
    "2076-8": "Native_Hawaiian_or_Other_Pacific_Islander",
    "2106-3": "White",
    "2131-1": "Other_Race",
    "2135-2": "Hispanic_or_Latino",
    "2186-5": "Not_Hispanic_or_Latino",
}
_GENDERS = ("male", "female", "other", "unknown")
"""R4's codes of administrative gender."""
_VITAL = frozenset({"laboratory", "vital-signs"})


def patient(resource: Json, context: Context, events: Events, rejections: Rejections) -> None:
    """Birth, death, sex, race and ethnicity."""
    if resource.get("birthDate"):
        try:
            birth = parse_moment(resource["birthDate"], "birthDate", context)
            events.append(Event("MEDS_BIRTH", birth))
        except ValueError as error:
            rejections.append(Rejection("birthDate", resource["birthDate"], str(error)))
    died = resource.get("deceasedDateTime")
    if died:
        try:  # a date without a time means the end of that day, so that its events precede death
            events.append(Event("MEDS_DEATH", parse_time(died, context.zone, True)))
        except ValueError:
            rejections.append(Rejection("deceasedDateTime", died, "is not a date"))
    elif resource.get("deceasedBoolean"):
        rejections.append(Rejection("deceasedBoolean", True, "died, but the date is missing"))
    gender = resource.get("gender")
    if gender in _GENDERS:
        events.append(Event(f"SEX//{gender}", None))
    elif gender:
        known = ", ".join(_GENDERS)
        rejections.append(Rejection("gender", gender, f"is not one of {known}"))
    _race(resource, events)


def _race(resource: Json, events: Events) -> None:
    """Race and ethnicity, from US Core's extensions."""
    for extension in resource.get("extension") or ():
        url = extension.get("url") or ""
        if url in (_US_CORE + "race", _US_CORE + "ethnicity"):
            family = url.removeprefix(_US_CORE).upper()
            for part in extension.get("extension") or ():
                coding = part.get("valueCoding")
                if part.get("url") == "ombCategory" and coding:
                    name = _OMB.get(coding["code"]) or code_part(coding["code"])
                    events.append(Event(f"{family}//{name}", None))


def encounter(resource: Json, context: Context, events: Events, rejections: Rejections) -> None:
    """Start and end of a visit, each at its own time."""
    period = resource.get("period") or {}
    kind = code_part((resource.get("class") or {}).get("code") or "unknown")
    for edge in ("start", "end"):
        if period.get(edge):
            try:
                time = parse_moment(period[edge], f"period.{edge}", context)
                events.append(Event(f"VISIT//{kind}//{edge}", time))
            except ValueError as error:
                rejections.append(Rejection(f"period.{edge}", period[edge], str(error)))
    if not period:
        rejections.append(Rejection("period", "", "an Encounter without a period has no time"))


def coverage(resource: Json, context: Context, events: Events, rejections: Rejections) -> None:
    """When a patient's care is paid for, and so recorded: an observation period, as OMOP has them.

    A day alone as the end means the end of that day. Without an end the period is open.
    """
    period = resource.get("period") or {}
    if not period.get("start"):
        reason = "is missing: when the coverage began is unknown"
        rejections.append(Rejection("period.start", "", reason))
        return
    start, end = parse_moment(period["start"], "period.start", context), None
    if period.get("end"):
        try:
            end = parse_time(period["end"], context.zone, True)
        except (ValueError, AttributeError) as error:
            raise ValueError("period.end is not a date") from error
        if end < start:
            raise ValueError("period.end lies before period.start")
    events.append(Event(PERIOD_START, start))
    if end is not None:
        events.append(Event(PERIOD_END, end))


def _coded(family: str, concept: str, *times: str) -> Extractor:
    """An extractor of resources that have one code and one time."""

    def extract(resource: Json, context: Context, events: Events, rejections: Rejections) -> None:
        code = concept_code(resource.get(concept))
        if code is None:
            rejections.append(
                Rejection(concept, resource.get(concept), "has neither code nor text")
            )
            return
        events.append(Event(f"{family}//{code}", known_at(resource, context, *times)))

    return extract


def observation(resource: Json, context: Context, events: Events, rejections: Rejections) -> None:
    """A measurement or another observation, and its components."""
    if any(c.get("code") in GENETIC for c in (resource.get("code") or {}).get("coding") or ()):
        genotype_observation(resource, context, events, rejections)
        return
    time = known_at(
        resource, context, "issued", "effectiveDateTime", "effectivePeriod", "effectiveInstant"
    )
    family = "OBSERVATION"
    for category in resource.get("category") or ():
        if any(c.get("code") in _VITAL for c in category.get("coding") or ()):
            family = "MEASUREMENT"
    components = resource.get("component") or ()
    if not components or _value_key(resource) is not None:
        append_outcome(_value_event(resource, "", family, time), events, rejections)
    for number, part in enumerate(components):
        outcome = _value_event(part, f"component[{number}].", family, time)
        append_outcome(outcome, events, rejections)


def _value_key(element: Json) -> str | None:
    return next((key for key in element if key.startswith("value")), None)


def _value_event(element: Json, path: str, family: str, time: int) -> Event | Rejection:
    """The code and value[x] of an Observation or of one of its components."""
    key = _value_key(element)
    if key is None:
        absent = concept_text(element.get("dataAbsentReason") or {})
        return Rejection(path + "value", absent, "has no value")
    code = concept_code(element.get("code"))
    if code is None:
        return Rejection(path + "code", element.get("code"), "has neither code nor text")
    try:
        answer, number, text, unit = _value(key, element[key])
    except (ValueError, AttributeError, TypeError, KeyError) as error:
        return Rejection(path + key, element[key], f"cannot be read: {error}")
    return Event(f"{family}//{code}{answer}", time, number, text, unit)


def _value(key: str, value: Any) -> tuple[str, float | None, str | None, str | None]:
    """Suffix of the code (`//answer` or empty), number, text and unit of a value[x]."""
    match key:
        case "valueQuantity":
            return "", *quantity(value)
        case "valueInteger":
            return "", finite_number(value), None, None
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
    raise ValueError(f"{key} is not read; ingest dense series with --wearable")


def family_history(
    resource: Json, context: Context, events: Events, rejections: Rejections
) -> None:
    """A condition of a relative: its code, then the relative by HL7's RoleCode, such as FTH."""
    codings = (resource.get("relationship") or {}).get("coding") or ()
    relative = next((code_part(c["code"]) for c in codings if c.get("code")), "unknown")
    time = known_at(resource, context, "date")
    conditions = resource.get("condition") or ()
    if not conditions:
        rejections.append(Rejection("condition", "", "a relative without a condition"))
    for number, condition in enumerate(conditions):
        code = concept_code(condition.get("code"))
        if code is None:
            path = f"condition[{number}].code"
            rejections.append(Rejection(path, condition.get("code"), "has neither code nor text"))
        else:
            events.append(Event(f"FAMILY_HISTORY//{code}//{relative}", time))


_ENTERED = frozenset({"entered-in-error"})
UNUSABLE: dict[str, frozenset[str]] = {
    # R4 status codes of events that did not happen or must not be used
    "Coverage": _ENTERED | {"draft"},
    "Encounter": _ENTERED | {"cancelled", "planned"},
    "MedicationRequest": _ENTERED | {"cancelled", "draft"},
    "MedicationAdministration": _ENTERED | {"not-done"},
    "MedicationStatement": _ENTERED | {"not-taken", "intended"},
    "MedicationDispense": _ENTERED
    | {"preparation", "in-progress", "cancelled", "on-hold", "stopped", "declined"},
    "FamilyMemberHistory": _ENTERED | {"health-unknown"},
    "Observation": _ENTERED | {"cancelled", "registered"},
    "Procedure": _ENTERED | {"not-done", "preparation"},
    "Immunization": _ENTERED | {"not-done"},
    "QuestionnaireResponse": _ENTERED | {"in-progress"},
}

EXTRACTORS: dict[str, Extractor] = {
    "Patient": patient,
    "Coverage": coverage,
    "Encounter": encounter,
    "Condition": _coded("CONDITION", "code", "recordedDate", "onsetDateTime", "onsetPeriod"),
    "MedicationRequest": medication("ordered", "dosageInstruction", "authoredOn"),
    "MedicationAdministration": medication(
        "given", "dosage", "effectiveDateTime", "effectivePeriod.start"
    ),
    "MedicationStatement": medication(
        "reported", "dosage", "dateAsserted", "effectiveDateTime", "effectivePeriod"
    ),
    "MedicationDispense": medication(
        "dispensed", "dosageInstruction", "whenHandedOver", "whenPrepared"
    ),
    "FamilyMemberHistory": family_history,
    "Observation": observation,
    "Procedure": _coded("PROCEDURE", "code", "performedDateTime", "performedPeriod"),
    "AllergyIntolerance": _coded("ALLERGY", "code", "recordedDate", "onsetDateTime"),
    "Immunization": _coded("IMMUNIZATION", "vaccineCode", "recorded", "occurrenceDateTime"),
    "QuestionnaireResponse": questionnaire_response,
}
