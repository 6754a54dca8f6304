"""What a filled-in form becomes, and what is refused with its mend."""

import datetime
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest

from posology.advice.form.field import DATED, Field, Form, Limits
from posology.advice.form.patient_reading import PatientReading
from posology.advice.form.reading import read_filled_form, read_records
from posology.advice.form.values import nearest_choice, read_value
from posology.errors import RecordError

TODAY = datetime.datetime(2000, 1, 1)  # noqa: DTZ001 - MEDS times have no zone


def read(form: Form, facts: dict[str, Any], **more: Any) -> tuple[list[tuple], PatientReading]:
    events, reading = read_filled_form({"facts": facts, **more}, form, "p.json", TODAY)
    names = ("code", "numeric_value", "time")
    return sorted(tuple(row[n] for n in names) for row in events.to_pylist()), reading


USED = [
    ({"age": 72}, [("AGE_DECADE", 7.0, None)]),
    ({"Age": "70-79"}, [("AGE_DECADE", 7.0, None)]),
    ({"age": "90+"}, [("AGE_DECADE", 9.0, None)]),
    ({"age": 103}, [("AGE_DECADE", 9.0, None)]),
    ({"AGE_DECADE": 7}, [("AGE_DECADE", 7.0, None)]),
    ({"age": "71 Jahre"}, [("AGE_DECADE", 7.0, None)]),
    ({"age": "70 bis 79"}, [("AGE_DECADE", 7.0, None)]),
    ({"height": 180}, [("HEIGHT", 180.0, None)]),
    ({"HEIGHT": "180"}, [("HEIGHT", 180.0, None)]),
    ({"height": "1,8 m"}, [("HEIGHT", 180.0, None)]),
    *(
        ({"height": text}, [("HEIGHT", pytest.approx(162.56), None)])
        for text in (
            "5 ft 4 in",
            "5ft4",
            "5'4\"",
            "5\u2019 4\u201d",
            "5 feet, 4 inches",
            "64 in",
            "5.33333333 ft",
        )
    ),
    ({"height": "1 m 70"}, [("HEIGHT", pytest.approx(170.0), None)]),
    ({"height": "\u00a0\uff11\uff17\uff10\u00a0cm "}, [("HEIGHT", 170.0, None)]),
    *(
        ({"weight": text}, [("WEIGHT", pytest.approx(71.66759), None)])
        for text in ("11 st 4 lb", "11st 4", "11 stone 4 pounds", "158 lb", "11.285714 stone")
    ),
    ({"weight": {"value": "158 lb", "unit": "lbs"}}, [("WEIGHT", pytest.approx(71.66759), None)]),
    ({"weight": "70,5 kg"}, [("WEIGHT", 70.5, None)]),
    ({"height": {"value": 72.0, "unit": "Inches"}}, [("HEIGHT", pytest.approx(182.88), None)]),
    ({"drug amiodarone": True}, [("DRUG//amiodarone//yes", None, None)]),
    ({"DRUG//amiodarone": True}, [("DRUG//amiodarone//yes", None, None)]),
    ({"DRUG//amiodarone": "no"}, [("DRUG//amiodarone//no", None, None)]),
    ({"DRUG//amiodarone": "Nein"}, [("DRUG//amiodarone//no", None, None)]),
    ({"DRUG//amiodarone//yes": True}, [("DRUG//amiodarone//yes", None, None)]),
    *(({"sex": word}, [("SEX//female", None, None)]) for word in ("f", "W", "weiblich", "Frau")),
    *(({"sex": word}, [("SEX//male", None, None)]) for word in ("m", "M", "männlich", "man")),
    ({"drug_amiodarone": False}, [("DRUG//amiodarone//no", None, None)]),
    ({"sex": " Male ", "RACE": "white"}, [("RACE//White", None, None), ("SEX//male", None, None)]),
    (
        {"condition a": "1999-03-01", "sex": None, "height": 170},
        [("CONDITION//a", None, datetime.datetime(1999, 3, 1)), ("HEIGHT", 170.0, None)],  # noqa: DTZ001
    ),
    (
        {"condition a": [{"value": "yes", "since": 1998}, {"value": True, "date": "1999-02"}]},
        [
            ("CONDITION//a", None, datetime.datetime(1998, 7, 1)),  # noqa: DTZ001
            ("CONDITION//a", None, datetime.datetime(1999, 2, 15)),  # noqa: DTZ001
        ],
    ),
    (
        {"CONDITION": [{"value": "a", "since": "1998-07-01"}, {"value": "b", "since": 1998}]},
        [
            ("CONDITION//a", None, datetime.datetime(1998, 7, 1)),  # noqa: DTZ001
            ("CONDITION//b", None, datetime.datetime(1998, 7, 1)),  # noqa: DTZ001
        ],
    ),
]


