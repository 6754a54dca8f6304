"""Fields of records with dates: units, births, choices with names, and facts that are needed."""

import datetime
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from posology.advice.form.blank import blank_form
from posology.advice.form.build import build_form, build_study_form
from posology.advice.form.field import Form, Limits
from posology.advice.form.limits import number_limits, spread_limits
from posology.advice.form.reading import read_filled_form, read_records
from posology.advice.form.training_facts import TrainingFacts
from posology.cohorts.study.reader import read_study
from posology.domain.profile import Profile
from posology.domain.study import Bounds, KidneySpec, ValueRange
from posology.errors import RecordError
from posology.records.schema import EVENTS
from tests.builders.small_cohorts import STUDY

TODAY = datetime.datetime(2026, 11, 28)  # noqa: DTZ001 - MEDS times have no zone
SBP, WEIGHT = "MEASUREMENT//LOINC//8480-6", "MEASUREMENT//LOINC//29463-7"
CODES = (
    ("MEDS_BIRTH", "", 1.0, 0.0, None, 20000.0, ""),
    (SBP, "mm[Hg]", 1.0, 1.0, (76.0, 183.0), 12.0, "systolic blood pressure"),
    (WEIGHT, "kg", 1.0, 1.0, (52.0, 155.0), 400.0, "weight, kg"),
    ("CONDITION//SNOMED//84114007", "", 1.0, 0.0, None, 0.0, "heart failure"),
    ("CONDITION//SNOMED//38341003", "", 1.0, 0.0, None, 900.0, "hypertension"),
    ("SMOKING//SNOMED//266919005", "", 0.0, 0.0, None, None, "Never smoked"),
    ("SMOKING//SNOMED//77176002", "", 0.0, 0.0, None, None, "Smoker"),
    ("FORMULA//ckd_epi_2021", "", 1.0, 1.0, (20.0, 120.0), 10.0, ""),
)


def clinical_form(
    required: tuple[str, ...] = (), limits: tuple[ValueRange, ...] = (), rows: tuple = ()
) -> Form:
    codes, units, dated, numeric, ranges, days, titles = zip(*CODES, *rows, strict=True)
    facts = TrainingFacts(
        dated=dated,
        numeric=numeric,
        low=tuple(r and r[0] for r in ranges),
        high=tuple(r and r[1] for r in ranges),
        days_before=days,
        several=("CONDITION//SNOMED",),
    )
    zeros = np.zeros(len(codes), np.float32)
    profile = Profile(codes, zeros, zeros + 1, titles=titles, units=units)
    families = ("MEDS_BIRTH", "MEASUREMENT", "CONDITION", "SMOKING")
    spec = replace(
        STUDY.profile,
        families=families,
        required_for_advice=required,
        limits=limits,
        kidney=KidneySpec(("CREA",), "mg/dL", ("SEX//F",)),
    )
    return build_form(replace(STUDY, profile=spec), profile, facts)


def read(facts: dict[str, Any], form: Form | None = None) -> list[tuple]:
    body = {"facts": facts, "decision": "2026-11-28"}
    events, _ = read_filled_form(body, form or clinical_form(), "p.json", TODAY)
    return [tuple(row[n] for n in ("code", "numeric_value", "time")) for row in events.to_pylist()]


def test_the_blank_form_has_one_field_a_fact_with_unit_limits_and_date() -> None:
    fields = blank_form(clinical_form(required=(SBP,)))["fields"]
    assert fields == {
        "age": "age in years, a range such as '70-79', or the date of birth; must be from 0 to "
        "120 [MEDS_BIRTH]",
        "systolic blood pressure": "number in mmHg (or kPa); must be from 38 to 370; most "
        f"training patients had 76 to 183; dated; needed: no answer without it [{SBP}]",
        "weight": "number in kg (or g, lb, oz, stone); must be from 26 to 310; most training "
        f"patients had 52 to 155; dated: write since when it is known [{WEIGHT}]",
        "heart failure": "yes, or no (read as not recorded); dated [CONDITION//SNOMED//84114007]",
        "hypertension": "yes, or no (read as not recorded); dated: write since when it is known "
        "[CONDITION//SNOMED//38341003]",
        "smoking SNOMED": "one of Never smoked, Smoker [SMOKING//SNOMED]",
        "creatinine": "number in mg/dL (or g/dL, g/L, mg/L, ug/dL, ug/mL); dated [CREA]",
        "female": "yes, or no (read as not recorded) [SEX//F]",
    }


