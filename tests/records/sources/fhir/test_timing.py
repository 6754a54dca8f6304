"""Doses per day of FHIR R4's Timing, case by case."""

from pathlib import Path

import orjson
import pytest

from posology.records.batching import combine_batches
from posology.records.sources.fhir.reader import read_fhir
from posology.records.sources.fhir.timing import TIMING_CODES

GTS = "http://terminology.hl7.org/CodeSystem/v3-GTSAbbreviation"
DAILY = {"frequency": 1, "period": 1, "periodUnit": "d"}


def order(*dosages: dict) -> dict:
    return {
        "resourceType": "MedicationRequest",
        "subject": {"reference": "Patient/7"},
        "authoredOn": "2020-01-01",
        "medicationCodeableConcept": {"text": "drug"},
        "dosageInstruction": list(dosages),
    }


def dosage(value: float = 10, timing: dict | None = None, **fields: object) -> dict:
    dose = {"doseQuantity": {"value": value, "unit": "mg", "code": "mg"}}
    return {"doseAndRate": [dose], **({"timing": timing} if timing else {}), **fields}


def daily(folder: Path, *dosages: dict) -> tuple[list[float], list[tuple[str, str]]]:
    """Doses per day of an order in mg, and the field and reason of each rejection."""
    path = folder / "order.ndjson"
    path.write_bytes(orjson.dumps(order(*dosages)))
    batch = combine_batches(read_fhir([path]))
    events = batch.events.to_pylist()
    numbers = [e["numeric_value"] for e in events if e["code"].startswith("DRUG_PER_DAY")]
    rejected = batch.rejected.select(["field", "reason"]).to_pylist()
    return numbers, [(r["field"], r["reason"]) for r in rejected]


@pytest.mark.parametrize(
    ("repeat", "expected"),
    [
        (DAILY, 10),
        ({"period": 1, "periodUnit": "d"}, 10),  # the frequency is 1 unless stated (R4)
        ({"frequency": 3, "period": 1, "periodUnit": "d"}, 30),
        ({"frequency": 1, "period": 8, "periodUnit": "h"}, 30),
        ({"frequency": 1, "period": 30, "periodUnit": "min"}, 480),
        ({"frequency": 1, "period": 2, "periodUnit": "d"}, 5),
        ({"frequency": 1, "period": 1, "periodUnit": "wk"}, 10 / 7),
        ({"frequency": 1, "period": 1, "periodUnit": "mo"}, 120 / 365.25),
        ({"frequency": 1, "period": 1, "periodUnit": "a"}, 10 / 365.25),
        ({**DAILY, "dayOfWeek": ["mon", "thu"]}, 20 / 7),
        ({"frequency": 2, "period": 1, "periodUnit": "d", "dayOfWeek": ["mon"]}, 20 / 7),
        ({"frequency": 2, "period": 1, "periodUnit": "wk", "dayOfWeek": ["mon", "thu"]}, 20 / 7),
        ({"dayOfWeek": ["mon", "wed", "fri"], "timeOfDay": ["08:00:00"]}, 30 / 7),
        ({"timeOfDay": ["08:00:00", "20:00:00"]}, 20),
        ({"frequency": 2, "period": 1, "periodUnit": "d", "when": ["MORN", "EVE"]}, 20),
        ({"frequency": 2, "period": 1, "periodUnit": "d", "when": ["AC"]}, 20),
        ({**DAILY, "frequencyMax": 1, "periodMax": 1}, 10),
        ({"frequency": 2, "period": 1, "periodUnit": "d", "count": 14}, 20),
        ({**DAILY, "boundsDuration": {"value": 10, "code": "d"}}, 10),
    ],
)
def test_a_schedule_gives_the_dose_per_day(tmp_path: Path, repeat: dict, expected: float) -> None:
    numbers, rejections = daily(tmp_path, dosage(timing={"repeat": repeat}))
    assert numbers == [pytest.approx(expected, rel=1e-6)]
    assert rejections == []


