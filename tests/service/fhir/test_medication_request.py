import datetime

import pytest

from posology.domain.recommendation.option import DoseAdvice
from posology.records.sources.fhir.reader import read_resource
from posology.service.fhir.medication_request import Drug, OrderFor, dosage, drug_of, new_order

RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
AT = datetime.datetime(2026, 11, 28, 9, 0, tzinfo=datetime.UTC)


def dose(unit: str, amount: float = 10.0) -> DoseAdvice:
    return DoseAdvice(amount, unit, amount, (5.0, 25.0), (8.0, 12.5))


def test_a_dose_a_day_or_week_is_a_rate_without_a_made_up_schedule() -> None:
    made = dosage(dose("mg/wk", 32.5))
    (amount,) = made["doseAndRate"]
    ucum = "http://unitsofmeasure.org"
    assert amount["rateRatio"] == {
        "numerator": {"value": 32.5, "unit": "mg", "system": ucum, "code": "mg"},
        "denominator": {"value": 1, "unit": "week", "system": ucum, "code": "wk"},
    }
    assert made["text"] == "32.5 mg a week in all; the prescriber sets the schedule"
    assert "timing" not in made
    (interval,) = amount["extension"]
    assert interval["url"].endswith("/AIconfidence")
    assert [interval["valueRange"][end]["value"] for end in ("low", "high")] == [8, 12.5]


@pytest.mark.parametrize("unit", ["mg", "mg a week", "mg/kg"])
def test_another_dose_is_one_amount(unit: str) -> None:
    (amount,) = dosage(dose(unit))["doseAndRate"]
    assert (amount["doseQuantity"]["value"], amount["doseQuantity"]["code"]) == (10, unit)


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        (("DRUG_PER_DAY//RXNORM//1545653", "DRUG//RXNORM//1545653"), (RXNORM, "1545653")),
        (("DRUG//ATC//A10BK03//ordered",), ("http://www.whocc.no/atc", "A10BK03")),
        (("DRUG//LOCAL//17", "DRUG//RXNORM//9"), (RXNORM, "9")),
        (("DRUG//LOCAL//17",), None),
        (("WARFARIN//START",), None),
        ((), None),
    ],
)
def test_a_drug_has_a_code_only_of_a_system_with_an_address(
    codes: tuple[str, ...], expected: tuple[str, str] | None
) -> None:
    drug = drug_of(codes, "x")
    assert (None if drug is None else (drug.system, drug.code)) == expected


def test_an_order_is_a_draft_that_our_own_reader_does_not_take_for_a_fact() -> None:
    order = new_order(Drug(RXNORM, "9", "nine"), dose("mg/d"), OrderFor("p-1", "e-1", AT))
    assert (order["status"], order["encounter"]) == ("draft", {"reference": "Encounter/e-1"})
    assert order["authoredOn"] == "2026-11-28T09:00:00+00:00"
    assert read_resource(order).events.num_rows == 0
    order["status"] = "active"
    assert read_resource(order).events["code"].to_pylist() == [
        "DRUG//RXNORM//9//ordered",
        "DRUG_RATE//RXNORM//9//ordered",  # the dose a day is a rate
    ]
