"""The model's page: the verdict first, harm beside benefit, what is not known shown as such."""

from dataclasses import replace

import pytest

from posology.artifact import Artifact
from posology.domain.recommendation.evidence import GroupEvidence
from posology.domain.recommendation.option import Estimate
from posology.language.catalogue import GERMAN, in_language
from posology.service.pages.model.content import model_page
from posology.workflows.advice.keys import DOSE, EFFECTS, STUDY
from tests.builders.german import english_left
from tests.builders.model_evidence import ERRORS, as_json
from tests.builders.patient_evidence import estimate, evidence
from tests.builders.policies import fitted_policy, iwpc_cohort


def model(**kept: object) -> Artifact:
    return Artifact(fitted_policy("logistic"), iwpc_cohort().study, dict(kept), "d" * 64)


def test_errors_of_the_dose_stand_beside_those_of_each_rule() -> None:
    page = model_page("warfarin", model(**{DOSE: as_json(ERRORS), "train": 4411}), "k")
    assert (
        page.headline == "The dose is off by 8.5 mg a week on average, 0.3 less than the best rule"
    )
    assert [tag.text for tag in page.tags] == [
        "Better dose than all rules",
        "Checked on 917 patients kept aside",
    ]
    assert page.compared is not None
    rows = page.compared.rows
    assert [(r.name, r.kind, r.verdict) for r in rows] == [
        ("This model", "reference", ""),
        ("Formula", "good", "better"),
        ("Fixed", "good", "better"),
    ]
    assert page.calibration is not None
    assert page.calibration.rows[1] == ("20", "25", "18 to 32", "150")
    assert page.calibration.picture.count("<circle") == len(ERRORS.calibration)
    assert page.evidence.startswith("Learned from 4,411 decisions.")


@pytest.mark.parametrize(
    ("difference", "words"),
    [
        (estimate(0.1, 0.3), "; no clear difference to the best rule"),
        (estimate(0.9, 0.3), ", 0.9 more than the best rule"),
    ],
)
def test_a_rule_that_is_as_good_or_better_is_named_so(difference: Estimate, words: str) -> None:
    rules = (replace(ERRORS.rules[0], difference=difference),)
    page = model_page("w", model(**{DOSE: as_json(replace(ERRORS, rules=rules))}), "k")
    assert page.headline.endswith(words)
    assert "Better" not in page.tags[0].text


def test_options_and_groups_show_who_is_served_worse() -> None:
    study = evidence(averages=(estimate(2.0, 4.0), estimate(-6.0, 4.0))).study
    groups = (
        GroupEvidence("sex", "female", 400, estimate(-3.0, 2.0)),
        GroupEvidence("sex", "male", 3, None),
    )
    kept = {EFFECTS: {STUDY: as_json(replace(study, groups=groups))}}
    page = model_page("w", model(**kept), "k")
    assert page.headline == "Choosing by the patient is not shown to gain over one option for all"
    assert page.compared is not None
    assert page.groups is not None
    assert [r.verdict for r in page.compared.rows] == ["", "no clear difference", "worse"]
    assert [(r.name, r.verdict) for r in page.groups.rows] == [("Sex female", "worse")]
    assert page.tags[-1].text == "Worse for 1 group"


def test_without_evidence_nothing_is_claimed() -> None:
    page = model_page("w", model(), "k")
    assert page.headline.endswith("what it is worth was not measured")
    assert page.compared is None
    assert page.calibration is None
    empty = [row for group in page.facts for row in group.rows if row[2]]
    given = sum(len(group.rows) for group in page.facts) - len(empty)
    assert page.facts_note.startswith(f"{given} of the 31 source attributes are given.")
    assert {row[1] for row in empty} == {"Not provided"}


def test_rules_have_the_titles_that_the_patient_page_gives_them() -> None:
    """`Pgx formula` and `Fixed` stood here for the names that the answer gives them."""
    rules = tuple(
        replace(rule, name=name)
        for rule, name in zip(ERRORS.rules, ("pgx_formula", "fixed"), strict=True)
    )
    page = model_page("w", model(**{DOSE: as_json(replace(ERRORS, rules=rules))}), "k")
    assert page.compared is not None
    assert [row.name for row in page.compared.rows[1:]] == [
        "IWPC formula with genes",
        "Usual start, 5 mg a day for everyone",
    ]


def test_in_german_only_what_was_written_at_the_fit_is_english() -> None:
    study = evidence(averages=(estimate(2.0, 4.0), estimate(-6.0, 4.0))).study
    groups = (GroupEvidence("sex", "female", 1400, estimate(-3.0, 2.0)),)
    kept = {EFFECTS: {STUDY: as_json(replace(study, groups=groups))}}
    with in_language(GERMAN):
        dose = model_page("w", model(**{DOSE: as_json(ERRORS), "train": 4411}), "k")
        page = model_page("w", model(**kept), "k")
    assert dose.headline == (
        "Die Dosis liegt im Mittel um 8,5 mg a week daneben, 0,3 weniger als bei der besten Regel"
    )
    assert dose.evidence.startswith("Gelernt aus 4.411 Entscheidungen.")
    assert dose.calibration is not None
    assert dose.calibration.rows[1] == ("20", "25", "18 bis 32", "150")
    assert page.compared is not None
    assert page.groups is not None
    tables = [page.compared, page.groups, dose.compared]
    words = [(t.heading, t.note, *t.heads, *t.sides) for t in tables if t is not None]
    shown = " ".join([page.headline, page.lead, *(text for part in words for text in part)])
    assert english_left(shown, iwpc_cohort().study) == []
    assert page.tags[-1].text == "Schlechter für 1 Gruppe"
    assert [row.value for row in page.groups.rows] == ["1.400"]
