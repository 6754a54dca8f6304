"""Facts sent under standard codes: one reading for forms, MEDS events and FHIR Bundles."""

import datetime
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from posology import artifact
from posology.advice.form.training_facts import EVIDENCE, measure_facts
from posology.artifact import Artifact
from posology.cohorts.study.reader import parse_study, read_study, shipped_study_path
from posology.domain.cohort import TRAIN, select_split
from posology.domain.formulas.ages import completed_years
from posology.domain.serialization import serialize
from posology.domain.standard_facts import StandardFact
from posology.errors import RecordError, StudyError
from posology.records.schema import EVENTS
from posology.workflows.advice.keys import RULES
from posology.workflows.recommend import RecommendResult, recommend
from tests.builders.policies import fitted_policy, iwpc_cohort

AT = "2026-11-28"
LOINC = "http://loinc.org"
FORM = {"sex": "male", "age": 72, "weight": 80, "height": 180}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    """The shipped study, which needs age and weight, with the formulas that `fit` keeps."""
    cohort = iwpc_cohort()
    train = select_split(cohort, TRAIN)
    formula = {"name": "clinical_formula", "formula": serialize(cohort.profile.formulas[0], {})}
    evidence = {EVIDENCE: serialize(measure_facts(train), {}), RULES: [formula]}
    folder = tmp_path_factory.mktemp("standard") / "model"
    artifact.save(fitted_policy("logistic"), read_study("iwpc"), evidence, folder)
    return artifact.load(folder)


def ask(model: Artifact, patient: Any) -> RecommendResult:
    return recommend(model, patient, at=AT, reasons=False)


def observation(code: str, value: float, unit: str | None, day: str = "2026-10-02") -> dict:
    quantity = {"value": value} | ({"unit": unit} if unit else {})
    return {
        "resourceType": "Observation",
        "status": "final",
        "subject": {"reference": "Patient/p"},
        "code": {"coding": [{"system": LOINC, "code": code}]},
        "effectiveDateTime": day,
        "valueQuantity": quantity,
    }


def bundle(*resources: dict, **patient: Any) -> dict:
    person = {"resourceType": "Patient", "id": "p", "gender": "male", "birthDate": "1954-03-02"}
    everything = ({k: v for k, v in (person | patient).items() if v is not None}, *resources)
    return {"resourceType": "Bundle", "entry": [{"resource": one} for one in everything]}


def meds(*rows: tuple[str, float | None, str | None]) -> pa.Table:
    born, seen = datetime.datetime(1954, 3, 2), datetime.datetime(2026, 10, 2)  # noqa: DTZ001
    events = [{"code": "SEX//male"}, {"code": "MEDS_BIRTH", "time": born}]
    events += [{"code": c, "numeric_value": v, "unit": u, "time": seen} for c, v, u in rows]
    return pa.Table.from_pylist([{"subject_id": 1} | one for one in events], schema=EVENTS)


SENT = {
    "kilograms and centimetres": bundle(
        observation("29463-7", 80, "kg"), observation("8302-2", 180, "cm")
    ),
    "pounds and inches": bundle(
        observation("3141-9", 176.369810, "[lb_av]"), observation("8308-9", 70.866142, "[in_i]")
    ),
    "metres": bundle(observation("3142-7", 80_000, "g"), observation("3137-7", 1.8, "m")),
    "MEDS": meds(
        ("MEASUREMENT//LOINC//29463-7", 176.369810, "lb"), ("OBSERVATION//LOINC//8302-2", 1.8, "m")
    ),
    "a form": {"facts": FORM | {"age": "1954-03-02", "weight": "176.36981 lb", "height": "1.8 m"}},
}


@pytest.mark.parametrize("sent", SENT)
def test_a_patient_sent_under_standard_codes_gets_the_answer_of_the_form(
    model: Artifact, sent: str
) -> None:
    wanted = ask(model, {"facts": FORM}).recommendation
    found = ask(model, SENT[sent]).recommendation
    assert wanted.state == found.state == "dose"
    assert (found.headline, found.dose, found.options) == (
        wanted.headline,
        wanted.dose,
        wanted.options,
    )
    known = {fact.fact: fact.value for fact in found.known}
    assert known["age"] == "72 years (read as 70 to 79), from the date of birth"


