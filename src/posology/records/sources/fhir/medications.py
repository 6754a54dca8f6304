"""FHIR R4 medication resources as events: the drug, its dose, and the dose per day."""

from dataclasses import dataclass

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
from posology.records.sources.fhir.timing import doses_per_day, is_as_needed, why_not_summed

Amount = tuple[float | None, str | None, str | None]
_PER = ("/", "-1", " per ")
"""A unit has one of these if it is an amount per time: mL/h, mL.h-1."""


@dataclass(frozen=True, slots=True)
class _Dosage:
    """One dosage of an order, and the amount of its dose."""

    path: str
    element: Json
    number: float | None
    text: str | None
    unit: str | None


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
        stated = _dosages(resource, dosages, rejections)
        used, daily = _daily_dose(stated, rejections)
        number, text, unit = _dose(used)
        route = concept_text(stated[0].element.get("route") or {})
        description = "; ".join(t for t in (text, f"route {route}" if route else None) if t)
        events.append(Event(f"DRUG//{name}", time, number, description or None, unit))
        if daily is not None:
            events.append(Event(f"DRUG_PER_DAY//{name}", time, daily, None, f"{unit or 1}/d"))
        for dosage in used:
            rate, _, unit = _amount(dosage.element, "rate", dosage.path, rejections)
            if rate is not None:
                events.append(Event(f"DRUG_RATE//{name}", time, rate, None, unit))

    return extract


def _dosages(resource: Json, field: str, rejections: list[Rejection]) -> list[_Dosage]:
    """The dosages of an order; an empty one if it has none."""
    elements = resource.get(field) or {}
    elements = elements if isinstance(elements, list) else [elements]
    paths = [field if len(elements) == 1 else f"{field}[{n}]" for n in range(len(elements))]
    return [
        _Dosage(path, element, *_amount(element, "dose", path, rejections))
        for path, element in zip(paths, elements, strict=True)
    ]


def _daily_dose(
    stated: list[_Dosage], rejections: list[Rejection]
) -> tuple[list[_Dosage], float | None]:
    """The dosages that are read, and the sum of their doses per day (None if it is not known).

    Dosages that cannot be added (a taper, alternatives) are rejected after the first.
    """
    scheduled = [dosage for dosage in stated if not is_as_needed(dosage.element)]
    for dosage in stated:
        if dosage not in scheduled and (dosage.number is not None or len(stated) > 1):
            reason = "taken as needed: no dose per day"
            rejections.append(Rejection(f"{dosage.path}.asNeeded", True, reason))
    if not scheduled:
        return stated[:1], None
    rates = [_rate(dosage, rejections) for dosage in scheduled]
    missing = any(rate is None for rate in rates)
    if len(scheduled) > 1:
        elements = [dosage.element for dosage in scheduled]
        reason = why_not_summed(elements)
        if missing:
            reason = "not every dosage has a dose per day"
        elif len({dosage.unit for dosage in scheduled}) > 1:
            reason = "the dosages have different units"
        if reason is not None:
            for dosage in scheduled[1:]:
                text = f"a further dosage of one order is not read: {reason}"
                rejections.append(Rejection(dosage.path, dosage.element, text))
            return scheduled[:1], None
    if missing:
        return scheduled, None
    pairs = zip(scheduled, rates, strict=True)
    return scheduled, finite_number(sum((d.number or 0.0) * (r or 0.0) for d, r in pairs))


def _rate(dosage: _Dosage, rejections: list[Rejection]) -> float | None:
    """Doses per day; None without a dose or a schedule."""
    if dosage.number is None:
        return None
    try:
        return doses_per_day(dosage.element)
    except ValueError as error:
        reason = f"no dose per day: {error}"
        timing = dosage.element["timing"]
        rejections.append(Rejection(f"{dosage.path}.timing", timing, reason))
        return None


def _dose(used: list[_Dosage]) -> Amount:
    """The dose of the dosages as number, text and unit; different doses are a text."""
    first = used[0]
    if all(dosage.number == first.number for dosage in used):
        return first.number, first.text, first.unit
    text = " + ".join(f"{dosage.number:g}" for dosage in used)
    return None, f"doses {text} {first.unit or ''}".strip(), first.unit


def _amount(dosage: Json, what: str, path: str, rejections: list[Rejection]) -> Amount:
    """Number, text and unit of a dosage's `dose` or `rate`."""
    try:
        parts = (dosage, *(dosage.get("doseAndRate") or ()))
        if any(part.get(f"{what}Range") for part in parts):
            raise ValueError("a range, not one amount")
        stated = [part.get(name) for part in parts for name in (what, f"{what}Quantity")]
        amounts = [quantity(amount) for amount in stated if amount]
        amounts += [_ratio(part[f"{what}Ratio"]) for part in parts if part.get(f"{what}Ratio")]
        amount = amounts[0] if amounts else (None, None, None)
        if what == "rate" and amount[2] and not any(per in amount[2] for per in _PER):
            raise ValueError("its unit is not an amount per time, such as mL/h")
        return amount
    except ValueError as error:
        rejections.append(
            Rejection(f"{path}.{what}", dosage, f"the {what} cannot be read: {error}")
        )
        return None, None, None


def _ratio(ratio: Json) -> Amount:
    """A Ratio as number, text and unit: 100 mL in 2 h are 50 mL/h."""
    top, _, amount = quantity(ratio.get("numerator") or {})
    bottom, _, per = quantity(ratio.get("denominator") or {})
    if top is None or not bottom or not amount or not per:
        raise ValueError("a ratio without two numbers and their units")
    return finite_number(top / bottom), None, f"{amount}/{per}"


def _drug_code(resource: Json, context: Context, rejections: list[Rejection]) -> str | None:
    concept = resource.get("medicationCodeableConcept")
    if concept is None:
        pointer = resource.get("medicationReference") or {}
        text = pointer.get("reference") or ""
        kind, name = resolve_reference(text, context)
        if kind == "contained":
            inside = (c for c in resource.get("contained") or () if c.get("id") == name)
            concept = next((c.get("code") or {} for c in inside), None)
        else:
            concept = context.medications.get(name)
        if not concept and pointer.get("display"):
            concept = {"text": pointer["display"]}
        if not concept:
            reason = "the Medication it refers to is not among the files; add its file"
            if concept is not None:
                reason = "the Medication it refers to has no code"
            rejections.append(Rejection("medicationReference", text, reason))
            return None
    code = concept_code(concept)
    if code is None:
        rejections.append(
            Rejection("medicationCodeableConcept", concept, "has neither code nor text")
        )
    return code