def test_a_pressure_in_kpa_is_refused_without_its_unit_and_converted_with_it() -> None:
    with pytest.raises(RecordError, match=r"of 16 mmHg cannot be right: it must be from 38 to 370"):
        read({"systolic blood pressure": 16})
    for value in ("16 kPa", {"value": 16, "unit": "kpa"}):
        ((code, number, time),) = read({"systolic blood pressure": value})
        assert (code, time) == (SBP, TODAY)
        assert number == pytest.approx(120.01, abs=0.01)


def test_several_measurements_enter_at_their_dates_in_any_order() -> None:
    values = [{"value": 140, "date": "2026-10-02"}, {"value": 150, "date": "2025-05-11"}]
    days = [datetime.datetime(2026, 10, 2), datetime.datetime(2025, 5, 11)]  # noqa: DTZ001
    assert read({SBP: values}) == [(SBP, 140.0, days[0]), (SBP, 150.0, days[1])]


def test_an_age_becomes_a_birth_and_a_birth_stays_one() -> None:
    years = [{"age": 65}, {"age": "60-69"}, {"age": "1961-11-28"}]
    born = [read(facts)[0][2].year for facts in years]
    assert born == [1961, 1961, 1961]
    earlier = {"age": {"value": 55, "date": "2016-11-28"}}  # how old the patient was then
    assert read(earlier)[0][2].year == 1961


def test_an_old_fact_needs_its_date_and_a_recent_one_is_dated_at_the_decision() -> None:
    with pytest.raises(RecordError) as error:
        read({"hypertension": True})
    assert str(error.value) == (
        "p.json: `hypertension` needs its date: training patients had it for a median of 900 days "
        "before the decision, and the answer depends on that. Write "
        '{"value": "yes", "since": "2024-03-01"}; a year alone will do.'
    )
    assert read({"heart failure": "yes"}) == [("CONDITION//SNOMED//84114007", None, TODAY)]


@pytest.mark.parametrize(
    ("since", "at", "known"),
    [
        ("2026", "2026-03-03", "2026-01-31"),
        (2026, "2026-03-03", "2026-01-31"),
        ("2026", "2026-11-28", "2026-07-01"),
        ("2026", "2026-01-01", "2026-01-01"),
        ("2026-03", "2026-03-03", "2026-03-02"),
        ("2026-03", "2026-11-28", "2026-03-15"),
        ("2025-03", "2026-03-03", "2025-03-15"),
    ],
)
def test_a_year_or_month_that_is_not_over_is_before_the_decision(
    since: Any, at: str, known: str
) -> None:
    facts: list[Any] = [{"since": since}, [{"value": "yes", "since": since}]]
    if isinstance(since, str):
        facts.append(since)
    bodies = [{"decision": at, "facts": {"hypertension": fact}} for fact in facts]
    code = "CONDITION//SNOMED//38341003"
    bodies.append({"decision": at, "facts": {}, "events": [{"code": code, "time": since}]})
    for body in bodies:
        table, _ = read_filled_form(body, clinical_form(), "p.json", TODAY)
        assert [time.date().isoformat() for time in table["time"].to_pylist()] == [known]


@pytest.mark.parametrize("since", ["2027", "2026-12", "2026-04"])
def test_a_year_or_month_after_the_decision_is_refused(since: str) -> None:
    body = {"decision": "2026-03-03", "facts": {"hypertension": {"since": since}}}
    with pytest.raises(RecordError, match="after the decision"):
        read_filled_form(body, clinical_form(), "p.json", TODAY)


def test_a_choice_is_known_by_its_name_and_by_its_code() -> None:
    for value in ("never smoked", "266919005", 266919005):
        assert read({"SMOKING//SNOMED": value})[0][0] == "SMOKING//SNOMED//266919005"


def test_a_fact_that_is_needed_stops_the_advice_if_it_is_missing_or_unread() -> None:
    form = clinical_form(required=(SBP, "SMOKING"))

    def required(facts: dict[str, Any]) -> tuple[str, ...]:
        body = {"facts": facts, "decision": "2026-11-28"}
        return read_filled_form(body, form, "p.json", TODAY)[1].required

    assert required({"smoking SNOMED": "smoker"}) == (
        "No answer yet: systolic blood pressure is not recorded.",
        "The study needs it.",
    )
    assert required({SBP: 120, "smoking SNOMED": "pipe"})[0] == (
        "No answer yet: smoking is given as 'pipe', which the model does not know."
    )
    assert required({"age": 60})[1] == "The study needs it, and also smoking."
    assert required({SBP: 120, "smoking SNOMED": "smoker"}) == ()


