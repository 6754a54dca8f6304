"""A suggested order as a FHIR R4 MedicationRequest: a draft that the clinician completes."""

import datetime
from dataclasses import dataclass
from typing import Any

from posology.domain.recommendation.option import DoseAdvice
from posology.language.catalogue import deferred, tr
from posology.language.numbers import number
from posology.records.sources.fhir.coding import SYSTEMS
from posology.service.fhir.transparency import confidence

Json = dict[str, Any]
_UCUM = "http://unitsofmeasure.org"
_PERIODS = {"h": "hour", "d": "day", "wk": "week", "mo": "month", "a": "year"}
"""UCUM units of time that a dose may be per, and their words."""
_IN_ALL = {
    "h": deferred("{dose} a hour in all; the prescriber sets the schedule"),
    "d": deferred("{dose} a day in all; the prescriber sets the schedule"),
    "wk": deferred("{dose} a week in all; the prescriber sets the schedule"),
    "mo": deferred("{dose} a month in all; the prescriber sets the schedule"),
    "a": deferred("{dose} a year in all; the prescriber sets the schedule"),
}


@dataclass(frozen=True, slots=True)
class Drug:
    """A drug by its code."""

    system: str
    """Address of the code system."""
    code: str
    title: str

    def concept(self) -> Json:
        """As a CodeableConcept."""
        return {"coding": [{"system": self.system, "code": self.code}], "text": self.title}


@dataclass(frozen=True, slots=True)
class OrderFor:
    """For whom and when the order is."""

    patient: str
    """Id of the Patient."""
    encounter: str
    """Id of the Encounter; "" if there is none."""
    at: datetime.datetime


def drug_of(codes: tuple[str, ...], title: str) -> Drug | None:
    """The drug of an option by its study codes; None if no code system has a known address."""
    addresses = {name: address for address, name in reversed(SYSTEMS.items())}
    for code in codes:
        family, *rest = code.split("//")
        if family.startswith("DRUG") and len(rest) >= 2 and rest[0] in addresses:
            return Drug(addresses[rest[0]], rest[1], title)
    return None


def new_order(drug: Drug, dose: DoseAdvice | None, order: OrderFor) -> Json:
    """A draft order."""
    body: Json = {
        "resourceType": "MedicationRequest",
        "status": "draft",
        "intent": "order",
        "medicationCodeableConcept": drug.concept(),
        "subject": {"reference": f"Patient/{order.patient}"},
        "authoredOn": order.at.astimezone(datetime.UTC).isoformat(timespec="seconds"),
    }
    if order.encounter:
        body["encounter"] = {"reference": f"Encounter/{order.encounter}"}
    return body if dose is None else with_dose(body, dose)


def with_dose(order: Json, dose: DoseAdvice) -> Json:
    """The order with this dose in place of the one it has."""
    return {**order, "dosageInstruction": [dosage(dose)]}


def dosage(dose: DoseAdvice) -> Json:
    """The dose as an amount a period, so that no schedule is made up; or as one amount."""
    unit, _, period = dose.unit.rpartition("/")
    if period not in _PERIODS or not unit:
        amount: Json = {"doseQuantity": _quantity(dose.dose, dose.unit)}
        text = f"{number(f'{dose.dose:g}')} {dose.unit}"
        interval_unit = dose.unit
    else:
        per = {"value": 1, "unit": _PERIODS[period], "system": _UCUM, "code": period}
        amount = {"rateRatio": {"numerator": _quantity(dose.dose, unit), "denominator": per}}
        text = tr(_IN_ALL[period]).format(dose=f"{number(f'{dose.dose:g}')} {unit}")
        interval_unit = unit
    if dose.plan_for is not None:
        low, high = (_quantity(round(end, 4), interval_unit) for end in dose.plan_for)
        amount = {"extension": [confidence(low, high)], **amount}
    return {"text": text, "doseAndRate": [amount]}


def _quantity(value: float, unit: str) -> Json:
    number = int(value) if float(value).is_integer() else value
    return {"value": number, "unit": unit, "system": _UCUM, "code": unit}
