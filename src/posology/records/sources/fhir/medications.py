"""FHIR R4 medication resources as events: the drug, its dose, and the dose per day."""

from posology.records.schema import Event, Rejection, finite_number
from posology.records.sources.fhir.coding import (
    Context,
    Extractor,
    Json,
    concept_code,
    concept_text,
    known_at,
    quantity,
    resolve_reference,
)

_PER_DAY = {"h": 24.0, "d": 1.0, "wk": 1 / 7, "mo": 12 / 365.25, "min": 1440.0, "s": 86400.0}
"""Units of time per day; a month is a twelfth of 365.25 days."""

Amount = tuple[float | None, str | None, str | None]


def medication(kind: str, dosages: str, *times: str) -> Extractor:
    """An extractor of `DRUG//code//kind` with the dose, and if stated `DRUG_PER_DAY//..` and
    `DRUG_RATE//..` (of an infusion)."""

    def extract(
        resource: Json, context: Context, events: list[Event], rejections: list[Rejection]
    ) -> None:
        if resource.get("doNotPerform"):
            rejections.append(Rejection("doNotPerform", True, "an order not to give it"))
            return
        code = _drug_code(resource, context, rejections)
        if code is None:
            return
        time = known_at(resource, context, *times)
        name = f"{code}//{'reported' if resource.get('reportedBoolean') else kind}"
        dosage = _first_dosage(resource, dosages, rejections)
        number, text, unit = _amount(dosage, "dose", dosages, rejections)
        route = concept_text(dosage.get("route") or {})
        description = "; ".join(t for t in (text, f"route {route}" if route else None) if t)
        events.append(Event(f"DRUG//{name}", time, number, description or None, unit))
        doses_per_day = _doses_per_day(dosage)
        if number is not None and doses_per_day is not None:
            daily = finite_number(number * doses_per_day)
            events.append(Event(f"DRUG_PER_DAY//{name}", time, daily, None, f"{unit or 1}/d"))
        rate, _, unit = _amount(dosage, "rate", dosages, rejections)
        if rate is not None:
            events.append(Event(f"DRUG_RATE//{name}", time, rate, None, unit))

    return extract


def _first_dosage(resource: Json, dosages: str, rejections: list[Rejection]) -> Json:
    """The first dosage; each further one (a taper, an alternative) is rejected."""
    dosage = resource.get(dosages) or {}
    if isinstance(dosage, list):
        for number, other in enumerate(dosage[1:], start=1):
            reason = "a further dosage of one order is not read"
            rejections.append(Rejection(f"{dosages}[{number}]", other, reason))
        dosage = dosage[0]
    return dosage


def _amount(dosage: Json, what: str, path: str, rejections: list[Rejection]) -> Amount:
    """Number, text and unit of a dosage's `dose` or `rate`."""
    try:
        amount = dosage.get(what) or dosage.get(f"{what}Quantity")  # of MedicationAdministration
        for rate in dosage.get("doseAndRate") or ():
            amount = amount or rate.get(f"{what}Quantity")
            if rate.get(f"{what}Range") or rate.get(f"{what}Ratio"):
                raise ValueError("a range or a ratio, not one amount")
        if dosage.get(f"{what}Ratio"):
            raise ValueError("a range or a ratio, not one amount")
        return quantity(amount) if amount else (None, None, None)
    except ValueError as error:
        rejections.append(
            Rejection(f"{path}.{what}", dosage, f"the {what} cannot be read: {error}")
        )
        return None, None, None


def _drug_code(resource: Json, context: Context, rejections: list[Rejection]) -> str | None:
    concept = resource.get("medicationCodeableConcept")
    if concept is None:
        pointer = resource.get("medicationReference") or {}
        text = pointer.get("reference") or ""
        kind, name = resolve_reference(text, context)
        if kind == "contained":
            contained = {c.get("id"): c for c in resource.get("contained") or ()}
            concept = (contained.get(name) or {}).get("code")
        else:
            concept = context.medications.get(name)
        if concept is None and pointer.get("display"):
            concept = {"text": pointer["display"]}
        if concept is None:
            reason = "the Medication it refers to is not among the files; add its file"
            rejections.append(Rejection("medicationReference", text, reason))
            return None
    code = concept_code(concept)
    if code is None:
        rejections.append(
            Rejection("medicationCodeableConcept", concept, "has neither code nor text")
        )
    return code


def _doses_per_day(dosage: Json) -> float | None:
    """Doses per day; None if they are not stated or taken as needed."""
    repeat = (dosage.get("timing") or {}).get("repeat") or {}
    per = _PER_DAY.get(repeat.get("periodUnit"))
    period = repeat.get("period")
    if dosage.get("asNeededBoolean") or per is None or not period:
        return None
    return finite_number(repeat.get("frequency", 1)) * per / finite_number(period)
