"""From a FHIR R4 medication resource to the drug, its dose, and the dose a day."""

from posology.records.batching import Fact, Refusal, finite
from posology.records.sources.fhir.coding import (
    Context,
    Extractor,
    Json,
    concept_code,
    concept_text,
    known_at,
    quantity,
    target,
)

_PER_DAY = {"h": 24.0, "d": 1.0, "wk": 1 / 7, "mo": 12 / 365.25, "min": 1440.0, "s": 86400.0}
"""How often a day a unit of time comes; a month is a twelfth of 365.25 days."""

Amount = tuple[float | None, str | None, str | None]


def medication(kind: str, dosages: str, *times: str) -> Extractor:
    """An extractor: `DRUG//code//kind` with the dose, and where told `DRUG_PER_DAY//..` and
    `DRUG_RATE//..` (of an infusion)."""

    def extract(
        resource: Json, context: Context, facts: list[Fact], refusals: list[Refusal]
    ) -> None:
        if resource.get("doNotPerform"):
            refusals.append(Refusal("doNotPerform", True, "an order not to give it"))
            return
        code = _drug_code(resource, context, refusals)
        if code is None:
            return
        time = known_at(resource, context, *times)
        name = f"{code}//{'reported' if resource.get('reportedBoolean') else kind}"
        dosage = _first_dosage(resource, dosages, refusals)
        number, text, unit = _amount(dosage, "dose", dosages, refusals)
        route = concept_text(dosage.get("route") or {})
        told = "; ".join(t for t in (text, f"route {route}" if route else None) if t)
        facts.append(Fact(f"DRUG//{name}", time, number, told or None, unit))
        times_a_day = _times_a_day(dosage)
        if number is not None and times_a_day is not None:
            daily = finite(number * times_a_day)
            facts.append(Fact(f"DRUG_PER_DAY//{name}", time, daily, None, f"{unit or 1}/d"))
        rate, _, unit = _amount(dosage, "rate", dosages, refusals)
        if rate is not None:
            facts.append(Fact(f"DRUG_RATE//{name}", time, rate, None, unit))

    return extract


def _first_dosage(resource: Json, dosages: str, refusals: list[Refusal]) -> Json:
    """The first dosage; each further one (a taper, an alternative) is refused as a part."""
    told = resource.get(dosages) or {}
    if isinstance(told, list):
        for number, other in enumerate(told[1:], start=1):
            reason = "a further dosage of one order is not read"
            refusals.append(Refusal(f"{dosages}[{number}]", other, reason))
        told = told[0]
    return told


def _amount(dosage: Json, what: str, path: str, refusals: list[Refusal]) -> Amount:
    """Number, text and unit of a dosage's `dose` or `rate`."""
    try:
        told = dosage.get(what) or dosage.get(f"{what}Quantity")  # of MedicationAdministration
        for rate in dosage.get("doseAndRate") or ():
            told = told or rate.get(f"{what}Quantity")
            if rate.get(f"{what}Range") or rate.get(f"{what}Ratio"):
                raise ValueError("a range or a ratio, not one amount")
        if dosage.get(f"{what}Ratio"):
            raise ValueError("a range or a ratio, not one amount")
        return quantity(told) if told else (None, None, None)
    except ValueError as error:
        refusals.append(Refusal(f"{path}.{what}", dosage, f"the {what} cannot be read: {error}"))
        return None, None, None


def _drug_code(resource: Json, context: Context, refusals: list[Refusal]) -> str | None:
    concept = resource.get("medicationCodeableConcept")
    if concept is None:
        pointer = resource.get("medicationReference") or {}
        text = pointer.get("reference") or ""
        kind, name = target(text, context)
        if kind == "contained":
            inside = {c.get("id"): c for c in resource.get("contained") or ()}
            concept = (inside.get(name) or {}).get("code")
        else:
            concept = context.medications.get(name)
        if concept is None and pointer.get("display"):
            concept = {"text": pointer["display"]}
        if concept is None:
            reason = "the Medication it refers to is not among the files; read it along"
            refusals.append(Refusal("medicationReference", text, reason))
            return None
    code = concept_code(concept)
    if code is None:
        refusals.append(Refusal("medicationCodeableConcept", concept, "has neither code nor text"))
    return code


def _times_a_day(dosage: Json) -> float | None:
    repeat = (dosage.get("timing") or {}).get("repeat") or {}
    per = _PER_DAY.get(repeat.get("periodUnit"))
    period = repeat.get("period")
    if dosage.get("asNeededBoolean") or per is None or not period:
        return None
    return finite(repeat.get("frequency", 1)) * per / finite(period)
