"""How the facts of a form are grouped, labelled and folded."""

import pytest
from fastapi import FastAPI

from posology.advice.form.field import Field
from posology.cohorts.study.reader import read_study
from posology.service.identity.callers import CLINICIAN
from posology.service.pages.facts_form import fact_groups
from posology.service.pages.field_groups import (
    GENES,
    HISTORY,
    LABORATORY,
    MEDICINES,
    PERSON,
    FieldOrder,
    group_of,
    plain_label,
)
from posology.workflows.advice.what_if import FactValue
from tests.builders.pages import signed_in

_YES = (("yes", "DRUG//amiodarone//yes"), ("no", "DRUG//amiodarone//no"))
SPELT = tuple((f"word {at}", f"COMORBIDITY//word {at}") for at in range(30))
FIELDS = (
    Field("condition in the hospital's words", "COMORBIDITY", "choice", SPELT, several=True),
    Field("drug aspirin", "DRUG//aspirin", "yes_no", (("yes", "DRUG//aspirin//yes"), ("no", ""))),
    Field("drug amiodarone", "DRUG//amiodarone", "yes_no", _YES),
    Field("CYP2C9", "GENOTYPE//CYP2C9", "choice", (("*1/*1", "GENOTYPE//CYP2C9//*1/*1"),)),
    Field("weight", "MEASUREMENT//LOINC//29463-7", "number", unit="kg"),
    Field("HbA1c", "MEASUREMENT//LOINC//59261-8", "number", unit="mmol/mol"),
    Field("age", "AGE_DECADE", "age", age_as="decades"),
    Field("sex", "SEX", "choice", (("female", "SEX//female"),), role="sex"),
)
ORDER = FieldOrder(
    frozenset({"DRUG//amiodarone//yes"}), {"DRUG//aspirin//yes": 0.1, "GENOTYPE//CYP2C9//*1/*1": 1}
)


def labels(fields: tuple) -> list[str]:
    return [field.label for field in fields]


def test_facts_stand_in_clinical_groups_the_important_ones_first() -> None:
    groups = fact_groups([FactValue(field, "") for field in FIELDS], {}, {}, ORDER)
    assert [group.heading for group in groups] == [PERSON, MEDICINES, LABORATORY, GENES, HISTORY]
    assert [labels(group.shown) for group in groups[:4]] == [
        ["Sex", "Age", "Weight"],
        ["Amiodarone"],
        ["HbA1c"],
        ["CYP2C9"],
    ]
    assert labels(groups[1].folded) == ["Aspirin"]


def test_words_of_hospitals_are_folded_unless_they_are_to_be_mended() -> None:
    has_it = (("yes", "CONDITION//diabetes//yes"), ("no", ""))
    more = (*FIELDS, Field("condition diabetes", "CONDITION//diabetes", "yes_no", has_it))
    order = FieldOrder(frozenset({"CONDITION//diabetes"}), ORDER.shares)
    values = [FactValue(field, "") for field in more]
    history = fact_groups(values, {}, {}, order)[-1]
    assert labels(history.shown) == ["Diabetes"]
    assert labels(history.folded) == ["Condition in the hospital's words"]
    assert not history.is_open
    history = fact_groups(values, {}, {"fact-0": "mend it"}, order)[-1]
    assert labels(history.shown) == ["Condition in the hospital's words", "Diabetes"]


@pytest.mark.parametrize(
    ("code", "kind", "group"),
    [
        ("LIFESTYLE//smoking_status", "choice", PERSON),
        ("DRUG_PER_DAY//RXNORM//6809", "number", MEDICINES),
        ("OUR_LAB", "number", LABORATORY),
        ("PHENOTYPE//CYP2C19", "choice", GENES),
        ("OURS", "choice", HISTORY),
    ],
)
def test_the_family_of_a_code_decides_its_group(code: str, kind: str, group: str) -> None:
    assert group_of(Field("a fact", code, kind)) == group


def test_a_label_under_a_heading_leaves_its_family_out() -> None:
    assert plain_label(Field("drug azole antifungals", "DRUG//azole", "yes_no")) == (
        "azole antifungals"
    )
    assert plain_label(Field("CYP2C9", "GENOTYPE//CYP2C9", "choice")) == "CYP2C9"


def test_choices_have_the_study_s_labels_and_the_model_s_values() -> None:
    names = dict(read_study("iwpc").names)
    assert names["ETHNICITY//not_hispanic"] == "not Hispanic"
    choices = (("3", "INDICATION//3"), ("not_hispanic", "x"))
    field = Field("indication", "INDICATION", "choice", choices, titles=("atrial fibrillation", ""))
    [group] = fact_groups([FactValue(field, "3")], {}, {}, FieldOrder())
    assert group.shown[0].options == (
        ("3", "atrial fibrillation"),
        ("not_hispanic", "not hispanic"),
    )


def test_genes_are_a_group_of_the_question_s_form(app: FastAPI) -> None:
    """They stood under `36 more facts`."""
    browser = signed_in(app, CLINICIAN)
    page = browser.get("/ask").text
    genes = page.partition("<legend>Genes</legend>")[2]
    shown = genes.partition("<details")[0]
    assert "VKORC1 -1639</label>" in shown
    assert "more facts" not in page