@pytest.mark.parametrize(("facts", "expected"), USED)
def test_a_fact_becomes_the_event_of_training(form: Form, facts: dict, expected: list) -> None:
    events, reading = read(form, facts)
    assert events == expected
    assert (reading.not_used, reading.beyond, reading.assumed) == ((), (), ())


REFUSED = [
    ({"height": -3}, "`height` of -3 cm cannot be right: it must be from 100 to 250 cm. Correct"),
    ({"weight": 8000}, "`weight` of 8000 kg cannot be right: it must be from 20 to 350 kg."),
    ({"weight": 1e60}, "`weight` of 1e+60 kg cannot be right"),
    ({"weight": 10**400}, "`weight` of inf kg cannot be right"),
    ({"age": 820}, "`age` of 820 years cannot be right: it must be from 0 to 120 years."),
    ({"age": "6700"}, "`age` of 6700 years cannot be right: it must be from 0 to 120 years."),
    ({"age": "65-74"}, "65 to 74 years are of two decades, and the model knows decades of age"),
    ({"age": "79-70"}, "'79-70' ends before it begins; swap the ages."),
    (
        {"age": "old"},
        "`age` must be years, a range such as '70-79' or the date of birth, not 'old'",
    ),
    ({"AGE_DECADE": 72}, "`AGE_DECADE` of 72 cannot be right: it must be from 0 to 12."),
    ({"height": True}, "`height` must be a number in cm, not True; write null if it is"),
    (
        {"height": "180 kg"},
        "`height`: unit 'kg' is not one of cm, m, mm, in, ft; convert the number",
    ),
    ({"weight": {"value": 12, "unit": "jin"}}, "unit 'jin' is not one of kg, g, lb, oz, stone"),
    ({"height": "5 ft 14 in"}, "is '5 ft 14 in': write whole feet, and fewer than 12 inches."),
    ({"weight": "11.5 st 4 lb"}, "write whole stone, and fewer than 14 pounds."),
    ({"weight": "11 st 4 kg"}, "`weight`: unit 'st 4 kg' is not one of kg, g, lb, oz, stone"),
    ({"weight": {"value": "176 lb", "unit": "kg"}}, "has the unit 'lb' and also 'kg'; keep one."),
    ({"weight": "1,234 lb"}, "a comma before three digits may mean 1234 or 1.234; write the num"),
    ({"weight": "<b>80</b>"}, "`weight` must be a number in kg, not '<b>80</b>'; write null"),
    ({"weight": "8" * 10_000}, "`weight` of inf kg cannot be right"),
    ({"weight": "x" * 10_000}, f"must be a number in kg, not '{'x' * 59}...; write null if it"),
    ({"weight": "-0"}, "`weight` of 0 kg cannot be right: it must be from 20 to 350 kg."),
    ({"height": [170, 180]}, "2 values are given, but training patients had one; keep one."),
    ({"height": {"value": 170, "on": 1}}, "`on` is unknown; an object has value, unit, date"),
    ({"sex": True}, "`sex` is True; write one of female, male, or null."),
    ({"sex": ["male", "female"]}, "2 values are given, but training patients had one"),
    ({"drug amiodarone": "maybe"}, "`drug amiodarone` is yes or no, not 'maybe'"),
    ({"sex": "mal"}, "`sex` is 'mal', which is none of female, male. Did you mean male? Write"),
    ({"sex": "?"}, "`sex` is '?', which is none of female, male. Write one of them, or null"),
    ({"weight": "60-70"}, "`weight` is the range '60-70', and the model knows one number in kg"),
    ({"sex": "male", "SEX": "male"}, "`sex` and `SEX` are the same fact; keep one."),
    ({"wieght": 80}, "fact `wieght` is not one this model uses; did you mean `weight`?"),
    ({"zzz": 1}, "fact `zzz` is not one this model uses; the model's facts are sex, race, age"),
    ({"condition a": True}, "`condition a` needs its date: training patients had it for a median"),
    ({"condition a": "2000-05-01"}, "`condition a` is of 01-May-2000, after the decision"),
    ({"condition a": {"value": True, "since": "May"}}, "'May' is not a date; write a date such as"),
    ({"sex": None}, "nothing is known of this patient (every fact is null)"),
    ({"GENOTYPE//VKORC1_rs9923231": "T/T"}, "the policy knows none of its facts"),
]