def test_the_answer_says_what_came_from_what(model: Artifact) -> None:
    found = ask(model, SENT["pounds and inches"])
    known = {fact.fact: fact.value for fact in found.recommendation.known}
    assert known["weight"] == "80 kg, from LOINC 3141-9 of 02-Oct-2026"
    assert known["height"] == "180 cm, from LOINC 8308-9 of 02-Oct-2026"
    assert found.reading.not_used == ()


@pytest.mark.parametrize(
    ("patient", "why"),
    [
        ({"facts": {"sex": "male"}}, ("age", "weight")),
        (bundle(birthDate=None), ("age", "weight")),
        (bundle(), ("weight",)),
        (bundle(observation("29463-7", 80, "kg"), birthDate=None), ("age",)),
    ],
)
def test_without_age_or_weight_there_is_no_dose(
    model: Artifact, patient: dict, why: tuple[str, ...]
) -> None:
    advice = ask(model, patient).recommendation
    assert (advice.state, advice.headline) == (
        "fact_missing",
        f"No answer yet: {why[0]} is not recorded.",
    )
    assert all(name in " ".join(advice.lead) for name in why[1:])


def test_a_guideline_names_what_it_assumes(model: Artifact) -> None:
    def row(facts: dict) -> str:
        answer = ask(model, {"facts": facts}).recommendation.guideline
        return next(text for name, text, _ in answer if name == "IWPC formula without genes")

    assert row(FORM).endswith(
        " mg/wk (it assumes no enzyme inducer and no amiodarone, which are not recorded; it allows "
        "for VKORC1 unknown, CYP2C9 unknown and missing or mixed race)"
    )
    known = FORM | {"race": "White", "drug amiodarone": "no"}
    genes = "; it allows for VKORC1 unknown and CYP2C9 unknown)"
    assert row(known).endswith(
        f" mg/wk (it assumes no enzyme inducer, which is not recorded{genes}"
    )
    without = row(known | {"height": None})
    assert re.fullmatch(
        r"[\d.]+ mg/wk \(it assumes height 1[67]\d cm and no enzyme inducer, which are not "
        r"recorded; .*\)",
        without,
    )


def test_the_latest_number_counts_and_an_old_one_is_named(model: Artifact) -> None:
    two = bundle(
        observation("29463-7", 95, "kg", "2026-01-02"),
        observation("3141-9", 80, "kg", "2026-10-02"),
    )
    assert "80 kg, from LOINC 3141-9" in str(ask(model, two).recommendation.known)
    old = ask(model, bundle(observation("29463-7", 80, "kg", "2019-01-02")))
    assert old.recommendation.state == "fact_missing"
    why = "weight is of 02-Jan-2019, older than 366 days."
    assert any(why in text for text in old.reading.required), old.reading.required
    assert old.reading.not_used == (
        "Given but not used: weight. It is of 02-Jan-2019, older than 366 days; give a newer one.",
    )


@pytest.mark.parametrize(
    ("value", "unit", "why"),
    [
        (165, None, "was sent as 165 without a unit"),
        (1650, None, "was sent as 1650 without a unit"),
        (11, "cubits", "was sent in cubits, which is not a unit posology knows"),
        (11, "kPa", "was sent in kPa, which cannot be read as kg"),
        (11, "Anna of Dorf", "was sent in a unit posology does not know"),
    ],
)
def test_a_needed_number_in_no_usable_unit_is_named_and_gives_no_answer(
    model: Artifact, tmp_path: Path, value: float, unit: str | None, why: str
) -> None:
    sent = bundle(observation("29463-7", value, unit))
    file = tmp_path / "p.json"
    file.write_text(json.dumps(sent), encoding="utf-8")
    for patient in (sent, file):
        found = ask(model, patient)
        assert found.recommendation.state == "fact_missing"
        assert found.recommendation.headline == f"No answer yet: weight {why}."
        assert found.reading.not_used[0] == (
            f"Given but not used: weight. It {why}; send it with its unit, such as kg."
        )


