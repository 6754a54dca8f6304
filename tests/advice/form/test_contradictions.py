"""Facts that cannot both be true are refused, or named where the records hold both."""

import datetime
from typing import Any

import pytest

from posology.advice.form.contradictions import (
    Statement,
    check_form,
    check_records,
    statements_of,
)
from posology.advice.form.field import Field, Form
from posology.advice.form.reading import read_filled_form
from posology.advice.form.values import read_value
from posology.errors import RecordError

TODAY = datetime.datetime(2000, 1, 1)  # noqa: DTZ001 - MEDS times have no zone
MEDICATION = Field(
    "medication", "MEDICATION", "choice", (("amiodarone", "MEDICATION//amiodarone"),), several=True
)
ABSENT = Field(
    "medication absent", "MEDICATION_ABSENT", "choice", (("any", "MEDICATION_ABSENT//any"),)
)
DRUG = Field(
    "drug amiodarone",
    "DRUG//amiodarone",
    "yes_no",
    (("yes", "DRUG//amiodarone//yes"), ("no", "DRUG//amiodarone//no")),
)
TARGET = Field("target INR", "TARGET_INR", "number", unit="INR")
RANGE = Field("target INR range", "TARGET_INR_RANGE", "choice", (("2-3", "TARGET_INR_RANGE//2-3"),))


def said(field: Field, value: Any, from_records: bool = False) -> list[Statement]:
    entries = list(read_value(field, value, field.name))
    return statements_of(entries, "" if from_records else field.name)


REFUSED = [
    (
        (MEDICATION, "amiodarone"),
        (DRUG, False),
        "`medication: amiodarone` and `drug amiodarone: no`",
    ),
    (
        (MEDICATION, "amiodarone"),
        (ABSENT, "any"),
        "`medication absent: any` and `medication: amiod",
    ),
    ((DRUG, True), (ABSENT, "any"), "`medication absent: any` and `drug amiodarone: yes`"),
    ((TARGET, 3.5), (RANGE, "2-3"), "`target INR: 3.5` and `target INR range: 2-3`"),
]


@pytest.mark.parametrize(("first", "second", "named"), REFUSED)
def test_what_a_person_contradicts_is_refused_naming_both(first, second, named: str) -> None:
    with pytest.raises(RecordError) as error:
        check_form([*said(*first), *said(*second)], "p.json")
    assert str(error.value).startswith(f"p.json: {named}")
    assert "contradict each other; correct one of them or leave it out" in str(error.value)


def test_what_the_records_contradict_is_named_and_read() -> None:
    both = [*said(MEDICATION, "amiodarone", from_records=True), *said(DRUG, False)]
    sentence = "Contradicting facts: medication amiodarone; drug amiodarone: no. Both are read as "
    assert check_form(both, "p.json") == (f"{sentence}recorded.",)
    assert check_records(both) == (f"{sentence}recorded.",)


AGREE = [
    ((MEDICATION, "amiodarone"), (DRUG, True)),
    ((TARGET, 2.5), (RANGE, "2-3")),
    ((DRUG, {"value": "no", "since": 1990}), (MEDICATION, {"value": "amiodarone", "since": 1999})),
]


@pytest.mark.parametrize(("first", "second"), AGREE)
def test_what_may_both_be_true_is_accepted(first, second) -> None:
    assert check_form([*said(*first), *said(*second)], "p.json") == ()


FORMS: list[tuple[dict[str, Any], str]] = [
    (
        {"facts": {"condition a": False, "CONDITION": [{"value": "a", "since": 1998}]}},
        "`condition a: no` and `CONDITION: a` contradict each other",
    ),
    (
        {"facts": {"drug amiodarone": "no", "DRUG//amiodarone//yes": True}},
        "`drug amiodarone: no` and `DRUG//amiodarone//yes: yes` contradict each other",
    ),
    (
        {"facts": {"weight": 80}, "events": [{"code": "WEIGHT", "value": 200}]},
        "`weight: 80` and `weight: 200` contradict each other",
    ),
    (
        {"facts": {"sex": "male"}, "events": [{"code": "SEX//female"}]},
        "`sex: male` and `sex female` contradict each other",
    ),
]


@pytest.mark.parametrize(("body", "message"), FORMS)
def test_a_form_that_contradicts_itself_is_refused(form: Form, body: dict, message: str) -> None:
    with pytest.raises(RecordError, match=message):
        read_filled_form(body, form, "p.json", TODAY)