@pytest.mark.parametrize(("facts", "message"), REFUSED)
def test_what_cannot_be_right_is_refused_with_its_mend(
    form: Form, facts: dict, message: str
) -> None:
    with pytest.raises(RecordError) as error:
        read(form, facts, decision="2000-01-01")
    assert message in str(error.value)
    assert str(error.value).startswith("p.json: ")


def test_a_number_beyond_training_is_named(form: Form) -> None:
    _, reading = read(form, {"weight": 300})
    (said,) = reading.beyond
    assert said.startswith("Weight 300 kg is above 1")


@pytest.mark.parametrize(("age", "shown"), [(19, "19 years"), ("10-19", "10 to 19 years")])
def test_an_age_beyond_training_is_named_in_years_also_where_decades_are_known(
    form: Form, age: int | str, shown: str
) -> None:
    (low,) = [field.seen.low for field in form.fields if field.age_as == "decades"]
    assert low is not None
    assert low > 1
    _, reading = read(form, {"age": age})
    limit = f"{10 * low:.0f} to {10 * low + 9:.0f} years"
    assert reading.beyond == (
        f"Age {shown} is below {limit}; fewer than 5 training patients had less.",
    )


def test_an_answer_that_nobody_had_is_not_taken_for_a_wrong_word(form: Form) -> None:
    """It read: drug rifampicin yes. The model does not know this value. Did you mean yes?"""
    (field, *_) = [f for f in form.fields if f.kind == "yes_no" and f.choices[0][1]]
    known = (("yes", ""), *field.choices[1:])
    fields = tuple(replace(f, choices=known) if f is field else f for f in form.fields)
    _, reading = read(replace(form, fields=fields), {field.name: "yes", "height": 170})
    assert reading.not_used[0] == (
        f"Given but not used: {field.name} yes. No patient that the model learned from had this "
        "value."
    )


def test_a_unit_that_the_name_has_is_not_said_again(form: Form) -> None:
    weight = next(f for f in form.fields if f.name == "weight")
    named = replace(weight, unit="{INR}", limits=Limits(0.0, 1000.0))
    fields = tuple(named if f is weight else f for f in form.fields)
    _, reading = read(replace(form, fields=fields), {"weight": 300})
    assert reading.beyond[0].startswith("Weight 300 is above 1")


def test_an_unknown_value_is_named_with_the_nearest_known_one(form: Form) -> None:
    events, reading = read(form, {"race": "Whit", "height": 170})
    assert [code for code, *_ in events] == ["HEIGHT"]
    assert reading.not_used == (
        "Given but not used: race Whit. The model does not know this value. Did you mean White?",
    )


def test_a_third_sex_is_read_and_named_as_unknown_to_the_model(form: Form) -> None:
    for word in ("divers", "d", "X"):
        _, reading = read(form, {"sex": word, "height": 170})
        assert reading.not_used == (
            f"Given but not used: sex {word}. The model does not know this value.",
        )


def test_a_range_is_read_under_the_fact_of_the_range(form: Form) -> None:
    target = Field("target INR", "TARGET_INR", "number", unit="{INR}")
    choices = (("2-3", "TARGET_INR_RANGE//2-3"),)
    span = Field("target INR range", "TARGET_INR_RANGE", "choice", choices)
    both = replace(form, fields=(*form.fields, target, span))
    for text in ("2-3", "2 \u2013 3", "2 to 3"):
        assert read(both, {"target INR": text})[0] == [("TARGET_INR_RANGE//2-3", None, None)]
    with pytest.raises(RecordError, match="`target INR range` and `target INR` are the same fact"):
        read(both, {"target INR range": "2-3", "target INR": "2-3"})


def test_the_age_that_was_given_is_kept_beside_the_decade(form: Form) -> None:
    for given, span in ((12, (12, 12)), ("10-19", (10, 19)), ("90+", (90, 120))):
        assert read(form, {"age": given})[1].age == span
    assert read(form, {"AGE_DECADE": 1})[1].age == (10, 19)
    assert read(form, {"sex": "f"})[1].age is None


def test_the_date_of_an_age_is_kept(form: Form) -> None:
    """It was dropped, and the answer said that none was given."""
    dated = Field("age", "BASELINE//age", "age", timing=DATED, age_as="years", days_before=0.0)
    with_age = replace(form, fields=(*form.fields[1:], dated))
    (code, value, time), *_ = read(
        with_age, {"BASELINE//age": {"value": 71, "date": "1999-05-02"}}
    )[0]
    assert (code, value, time) == ("BASELINE//age", 71.0, datetime.datetime(1999, 5, 2))  # noqa: DTZ001