@pytest.mark.parametrize(
    ("repeat", "reason"),
    [
        ({**DAILY, "frequencyMax": 2}, "timing.repeat.frequency is a range, 1 to 2"),
        (
            {"period": 4, "periodMax": 6, "periodUnit": "h"},
            "timing.repeat.period is a range, 4 to 6",
        ),
        (
            {"period": 1, "periodUnit": "h", "count": 1},
            "timing.repeat.count is 1: the drug is given once",
        ),
        (
            {"period": 1, "periodUnit": "h", "count": 3},
            "timing.repeat.count is 3: the doses end within a day",
        ),
        (
            {"period": 1, "periodUnit": "h", "boundsDuration": {"value": 6, "code": "h"}},
            "timing.repeat.boundsDuration is shorter than a day",
        ),
        ({"frequency": 2}, "timing.repeat has no period with its unit"),
        ({"boundsPeriod": {"start": "2020"}}, "timing.repeat states no frequency and period"),
        ({"dayOfWeek": ["mon"]}, "timing.repeat states no frequency and period"),
        (
            {"frequency": 1, "period": 1, "periodUnit": "wk", "dayOfWeek": ["mon", "thu"]},
            "timing.repeat: 1 per 1 wk on 2 weekdays is not one number of doses a day",
        ),
        (
            {"period": 2, "periodUnit": "d", "dayOfWeek": ["mon"]},
            "timing.repeat: 1 per 2 d on 1 weekdays is not one number of doses a day",
        ),
        ({**DAILY, "when": ["MORN", "EVE"]}, "timing.repeat.when has 2 events, but frequency is 1"),
        (
            {**DAILY, "timeOfDay": ["08:00:00", "20:00:00"]},
            "timing.repeat.timeOfDay has 2 doses a day, but frequency and period 1",
        ),
        (
            {**DAILY, "dayOfWeek": ["monday"]},
            "timing.repeat.dayOfWeek is not a day; write mon to sun",
        ),
        ({"period": 0, "periodUnit": "d"}, "timing.repeat.period 0 is not above 0"),
        (
            {"period": 1e-320, "periodUnit": "s"},
            "timing.repeat.period 9.99989e-321 is too small to be meant",
        ),
        ({"period": "1", "periodUnit": "d"}, "timing.repeat.period is not a number"),
        (
            {"period": 1, "periodUnit": "day"},
            "timing.repeat.periodUnit is not one of s, min, h, d, wk, mo, a",
        ),
    ],
)
def test_a_schedule_without_one_rate_is_rejected(tmp_path: Path, repeat: dict, reason: str) -> None:
    numbers, rejections = daily(tmp_path, dosage(timing={"repeat": repeat}))
    assert numbers == []
    assert rejections == [("dosageInstruction.timing", f"no dose per day: {reason}")]


CODED = {
    "QD": 1, "BID": 2, "TID": 3, "QID": 4, "AM": 1, "PM": 1, "BED": 1, "QOD": 0.5, "Q1H": 24,
    "Q2H": 12, "Q3H": 8, "Q4H": 6, "Q6H": 4, "Q8H": 3, "WK": 1 / 7, "MO": 12 / 365.25,
}  # fmt: skip


def coded(code: str, system: str = GTS) -> dict:
    return {"code": {"coding": [{"system": system, "code": code}]}}


@pytest.mark.parametrize(("code", "rate"), CODED.items())
def test_a_timing_code_gives_the_dose_per_day(tmp_path: Path, code: str, rate: float) -> None:
    numbers, rejections = daily(tmp_path, dosage(timing=coded(code)))
    assert numbers == [pytest.approx(10 * rate, rel=1e-6)]
    assert rejections == []
    assert set(TIMING_CODES) == set(CODED)


@pytest.mark.parametrize(
    ("timing", "reason"),
    [
        (coded("BID", "urn:local"), "timing.code is not a schedule of HL7's GTSAbbreviation"),
        ({"code": {"text": "twice"}}, "timing.code is not a schedule of HL7's GTSAbb"),
        ({**coded("BID"), "repeat": DAILY}, "timing.code BID and timing.repeat disagree: 2 and 1"),
        (
            {**coded("QD"), "repeat": {"dayOfWeek": ["mon"]}},
            "timing.code QD and timing.repeat.dayOfWeek disagree",
        ),
        ({"event": ["2020-01-01"]}, "timing.event lists single dates"),
    ],
)
def test_an_unclear_timing_is_rejected(tmp_path: Path, timing: dict, reason: str) -> None:
    numbers, ((field, text),) = daily(tmp_path, dosage(timing=timing))
    assert numbers == []
    assert field == "dosageInstruction.timing"
    assert text.startswith(f"no dose per day: {reason}")


