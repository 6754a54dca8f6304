"""A study's own criteria, for the patient at hand."""

from dataclasses import replace

import numpy as np
import pytest

from posology.advice.eligibility import ELIGIBLE, check_eligibility
from posology.cohorts.study.reader import read_study
from posology.domain.safety_rules.facts import VisibleFacts
from posology.domain.safety_rules.rule import Criterion, Fact
from posology.domain.study import Bounds, ValueRange

HBA1C, PREGNANT = "MEASUREMENT//LOINC//59261-8", "CONDITION//SNOMED//77386006"
STUDY = read_study("clinic")
STUDY = replace(
    STUDY,
    decision=replace(
        STUDY.decision,
        excluded=(PREGNANT,),
        ranges=(ValueRange((HBA1C,), Bounds(48.0, 120.0)),),
        new_users_days=365.0,
    ),
    advice=replace(STUDY.advice, min_age=18.0, max_age=90.0),
    names=(*STUDY.names, (PREGNANT, "pregnancy")),
)


def facts(numbers: dict[str, float], codes: tuple[str, ...] = (), used: float = np.nan):
    """What is visible: last numbers, codes, and days since an option was given."""
    known = {*numbers, *codes}
    return VisibleFacts(
        np.zeros(1),
        lambda of: np.array([any(code in known for code in of)]),
        lambda of: np.array([next((numbers[c] for c in of if c in numbers), np.nan)]),
        lambda of, numeric: np.array([used if "DRUG//RXNORM//475968" in of else np.nan]),
    )


NOT_MET = [
    (facts({HBA1C: 64.0}), (12.0, 12.0), "It is for patients from 18 to 90 years, and this "),
    (facts({HBA1C: 64.0}), (91.0, 99.0), "this patient is 91 to 99 years old."),
    (facts({HBA1C: 40.0}), (50.0, 50.0), "whose HbA1c is at least 48 and at most 120 mmol/mol, n"),
    (facts({HBA1C: 64.0}, (PREGNANT,)), (50.0, 50.0), "with this on record: pregnancy."),
    (facts({HBA1C: 64.0}, used=30.0), (50.0, 50.0), "and this one had GLP-1 receptor agonist"),
]


@pytest.mark.parametrize(("visible", "age", "said"), NOT_MET)
def test_a_criterion_that_is_not_met_is_named(visible, age, said: str) -> None:
    (sentence,) = check_eligibility(STUDY, visible, age).not_met
    assert said in sentence


def test_what_is_not_known_is_asked_for() -> None:
    assert check_eligibility(STUDY, facts({HBA1C: 64.0}, used=400.0), (18.0, 18.0)) == ELIGIBLE
    assert check_eligibility(STUDY, facts({}), (50.0, 50.0)).required == (
        "No answer yet: HbA1c is not recorded.",
        "The study is for patients of whom it is known.",
    )
    assert check_eligibility(STUDY, facts({HBA1C: 64.0}), (10.0, 19.0)).required == (
        "No answer yet: an age of 10 to 19 years is not exact enough.",
        "The study is for patients from 18 to 90 years: give the age in years.",
    )
    assert check_eligibility(STUDY, facts({HBA1C: 64.0}), None).undecided == (
        "Age is not recorded. The study is for patients from 18 to 90 years.",
    )


LAB = "MEASUREMENT//LOINC//1"
CRITERIA = replace(
    STUDY,
    decision=replace(
        STUDY.decision,
        eligible=(),
        excluded=(),
        ranges=(),
        new_users_days=None,
        criteria=(
            Criterion(Fact((PREGNANT,)), holds=False),
            Criterion(Fact((LAB,), "creatinine", at_most=130.0, unit="umol/L")),
            Criterion(Fact(("MEDS_BIRTH",), at_least=40.0, unit="years", is_age=True)),
        ),
    ),
)


def test_criteria_of_the_study_are_judged_for_the_patient() -> None:
    def judge(numbers: dict[str, float], codes: tuple[str, ...] = (), age: float = 50.0):
        return check_eligibility(CRITERIA, facts(numbers, codes), (age, age))

    assert judge({LAB: 90.0}) == ELIGIBLE
    assert judge({LAB: 90.0}, (PREGNANT,)).not_met == (
        "It is not for patients with this on record: pregnancy.",
    )
    assert judge({LAB: 200.0}).not_met == (
        "It is for patients with creatinine at most 130 umol/L, not 200.",
    )
    assert judge({}).required[0].startswith("No answer yet: ")
    assert judge({LAB: 90.0}, age=30.0).not_met == (
        "It is for patients from 40 to 90 years, and this patient is 30 years old.",
    )


def test_an_age_below_a_bound_is_judged_by_whole_years() -> None:
    """A patient of 66 was taken into a study of those below 66."""
    young = Criterion(Fact(("MEDS_BIRTH",), below=66.0, unit="years", is_age=True))
    decision = replace(CRITERIA.decision, criteria=(young,))
    study = replace(CRITERIA, decision=decision)
    for age in (65.0, 65.5, 65.99):
        assert check_eligibility(study, facts({}, ()), (age, age)) == ELIGIBLE
    assert check_eligibility(study, facts({}, ()), (66.0, 66.0)).not_met == (
        "It is for patients from 18 to 65 years, and this patient is 66 years old.",
    )