def test_the_order_of_two_alleles_means_nothing_and_no_other_genotype_is_offered(
    form: Form,
) -> None:
    name = "GENOTYPE//VKORC1_rs9923231"
    assert read(form, {name: "G/A"})[0] == read(form, {name: "A/G"})[0]
    _, reading = read(form, {"height": 170, name: "G/T"})
    assert "Did you mean" not in reading.not_used[0]


def test_an_unknown_event_is_named(form: Form) -> None:
    _, reading = read(form, {"height": 170}, events=[{"code": "HERBAL//green tea"}])
    assert reading.not_used == (
        "Given but not used: herbal medicine, vitamins or supplements: green tea. "
        "The model does not know it.",
    )


def test_a_date_that_training_did_not_have_is_left_out_and_named(form: Form) -> None:
    events, reading = read(form, {"sex": {"value": "male", "since": "1999-01-01"}})
    assert events == [("SEX//male", None, None)]
    assert reading.assumed == ("Used without a date, as the training records have none: sex.",)


BODIES = [
    ({"fact": {}}, 'has no "facts" object; write one with `posology template MODEL`.'),
    ({"facts": {"sex": "male"}, "event": []}, "key `event` is unknown; did you mean `events`?"),
    ({"facts": {"sex": "male"}, "study": "x"}, "was filled in for the study 'x', but this policy"),
    ({"facts": {"sex": "male"}, "events": {"a": 1}}, '"events" is'),
    ({"facts": {}, "events": [{"code": "HEIGHT"}]}, "event 1 (HEIGHT): needs a number."),
    ({"facts": {}, "events": [{"code": "HEIGHT", "value": "a"}]}, "value 'a' is not a number."),
    ({"facts": {}, "events": [{"code": "HEIGHT", "value": 1750}]}, "must be from 100 to 250"),
    ({"facts": {}, "events": [{"code": "X", "when": 1}]}, "key `when` is unknown; an event has"),
    ({"facts": {}, "events": [{"code": "CONDITION//a", "time": 3}]}, "3 is not a date"),
]


@pytest.mark.parametrize(("body", "message"), BODIES)
def test_a_file_that_is_no_form_is_refused(form: Form, body: dict, message: str) -> None:
    with pytest.raises(RecordError) as error:
        read_filled_form(body, form, "p.json", TODAY)
    assert message in str(error.value)


def test_two_letters_are_a_genotype_and_no_other_medicine_is_offered() -> None:
    genotype = Field("VKORC1", "G", "choice", (("A/A", "G//A/A"), ("A/G", "G//A/G")))
    for written in ("GA", "AG", "G/A", "ga"):
        (entry,) = read_value(genotype, written, "p.json: fact `VKORC1`")
        assert entry.code == "G//A/G"
    medicine = Field("medicine", "M", "choice", (("flonase", "M//flonase"),))
    assert nearest_choice(medicine, "fluconazole") == ""
    assert nearest_choice(medicine, "flonasse") == "flonase"


def records(**columns: pa.Array) -> pa.Table:
    """Events of one patient with some columns exchanged."""
    known: dict[str, object] = {
        "subject_id": [1, 1],
        "time": pa.array([datetime.datetime(1999, 1, 1)] * 2, pa.timestamp("us")),  # noqa: DTZ001
        "code": ["SEX//male", "HEIGHT"],
        "numeric_value": [None, 180.0],
    }
    return pa.table(known | columns)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"time": pa.array(["2026-01-01"] * 2)}, "time has the type string, not times"),
        ({"time": pa.array([None, 9 * 10**17], pa.timestamp("us"))}, "a time is in no year from"),
        ({"code": pa.array([None, "HEIGHT"])}, "row 1: has no code; leave the row out"),
        ({"numeric_value": pa.array(["x", "y"])}, "numeric_value has the type string, not numb"),
        ({"subject_id": pa.array([1, 2])}, "has 2 patients; give a file with exactly one"),
    ],
)
def test_tables_of_another_kind_are_errors(form: Form, columns: dict, message: str) -> None:
    with pytest.raises(RecordError, match=f"p: {message}"):
        read_records(records(**columns), form, "p", TODAY)


def test_times_with_a_zone_and_days_are_read(form: Form) -> None:
    expected = read_records(records(), form, "p", TODAY)
    day = pa.array([datetime.date(1999, 1, 1)] * 2)
    moment = pa.array([datetime.datetime(1999, 1, 1, tzinfo=datetime.UTC)] * 2)
    for time in (day, moment.cast(pa.timestamp("ns", tz="Europe/Berlin"))):
        assert read_records(records(time=time), form, "p", TODAY) == expected