def test_an_unknown_code_with_a_schedule_is_read_by_the_schedule(tmp_path: Path) -> None:
    timing = {"code": {"text": "once a day"}, "repeat": DAILY}
    assert daily(tmp_path, dosage(timing=timing)) == ([10.0], [])


@pytest.mark.parametrize(
    "needed", [{"asNeededBoolean": True}, {"asNeededCodeableConcept": {"text": "for pain"}}]
)
def test_a_drug_taken_as_needed_has_no_dose_per_day(tmp_path: Path, needed: dict) -> None:
    refused = ("dosageInstruction.asNeeded", "taken as needed: no dose per day")
    prn = dosage(5, {"repeat": DAILY}, **needed)
    assert daily(tmp_path, prn) == ([], [refused])
    scheduled = dosage(timing={"repeat": DAILY}, asNeededBoolean=False)
    refused = ("dosageInstruction[1].asNeeded", "taken as needed: no dose per day")
    assert daily(tmp_path, scheduled, prn) == ([10.0], [refused])


@pytest.mark.parametrize(
    ("dosages", "expected"),
    [
        (
            [
                dosage(10, {"repeat": {**DAILY, "when": ["MORN"]}}, sequence=1),
                dosage(5, {"repeat": {**DAILY, "when": ["EVE"]}}, sequence=2),
            ],
            15,
        ),
        ([dosage(10, coded("AM")), dosage(5, coded("BED"))], 15),
        (
            [
                dosage(10, {"repeat": DAILY}, sequence=1),
                dosage(5, coded("BID"), sequence=1),
            ],
            20,
        ),
        (
            [  # warfarin, by weekday
                dosage(5, {"repeat": {**DAILY, "dayOfWeek": ["mon", "tue", "wed", "thu", "fri"]}}),
                dosage(2.5, {"repeat": {**DAILY, "dayOfWeek": ["sat", "sun"]}}),
            ],
            30 / 7,
        ),
    ],
)
def test_dosages_of_one_day_or_week_are_summed(
    tmp_path: Path, dosages: list[dict], expected: float
) -> None:
    numbers, rejections = daily(tmp_path, *dosages)
    assert numbers == [pytest.approx(expected, rel=1e-6)]
    assert rejections == []


WEEK_1 = {"boundsPeriod": {"start": "2020-01-01", "end": "2020-01-07"}}
WEEK_2 = {"boundsPeriod": {"start": "2020-01-08", "end": "2020-01-14"}}


@pytest.mark.parametrize(
    ("dosages", "reason"),
    [
        (
            [
                dosage(20, {"repeat": DAILY}, sequence=1),
                dosage(10, {"repeat": DAILY}, sequence=2),
            ],
            "the dosages neither have one sequence nor different times of the day or weekdays",
        ),
        (
            [
                dosage(20, {"repeat": DAILY | WEEK_1}, sequence=1),
                dosage(10, {"repeat": DAILY | WEEK_2}, sequence=1),
            ],
            "the dosages apply in different periods",
        ),
        (
            [dosage(20, coded("AM")), dosage(10)],
            "not every dosage has a dose per day",
        ),
        (
            [
                dosage(20, coded("AM")),
                {
                    "timing": coded("PM"),
                    "doseAndRate": [{"doseQuantity": {"value": 1, "unit": "g"}}],
                },
            ],
            "the dosages have different units",
        ),
    ],
)
def test_dosages_that_cannot_be_added_give_no_dose_per_day(
    tmp_path: Path, dosages: list[dict], reason: str
) -> None:
    text = f"a further dosage of one order is not read: {reason}"
    assert daily(tmp_path, *dosages) == ([], [("dosageInstruction[1]", text)])


def test_different_doses_of_one_order_are_not_one_number(tmp_path: Path) -> None:
    path = tmp_path / "order.ndjson"
    path.write_bytes(orjson.dumps(order(dosage(10, coded("AM")), dosage(5, coded("PM")))))
    event = combine_batches(read_fhir([path])).events.to_pylist()[0]
    assert (event["numeric_value"], event["text_value"]) == (None, "doses 10 + 5 mg")
