"""The date of the decision for events of records: nothing after it is visible."""

import datetime
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest

from posology.advice.form.field import DATED, Field, Form
from posology.advice.form.limits import AGE
from posology.advice.form.moments import parse_decision
from posology.advice.form.patient_reading import PatientReading
from posology.advice.form.reading import read_filled_form, read_records
from posology.errors import RecordError
from posology.records.schema import EVENTS

TODAY = datetime.datetime(2026, 11, 28)  # noqa: DTZ001 - MEDS times have no zone
SEX = ("SEX//male", None)
NO_DAY = "is not a day written year-month-day; write one such as 2026-03-01."


def day(n: int, hour: int = 0) -> datetime.datetime:
    return datetime.datetime(1999, 3, n, hour)  # noqa: DTZ001


def read(
    form: Form, *rows: tuple[str, datetime.datetime | None], at: datetime.datetime | None
) -> tuple[list[str], PatientReading]:
    codes, times = [r[0] for r in rows], [r[1] for r in rows]
    nothing = [None] * len(rows)
    table = pa.table([[7] * len(rows), times, codes, nothing, nothing, nothing], schema=EVENTS)
    events, reading = read_records(table, form, "p.parquet", TODAY, at)
    return events["code"].to_pylist(), reading


def test_what_is_later_is_left_out_and_counted(form: Form) -> None:
    rows = (SEX, ("CONDITION//a", day(1)), ("CONDITION//b", day(2, 9)), ("CONDITION//b", day(5)))
    codes, reading = read(form, *rows, at=day(2))
    assert codes == ["SEX//male", "CONDITION//a", "CONDITION//b"]
    assert reading.decision == "1999-03-02T09:00:00"
    assert reading.assumed == ("1 event lies after the decision, 02-Mar-1999, and was not read.",)
    codes, reading = read(form, *rows, at=day(2, 8))
    assert codes == ["SEX//male", "CONDITION//a"]
    assert reading.assumed == ("2 events lie after the decision, 02-Mar-1999, and were not read.",)


def test_a_decision_after_the_last_event_is_its_own_date(form: Form) -> None:
    codes, reading = read(form, SEX, ("CONDITION//a", day(1)), at=day(20))
    assert codes == ["SEX//male", "CONDITION//a"]
    assert reading.decision == "1999-03-20T00:00:00"
    assert reading.assumed == ()
    _, reading = read(form, SEX, ("CONDITION//a", day(1)), at=None)
    assert reading.decision == "1999-03-01T00:00:00"


def test_a_birth_alone_is_no_decision(form: Form) -> None:
    _, reading = read(form, SEX, ("MEDS_BIRTH", day(1)), at=None)
    assert reading.decision == "2026-11-28T00:00:00"


def test_a_decision_before_every_event_is_refused(form: Form) -> None:
    with pytest.raises(RecordError) as error:
        read(form, SEX, ("CONDITION//a", day(5)), at=day(1))
    assert str(error.value) == (
        "p.parquet: its first event is of 05-Mar-1999, after the decision, 01-Mar-1999; give a "
        "later date with --at."
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "27.11.2026",
            f"--at: '27.11.2026' {NO_DAY}",
        ),
        (
            "2026-11",
            f"--at: '2026-11' {NO_DAY}",
        ),
        (
            "2062-11-27",
            "--at: 27-Nov-2062 lies after today, 28-Nov-2026; write the day on which the decision "
            "is made.",
        ),
    ],
)
def test_a_date_that_cannot_be_a_decision_is_named_with_the_mend(text: str, expected: str) -> None:
    with pytest.raises(RecordError) as error:
        parse_decision(text, "--at", TODAY)
    assert str(error.value).startswith(expected)


def test_today_and_a_time_of_day_are_dates_of_a_decision() -> None:
    assert parse_decision("2026-11-28", "--at", TODAY) == TODAY
    assert parse_decision("2026-11-27T08:40", "--at", TODAY).hour == 8


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("2062-11-27", "27-Nov-2062 lies after today, 28-Nov-2026; write the day on which"),
        ("1900-01-01", "01-Jan-1900 lies before 01-Jan-1950, the first day of which a decision"),
        ("0026-11-27", "27-Nov-0026 lies before 01-Jan-1950"),
        ("2026", f"'2026' {NO_DAY}"),
        (2026, f"2026 {NO_DAY}"),
    ],
)
def test_the_decision_of_a_form_is_held_to_the_same(form: Form, given: Any, expected: str) -> None:
    body = {"decision": given, "facts": {"sex": "female"}}
    with pytest.raises(RecordError) as error:
        read_filled_form(body, form, "p.json", TODAY)
    assert str(error.value).startswith(f"p.json: decision: {expected}")


def test_it_may_be_tomorrow_where_the_clinician_is(form: Form) -> None:
    body = {"decision": "2026-11-29", "facts": {"sex": "female"}}
    assert read_filled_form(body, form, "p.json", TODAY)[1].decision == "2026-11-29T00:00:00"


def test_a_moment_before_any_calendar_is_no_date() -> None:
    with pytest.raises(RecordError, match=r"at: '0001-01-01T00:00:00\+14:00' is not a day"):
        parse_decision("0001-01-01T00:00:00+14:00", "at", TODAY)


@pytest.mark.parametrize(("year", "is_refused"), [(1875, True), (1905, True), (1906, False)])
def test_a_birth_over_120_years_ago_is_refused_like_such_an_age(
    form: Form, year: int, is_refused: bool
) -> None:
    """1875 for 1975 gave advice for a patient of 151 years, where the age 151 was refused."""
    birth = datetime.datetime(year, 11, 28)  # noqa: DTZ001
    age = Field("age", "MEDS_BIRTH", "age", limits=AGE, timing=DATED, age_as="birth")
    fields = (*(field for field in form.fields if field.kind != "age"), age)
    form = replace(form, fields=fields, codes=form.codes | {"MEDS_BIRTH"}, standard=())
    body = {"decision": "2026-11-28", "facts": {"sex": "male", "age": birth.date().isoformat()}}
    asked = (
        lambda: read(form, SEX, ("MEDS_BIRTH", birth), at=TODAY),
        lambda: read_filled_form(body, form, "p.parquet", TODAY),
    )
    for ask in asked:
        if not is_refused:
            ask()
            continue
        with pytest.raises(RecordError) as error:
            ask()
        assert str(error.value) == (
            f"p.parquet: `age` of {2026 - year} years cannot be right: it must be from 0 to 120 "
            "years. Correct it, name its unit, or leave it out if it is not known; no answer was "
            "worked out."
        )
