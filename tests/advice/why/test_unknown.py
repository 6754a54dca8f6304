"""An answer without a needed fact begins with it, and with how far its dose may be off."""

import re
from dataclasses import replace

import numpy as np
import pytest

from posology.advice.form.build import build_form
from posology.advice.form.training_facts import EVIDENCE, measure_facts
from posology.advice.why.evidence import EVIDENCE as WHY
from posology.advice.why.evidence import measure_why
from posology.advice.why.facts import CHOICE, Fact, FactValue
from posology.advice.why.unknown import DosedWithout, _together
from posology.artifact import Artifact
from posology.domain.cohort import TRAIN, VALIDATION, select_split
from posology.domain.recommendation.option import DoseAdvice
from posology.domain.serialization import serialize
from posology.workflows.recommend import recommend
from tests.builders.policies import fitted_policy, iwpc_cohort
from tests.builders.reasons import EGFR, patient, policy

NEEDED = ("AGE_DECADE", "WEIGHT")
FORM = {"sex": "male", "age": "60-69", "height": 180, "weight": 80}


@pytest.fixture(scope="module")
def model() -> Artifact:
    cohort = iwpc_cohort()
    train, validation = (select_split(cohort, split) for split in (TRAIN, VALIDATION))
    facts = measure_facts(train)
    form = build_form(cohort.study, cohort.profile, facts)
    evidence = {EVIDENCE: serialize(facts, {}), WHY: measure_why(train, validation, form, None)}
    needs = replace(cohort.study.profile, required_for_advice=NEEDED, may_be_unknown=NEEDED)
    return Artifact(
        fitted_policy("formula_refit"), replace(cohort.study, profile=needs), evidence, ""
    )


def ask(model: Artifact, **facts: object):
    return recommend(model, {"facts": FORM | facts}, reasons=False)


def test_nobody_is_dosed_in_silence_without_a_needed_fact(model: Artifact) -> None:
    blank = ask(model, weight=None)
    assert blank.recommendation.state == "fact_missing"
    assert blank.to_json()["dose"] is None
    assert blank.recommendation.lead[0] == (
        "The study needs it. Where nobody can tell it, the form may say \u201cnot known\u201d."
    )
    stated = ask(model, weight="not known").recommendation
    assert stated.state == "dose"
    assert stated.headline.startswith("Weight not known: this patient likely needs ")
    assert stated.callouts[0].startswith("Weight is not known. ")
    assert [fact.fact for fact in stated.missing if fact.is_required] == ["weight"]


def test_the_range_is_that_of_the_doses_with_the_values_of_training(model: Artifact) -> None:
    stated = ask(model, weight="Unknown").recommendation
    text = stated.callouts[0]
    found = re.search(r"With (\d+) to (\d+) kg, .* it would be (\d+) to (\d+) mg/wk\.", text)
    assert found is not None, text
    first, last, low, high = (float(part) for part in found.groups())
    ends = [ask(model, weight=weight).recommendation.dose for weight in (first, last)]
    assert all(end is not None for end in ends)
    assert [end.exact for end in ends if end] == pytest.approx([low, high], abs=1.0)
    about = re.search(r"The dose is that for about (\d+) kg", text)
    assert about is not None
    same = ask(model, weight=float(about[1])).recommendation.dose
    assert stated.dose is not None
    assert same is not None
    assert same.exact == pytest.approx(stated.dose.exact, abs=0.5)


def test_two_unknown_facts_are_varied_together(model: Artifact) -> None:
    stated = ask(model, weight="not known", age="not known").recommendation
    assert stated.headline.startswith("Age and weight not known: this patient ")
    alone = [re.findall(r"(\d+) to (\d+) mg/wk", text)[0] for text in stated.callouts[:2]]
    (both,) = re.findall(r"Together they could make it (\d+) to (\d+) mg/wk", stated.callouts[2])
    width = [float(high) - float(low) for low, high in (*alone, both)]
    assert width[2] >= max(width[:2])
    assert np.isfinite(width).all()


def test_of_a_choice_the_values_with_the_lowest_and_highest_dose_are_varied_together() -> None:
    """Once its first and its last code, also where one between them has the highest dose."""
    weights = {"SEX//female": 20.0, "SEX//male": 30.0, "CONDITION//failing": 10.0}
    codes = tuple((code, (weight, 0.0, 0.0)) for code, weight in weights.items())
    numbers = (("LAB//egfr", (0.5, 0.0, 0.0)),)
    linear = policy(level=(10.0, 0.0, 0.0), numbers=numbers, codes=codes)
    values = tuple(FactValue(row, None, 1 / 3) for row in (2, 3, 4))
    choice = Fact("choice", "", CHOICE, (2, 3, 4), values, 1.0)
    blank = patient((("DRUG//b", np.nan),), (("DRUG//b", np.nan),))
    dosed = DosedWithout(linear, blank, DoseAdvice(10.0, "mg", 10.0, (0.0, 500.0)))
    assert _together(dosed, (choice, EGFR)) == "Together they could make it 35 to 85 mg."


def test_a_fact_that_the_study_does_not_let_be_unknown_stops_the_answer(model: Artifact) -> None:
    profile = replace(model.study.profile, may_be_unknown=("AGE_DECADE",))
    strict = replace(model, study=replace(model.study, profile=profile))
    stated = ask(strict, weight="not known").recommendation
    assert stated.headline == "No answer yet: weight is not recorded."
    assert stated.lead[0] == "The study needs it."
    assert (
        ask(strict, height="not known").recommendation.callouts
        == ask(strict, height=None).recommendation.callouts
    )


def test_records_have_no_word_for_it_and_stay_without_an_answer(model: Artifact) -> None:
    known = recommend(model, {"facts": FORM}, at="2026-11-28").recommendation
    assert known.headline.startswith("This patient likely needs")
    events = {"code": "SEX//male"}
    body = {"facts": {"age": "60-69"}, "events": [events]}
    assert recommend(model, body).recommendation.state == "fact_missing"


def test_a_model_without_the_values_of_training_says_so(model: Artifact) -> None:
    bare = replace(model, evidence={EVIDENCE: model.evidence[EVIDENCE]})
    text = ask(bare, weight="not known").recommendation.callouts[0]
    assert text == (
        "Weight is not known. This model was saved without what that does to the dose: fit it "
        "again to see it."
    )