def test_limits_of_the_study_come_first() -> None:
    form = clinical_form(limits=(ValueRange((WEIGHT,), Bounds(100.0, 120.0)),))
    with pytest.raises(RecordError, match=r"must be from 100 to 120 kg"):
        read({"weight": {"value": 90, "date": 2026}}, form)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        ((76.0, 183.0), (38, 370)),
        ((0.1, 500.0), (0.0014, 36000)),
        ((0.0, 44.0), (0, 88)),
        ((-5.0, 5.0), (-15, 15)),
    ],
)
def test_limits_follow_from_training(seen, expected) -> None:
    assert spread_limits(*seen) == Limits(*map(float, expected))


def events(*rows: tuple) -> Any:
    import pyarrow as pa

    names = ("time", "code", "numeric_value", "unit")
    bodies = [dict(zip(names, row, strict=True)) for row in rows]
    blank = {"subject_id": 5, "text_value": None}
    return pa.Table.from_pylist([{**blank, **body} for body in bodies], schema=EVENTS)


def test_records_are_checked_converted_and_what_is_not_used_is_said() -> None:
    day = datetime.datetime(2026, 11, 1)  # noqa: DTZ001
    rows = (
        (day, SBP, 16.0, "kPa"),
        (day, "CONDITION//SNOMED//1", None, None),
        (day, "VISIT//ward", None, None),
        (day, "SMOKING//SNOMED//77176002", None, None),
    )
    table, reading = read_records(events(*rows), clinical_form(), "p.parquet", TODAY)
    assert table["numeric_value"].to_pylist()[0] == pytest.approx(120.01, abs=0.01)
    assert table["time"].to_pylist() == [day, None], "smoking had no date in training"
    assert table["subject_id"].to_pylist() == [5, 5]
    assert reading.not_used == (
        "Given but not used: condition SNOMED: 1. The model does not know it.",
        "1 other event of the records is no fact of this study.",
    )
    wrong = events((day, SBP, 1600.0, "mm[Hg]"))
    with pytest.raises(RecordError, match=r"`systolic blood pressure` of 01-Nov-2026 of 1600 mmHg"):
        read_records(wrong, clinical_form(), "p.parquet", TODAY)


def test_a_body_mass_index_is_worked_out_from_weight_and_height() -> None:
    code = "MEASUREMENT//LOINC//39156-5"
    row = (code, "kg/m2", 0.0, 1.0, (15.0, 60.0), None, "")
    form = clinical_form(rows=(row,))
    given = {"weight": "180 lb", "height": "1.8 m"}
    ((_, number, _),) = read({code: given}, form)
    assert number == pytest.approx(180 * 0.45359237 / 1.8**2, rel=1e-5)
    with pytest.raises(RecordError, match=r"height of 1.8 cm cannot be right"):
        read({code: {"weight": 80, "height": 1.8}}, form)
    with pytest.raises(RecordError, match=r"height must be a number in cm, not None"):
        read({code: {"weight": 80}}, form)


def test_the_form_of_a_study_names_the_codes_that_the_study_names() -> None:
    fields = blank_form(build_study_form(read_study("clinic")))["fields"]
    assert fields["HbA1c"] == "number in mmol/mol [MEASUREMENT//LOINC//59261-8]"
    assert fields["heart failure"].startswith("yes, or no (read as not recorded)")
    assert fields["age"].startswith("age in years")
    assert fields["sex"] == "any of F (female), M (male) [SEX]"
    assert "measurement" not in fields


def test_a_height_in_metres_is_refused_under_a_code_of_ones_own() -> None:
    """Of fewer than 20 patients no range is kept: the code's words, or its name, and unit tell."""
    form = clinical_form(rows=(("LAB//HEIGHT", "cm", 0.0, 1.0, None, None, "height"),))
    with pytest.raises(RecordError, match=r"1.8 cm cannot be right: it must be from 20 to 275 cm"):
        read({"height": 1.80}, form)
    assert read({"height": "1.80 m"}, form) == [("LAB//HEIGHT", 180.0, None)]
    named = replace(STUDY, names=(("LAB//17", "body height, cm"),))
    assert number_limits(named, "LAB//17", "cm", Limits()) == Limits(20.0, 275.0)
    assert number_limits(named, "LAB//18", "cm", Limits()) == Limits()
