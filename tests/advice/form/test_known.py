"""The facts that a model uses, in words."""

import datetime
from dataclasses import replace

import numpy as np

from posology.advice.form.build import build_form
from posology.advice.form.field import DATED, Field, Form
from posology.advice.form.known import known_facts
from posology.advice.form.reading import read_filled_form
from posology.advice.form.values import Entry
from posology.advice.wording.fact_names import fact_name
from posology.cohorts.study.reader import read_study
from posology.domain.codes import without_system
from posology.domain.profile import Profile
from posology.domain.recommendation.findings import KnownFact
from posology.language.catalogue import in_language

DECISION = datetime.datetime(2026, 11, 27)  # noqa: DTZ001
AGE = Field("birth date", "MEDS_BIRTH", "age", age_as="birth")
DECADE = Field("age", "AGE_DECADE", "age", age_as="decades")
WEIGHT = Field("weight", "WEIGHT", "number", unit="kg", timing=DATED)
SEX = Field("sex", "SEX", "choice", (("1", "SEX//1"), ("2", "SEX//2")), ("male", "female"))
SMOKER = Field("smoker", "SMOKER", "yes_no", (("yes", "SMOKER//1"), ("no", "SMOKER//0")))
DRUGS = Field("drugs", "DRUG", "choice", (("a", "DRUG//a"), ("b", "DRUG//b")), several=True)
FORM = Form("s", (SEX, AGE, WEIGHT, SMOKER, DRUGS), frozenset(), ())


def day(n: int) -> datetime.datetime:
    return DECISION - datetime.timedelta(days=n)


def test_the_last_value_of_each_fact_is_given_with_its_date_in_the_forms_order() -> None:
    entries = [
        Entry(WEIGHT, "WEIGHT", 80.0, day(1)),
        Entry(WEIGHT, "WEIGHT", 90.0, day(400)),
        Entry(SEX, "SEX//2"),
        Entry(SMOKER, "SMOKER//0"),
        Entry(DRUGS, "DRUG//a"),
        Entry(DRUGS, "DRUG//b"),
        Entry(WEIGHT, "", 700.0, day(0), unknown="700"),
    ]
    assert known_facts(entries, FORM, DECISION) == (
        KnownFact("sex", "female"),
        KnownFact("weight", "80 kg", "2026-11-26"),
        KnownFact("smoker", "no"),
        KnownFact("drugs", "a"),
        KnownFact("drugs", "b"),
    )


def test_age_is_in_years_however_the_records_hold_it() -> None:
    born = Entry(AGE, "MEDS_BIRTH", None, day(72 * 366))
    assert known_facts([born], FORM, DECISION) == (KnownFact("age", "72 years"),)
    decade = Entry(DECADE, "AGE_DECADE", 7.0)
    assert known_facts([decade], FORM, DECISION) == (KnownFact("age", "70 to 79 years"),)


def test_a_unit_is_written_as_people_do() -> None:
    egfr = Field("eGFR", "EGFR", "number", unit="mL/min/{1.73_m2}")
    copies = Field("CYP2C9: copies of C", "G", "number", unit="copies")
    entries = [Entry(egfr, "EGFR", 82.0), Entry(copies, "G", 1.0)]
    values = [fact.value for fact in known_facts(entries, FORM, DECISION)]
    assert values == ["82 mL/min/1.73 m²", "1"]


def test_a_range_of_ages_stays_one_in_words() -> None:
    """`70-79` was written as 75 years, and `90+` as 90."""
    for years, words in (((70.0, 79.0), "70 to 79 years"), ((90.0, 120.0), "90 to 120 years")):
        given = Entry(AGE, "MEDS_BIRTH", age=75.0, time=day(75 * 365), years=years)
        assert known_facts([given], FORM, DECISION) == (KnownFact("age", words),)


def test_the_banner_finds_age_and_sex_by_the_studys_marks() -> None:
    codes = ("OBSERVATION//GESCHLECHT//w", "OBSERVATION//GESCHLECHT//m", "OBSERVATION//ALTER")
    study = read_study("clinic")
    marked = replace(study.profile, sex=("OBSERVATION//GESCHLECHT",), age=("OBSERVATION//ALTER",))
    numbers, spread = np.zeros(3, np.float32), np.array([1, 1, 9], np.float32)
    form = build_form(replace(study, profile=marked), Profile(codes, numbers, spread), None)
    body = {"facts": {"OBSERVATION//GESCHLECHT": "weiblich", "OBSERVATION//ALTER": 61}}
    _, reading = read_filled_form(body, form, "p.json", DECISION)
    assert {(fact.fact, fact.value) for fact in reading.known} == {
        ("sex", "w"),
        ("age", "61 years"),
    }
    assert reading.age == (61, 61)


def test_a_fact_is_named_without_the_vocabulary_of_its_values() -> None:
    assert without_system("tobacco smoking: SNOMED") == "tobacco smoking"
    assert without_system("CYP2C9 rs1057910: copies of C") == "CYP2C9 rs1057910: copies of C"
    assert without_system("SNOMED") == "SNOMED"


def test_a_sex_that_the_study_names_is_translated() -> None:
    """`w`, as many German tables have it, is named female by `posology new`."""
    choices, titles = (("m", "SEX//m"), ("w", "SEX//w")), ("male", "female")
    sex = Field("sex", "SEX", "choice", choices, titles=titles)
    entry = Entry(sex, "SEX//w", None)
    assert [fact.value for fact in known_facts([entry], FORM, DECISION)] == ["female"]
    with in_language("de"):
        assert [fact.value for fact in known_facts([entry], FORM, DECISION)] == ["weiblich"]
        assert fact_name("female") == "weiblich"
