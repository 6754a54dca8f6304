"""Units by their system, rates, and references that lead nowhere, as HL7's examples have them."""

from pathlib import Path

import pytest

from tests.records.sources.fhir.test_more_resources import PATIENT, RXNORM, coded, events, read

UCUM, SNOMED = "http://unitsofmeasure.org", "http://snomed.info/sct"
ORDER = {
    "resourceType": "MedicationRequest",
    **PATIENT,
    "authoredOn": "2020-01-03",
    "medicationCodeableConcept": coded(RXNORM, "6809"),
}


@pytest.mark.parametrize(
    ("system", "code", "unit", "read_as"),
    [
        (SNOMED, "258813002", "mmol/L", "mmol/L"),
        ("urn:iso:std:iso:11073:10101", "265201", "mL", "mL"),
        (SNOMED, "258813002", None, "258813002"),
        (UCUM, "mmol/L", "millimoles per litre", "mmol/L"),
        ("urn:oid:2.16.840.1.113883.6.8", "mmol/L", "millimoles per litre", "mmol/L"),
        (None, "mmol/L", "millimoles per litre", "mmol/L"),
    ],
)
def test_a_unit_is_its_ucum_code_and_else_what_is_printed(
    tmp_path: Path, system: str | None, code: str, unit: str | None, read_as: str
) -> None:
    quantity = {"value": 5.5, "system": system, "code": code, "unit": unit}
    value = {"effectiveDateTime": "2020-01-03", "valueQuantity": quantity}
    observed = {"resourceType": "Observation", **PATIENT, **value}
    batch = read(tmp_path, {**observed, "code": coded("http://loinc.org", "1963-8")})
    assert events(batch) == [("2020-01-03", "OBSERVATION//LOINC//1963-8", 5.5, read_as)]


def ratio(top: dict, bottom: dict) -> dict:
    return {"rateRatio": {"numerator": top, "denominator": bottom}}


@pytest.mark.parametrize(
    ("stated", "rate"),
    [
        (ratio({"value": 100, "code": "mL"}, {"value": 2, "code": "h"}), (50.0, "mL/h")),
        (ratio({"value": 2, "code": "mg/kg"}, {"value": 8, "code": "min"}), (0.25, "mg/kg/min")),
        ({"rateQuantity": {"value": 7, "code": "mL.h-1"}}, (7.0, "mL.h-1")),
        (ratio({"value": 100, "code": "mL"}, {"value": 0, "code": "h"}), "a ratio without two nu"),
        (ratio({"value": 100}, {"value": 1, "code": "h"}), "a ratio without two numbers and their"),
        ({"rateQuantity": {"value": 20, "code": "min"}}, "its unit is not an amount per time, suc"),
        ({"rateRange": {"low": {"value": 2}}}, "a range, not one amount"),
    ],
)
def test_a_rate_is_an_amount_per_time(
    tmp_path: Path, stated: dict, rate: tuple[float, str] | str
) -> None:
    batch = read(tmp_path, {**ORDER, "dosageInstruction": [{"doseAndRate": [stated]}]})
    rates = [event[2:] for event in events(batch) if event[1].startswith("DRUG_RATE//")]
    if isinstance(rate, tuple):
        assert rates == [rate]
        return
    assert rates == []
    (reason,) = batch.rejected["reason"].to_pylist()
    assert reason.startswith(f"the rate cannot be read: {rate}")


def test_a_reference_that_leads_nowhere_is_refused_for_its_true_reason(tmp_path: Path) -> None:
    order = {key: value for key, value in ORDER.items() if key != "medicationCodeableConcept"}
    inside = {"resourceType": "Medication", "id": "m", "ingredient": []}
    by_reference = [
        {**order, "contained": [inside], "medicationReference": {"reference": "#m"}},
        {**order, "contained": [], "medicationReference": {"reference": "#m"}},
        {**order, "medicationReference": {"reference": "Medication/uncoded"}},
        {**order, "medicationReference": {"reference": "Medication/absent"}},
    ]
    newborn = {**ORDER, "subject": {"reference": "#newborn"}}
    uncoded = {"resourceType": "Medication", "id": "uncoded"}
    batch = read(tmp_path, *by_reference, newborn, uncoded)
    no_code = "the Medication it refers to has no code"
    absent = "the Medication it refers to is not among the files; add its file"
    assert batch.events.num_rows == 0
    assert batch.rejected["reason"].to_pylist() == [
        *(no_code, absent, no_code, absent),
        "refers to a patient inside the resource, who has no id outside it",
        "read when a MedicationRequest or similar resource refers to it",
    ]