def test_a_number_in_no_usable_unit_is_named(model: Artifact) -> None:
    found = ask(model, bundle(observation("3142-7", 80, None), observation("8302-2", 5, "kPa")))
    assert found.reading.not_used[:2] == (
        "Given but not used: weight. It was sent as 80 without a unit; send it with its unit, such "
        "as kg.",
        "Given but not used: height. It was sent in kPa, which cannot be read as cm; send it with "
        "its unit, such as cm.",
    )


def test_a_weight_that_cannot_be_right_stops_the_answer(model: Artifact) -> None:
    with pytest.raises(RecordError, match="`weight` of 600 kg cannot be right: it must be from 20"):
        ask(model, bundle(observation("29463-7", 600, "kg")))


def test_the_facts_of_the_study_come_first(model: Artifact) -> None:
    both = meds(("MEASUREMENT//LOINC//29463-7", 95, "kg"), ("WEIGHT", 80, None))
    known = {fact.fact: fact.value for fact in ask(model, both).recommendation.known}
    assert known["weight"] == "80 kg"


def test_a_drug_counts_while_its_order_is_recent(model: Artifact) -> None:
    def order(day: str) -> dict:
        system = "http://www.nlm.nih.gov/research/umls/rxnorm"
        return {
            "resourceType": "MedicationRequest",
            "status": "active",
            "intent": "order",
            "subject": {"reference": "Patient/p"},
            "authoredOn": day,
            "medicationCodeableConcept": {"coding": [{"system": system, "code": "703"}]},
        }

    weight = observation("29463-7", 80, "kg")
    known = ask(model, bundle(weight, order("2026-10-02"))).recommendation.known
    assert "from RXNORM 703 of 02-Oct-2026" in str(known)
    old = ask(model, bundle(weight, order("2024-10-02")))
    assert "amiodarone" not in str(old.recommendation.known)
    assert "older than 100 days" in " ".join(old.reading.not_used)


@pytest.mark.parametrize("birth", ["2026-11-29", "2990-01-01"])
def test_a_date_of_birth_after_the_decision_is_refused(model: Artifact, birth: str) -> None:
    with pytest.raises(RecordError, match="after the decision"):
        ask(model, {"facts": FORM | {"age": birth}})


def test_years_are_completed_on_the_birthday() -> None:
    born = datetime.datetime(1956, 11, 28)  # noqa: DTZ001
    day = datetime.timedelta(days=1)
    assert completed_years(born, born.replace(year=2026)) == 70
    assert completed_years(born, born.replace(year=2026) - day) == 69


def test_a_code_without_family_is_any_result() -> None:
    spec = StandardFact("WEIGHT", ("LOINC//29463-7",), unit="kg")
    assert spec.codes == ("MEASUREMENT//LOINC//29463-7", "OBSERVATION//LOINC//29463-7")
    assert not spec.is_sent_as("ALLERGY//LOINC//29463-7")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            'fact = "WEIGHT"',
            'fact = "WIEGHT"',
            "[[profile.standard]] fact `WIEGHT` is unknown; did",
        ),
        ('unit = "kg"\n', "", "found as 'number': add `unit`, such as \"kg\"."),
        ('how = "age_decades"', 'how = "age_decades"\nunit = "a"', "remove `unit`."),
    ],
)
def test_an_entry_that_cannot_be_used_is_an_error(old: str, new: str, message: str) -> None:
    path: Path = shipped_study_path("iwpc")
    text = path.read_text(encoding="utf-8")
    head, table, rest = text.partition("[[profile.standard]]")
    assert old in rest
    with pytest.raises(StudyError) as error:
        parse_study(head + table + rest.replace(old, new, 1), "iwpc.toml")
    assert message in str(error.value)


def test_a_fact_that_the_model_does_not_know_is_left_out(model: Artifact) -> None:
    study = replace(model.study, profile=replace(model.study.profile, standard=()))
    other = replace(model, study=study)
    assert ask(other, SENT["kilograms and centimetres"]).recommendation.state == "fact_missing"


def test_a_weight_without_a_unit_in_meds_is_no_kilograms(model: Artifact) -> None:
    found = ask(model, meds(("MEASUREMENT//LOINC//29463-7", 165, None)))
    assert found.recommendation.headline == (
        "No answer yet: weight was sent as 165 without a unit."
    )
    assert found.reading.not_used[0].endswith("send it with its unit, such as kg.")
