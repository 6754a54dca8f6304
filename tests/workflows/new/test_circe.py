"""Cohort definitions of ATLAS: what a study says of them, and what it refuses."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from posology.cohorts.study.reader import parse_study
from posology.domain.study import Decision
from posology.errors import UserError
from posology.workflows.new.circe.definition import decision_lines, read_definition
from posology.workflows.new.project import plan_project
from posology.workflows.new.request import Request


def concept_set(number: int, name: str, *codes: str, below: bool = False) -> dict[str, Any]:
    items = [
        {
            "concept": {
                "CONCEPT_ID": 100 * number + at,
                "CONCEPT_CODE": code,
                "VOCABULARY_ID": "SNOMED",
                "CONCEPT_NAME": name,
            },
            "includeDescendants": below,
        }
        for at, code in enumerate(codes)
    ]
    return {"id": number, "name": name, "expression": {"items": items}}


def criterion(
    number: int, days: int | None = None, count: tuple[int, int] = (2, 1), table: str = ""
) -> dict[str, Any]:
    return {
        "Criteria": {table or "ConditionOccurrence": {"CodesetId": number}},
        "StartWindow": {"Start": {"Days": days, "Coeff": -1}, "End": {"Days": 0, "Coeff": 1}},
        "Occurrence": {"Type": count[0], "Count": count[1]},
    }


def rule(*criteria: dict[str, Any], kind: str = "ALL", **more: Any) -> dict[str, Any]:
    group = {"Type": kind, "CriteriaList": list(criteria), **more}
    return {"name": "a rule", "expression": group}


def definition(*rules: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Entry at a review (code 1), and sets 1 to 3 of conditions."""
    return {
        "ConceptSets": [
            concept_set(0, "review", "1"),
            concept_set(1, "diabetes", "11", "12"),
            concept_set(2, "cancer", "21"),
            concept_set(3, "stroke", "31"),
        ],
        "PrimaryCriteria": {
            "CriteriaList": [{"ProcedureOccurrence": {"CodesetId": 0}}],
            "ObservationWindow": {"PriorDays": 365, "PostDays": 0},
            "PrimaryCriteriaLimit": {"Type": "All"},
        },
        "QualifiedLimit": {"Type": "First"},
        "ExpressionLimit": {"Type": "First"},
        "InclusionRules": list(rules),
        "EndStrategy": {"DateOffset": {"DateField": "StartDate", "Offset": 7}},
        "CollapseSettings": {"CollapseType": "ERA", "EraPad": 0},
        "CensorWindow": {},
        "cdmVersionRange": ">=5.0.0",
        **more,
    }


def write(tmp_path: Path, body: dict[str, Any]) -> Path:
    path = tmp_path / "adults.json"
    path.write_text(json.dumps(body), encoding="utf-8")
    return path


def decision(tmp_path: Path, body: dict[str, Any], cdm: Path | None = None) -> Decision:
    """As the study file of a new project has it."""
    folder = cdm or tmp_path / "cdm"
    folder.mkdir(exist_ok=True)
    request = Request(tmp_path / "p", "omop", folder, circe=write(tmp_path, body))
    return parse_study(plan_project(request).files["study.toml"], "study.toml").decision


def test_entry_history_rules_and_people_become_a_decision(tmp_path) -> None:
    person = {"Age": {"Value": 18, "Op": "gte"}, "Gender": [{"CONCEPT_ID": 8532}]}
    made = decision(
        tmp_path,
        definition(
            rule(criterion(1), DemographicCriteriaList=[person]),
            rule(criterion(2, 365, (0, 0)), criterion(3, count=(1, 0))),
        ),
    )
    assert made.codes == ("PROCEDURE//SNOMED//1",)
    assert (made.which, made.history_days) == ("first", 365.0)
    diabetes, age, sex, cancer, stroke = made.criteria
    assert diabetes.fact.codes == ("CONDITION//SNOMED//11", "CONDITION//SNOMED//12")
    assert (diabetes.holds, diabetes.fact.within_days) == (True, None)
    assert (age.fact.is_age, age.fact.at_least) == (True, 18.0)
    assert sex.fact.codes == ("SEX//female",)
    assert (cancer.holds, cancer.fact.within_days) == (False, 365.0)
    assert (stroke.holds, stroke.fact.within_days) == (False, None)


@pytest.mark.parametrize(
    ("operator", "value", "extent", "low", "below"),
    [
        *[("gte", 18, None, 18, None), ("gt", 18, None, 19, None), ("lt", 65, None, None, 65)],
        *[("lte", 65, None, None, 66), ("bt", 18, 65, 18, 66), ("eq", 40, None, 40, 41)],
    ],
)
def test_whole_years_of_age_become_years(tmp_path, operator, value, extent, low, below) -> None:
    age = {"Value": value, "Op": operator, "Extent": extent}
    body = definition(rule(DemographicCriteriaList=[{"Age": age}]))
    (line,) = decision(tmp_path, body).criteria
    assert (line.fact.at_least, line.fact.below) == (low, below)


def test_any_of_several_is_one_list_and_none_of_them_is_none_of_each(tmp_path) -> None:
    pair = (criterion(1, 90), criterion(2, 90))
    (line,) = decision(tmp_path, definition(rule(*pair, kind="ANY"))).criteria
    codes = [f"CONDITION//SNOMED//{code}" for code in (11, 12, 21)]
    assert (list(line.fact.codes), line.fact.within_days) == (codes, 90.0)
    none = decision(tmp_path, definition(rule(*pair, kind="AT_MOST", Count=0))).criteria
    assert [line.holds for line in none] == [False, False]
    both = decision(tmp_path, definition(rule(*pair, kind="AT_LEAST", Count=2))).criteria
    assert [line.holds for line in both] == [True, True]


def test_descendants_are_those_of_the_vocabulary(tmp_path) -> None:
    body = definition(rule(criterion(1)))
    body["ConceptSets"][1] = concept_set(1, "diabetes", "11", below=True)
    body["ConceptSets"][1]["expression"]["items"].append(
        {**concept_set(9, "", "14")["expression"]["items"][0], "isExcluded": True}
    )
    cdm = tmp_path / "cdm"
    cdm.mkdir()
    rows = ["concept_id\tvocabulary_id\tconcept_code"]
    rows += [f"{number}\tSNOMED\t{code}" for number, code in ((100, 11), (7, 13), (8, 14))]
    (cdm / "CONCEPT.csv").write_text("\n".join(rows) + "\n")
    pairs = ["ancestor_concept_id\tdescendant_concept_id", "100\t100", "100\t7", "100\t8", "5\t6"]
    (cdm / "CONCEPT_ANCESTOR.csv").write_text("\n".join(pairs) + "\n")
    (line,) = decision(tmp_path, body, cdm).criteria
    assert line.fact.codes == ("CONDITION//SNOMED//11", "CONDITION//SNOMED//13")


def test_a_missing_vocabulary_is_one_reason_however_many_concepts_want_it(tmp_path) -> None:
    body = definition(rule(criterion(1)))
    body["ConceptSets"][1:3] = [
        concept_set(1, "diabetes", "11", "12", below=True),
        concept_set(2, "cancer", "21", below=True),
    ]
    with pytest.raises(UserError, match=r"descendants \(and of 2 more concepts\) need") as error:
        read_definition(write(tmp_path, body))
    assert str(error.value).count("\n  $.") == 1


def test_a_vocabulary_without_the_concepts_is_refused(tmp_path) -> None:
    """As in Synthea's OMOP folder, whose concept_ancestor has no rows: nothing would be below."""
    body = definition(rule(criterion(1)))
    body["ConceptSets"][1] = concept_set(1, "diabetes", "11", below=True)
    concept = body["ConceptSets"][1]["expression"]["items"][0]["concept"]
    cdm = tmp_path / "cdm"
    cdm.mkdir()
    (cdm / "concept.csv").write_text("concept_id,vocabulary_id,concept_code\n100,SNOMED,11\n")
    pairs = "ancestor_concept_id,descendant_concept_id\n"
    (cdm / "concept_ancestor.csv").write_text(pairs)
    assert read_definition(write(tmp_path, body), cdm).criteria[0].codes
    concept["STANDARD_CONCEPT"] = "S"
    with pytest.raises(UserError, match=r"1 of 1 concepts, such as 100 \(diabetes\), are not in"):
        read_definition(write(tmp_path, body), cdm)
    (cdm / "concept_ancestor.csv").write_text(f"{pairs}100,100\n")
    assert read_definition(write(tmp_path, body), cdm).criteria[0].codes


def test_several_entries_of_a_patient_become_the_first_and_the_file_says_so(tmp_path) -> None:
    path = write(tmp_path, definition(ExpressionLimit={"Type": "All"}))
    text = "\n".join(decision_lines(read_definition(path)))
    assert "A patient has one time zero, the first; ATLAS takes All entries" in text
    path = write(tmp_path, definition())
    assert "ATLAS takes All" not in "\n".join(decision_lines(read_definition(path)))


def test_conditions_around_the_entry_event_are_conditions_at_time_zero(tmp_path) -> None:
    group = {"Type": "ALL", "CriteriaList": [criterion(1, 30)]}
    body = definition(rule(criterion(3)))
    entry = {"CodesetId": 0, "CorrelatedCriteria": group, "ProcedureTypeExclude": True}
    body["PrimaryCriteria"]["CriteriaList"] = [{"ProcedureOccurrence": entry}]
    diabetes, stroke = decision(tmp_path, body).criteria
    assert diabetes.fact.codes == ("CONDITION//SNOMED//11", "CONDITION//SNOMED//12")
    assert (diabetes.fact.within_days, stroke.fact.within_days) == (30.0, None)


def test_the_first_event_ever_is_the_first_where_nothing_else_is_asked(tmp_path) -> None:
    body = definition()
    body["PrimaryCriteria"]["CriteriaList"][0]["ProcedureOccurrence"]["First"] = True
    with pytest.raises(UserError, match="First: the first event ever, before the other cond"):
        read_definition(write(tmp_path, body))  # 365 days before it would pass over the first
    body["PrimaryCriteria"]["ObservationWindow"]["PriorDays"] = 0
    assert decision(tmp_path, body).codes == ("PROCEDURE//SNOMED//1",)
    ever = criterion(1)
    ever["Criteria"]["ConditionOccurrence"]["First"] = True
    (line,) = decision(tmp_path, definition(rule(ever))).criteria
    assert line.fact.within_days is None
    ever["StartWindow"]["Start"]["Days"] = 90
    with pytest.raises(UserError, match="First: the first event ever, within days"):
        read_definition(write(tmp_path, definition(rule(ever))))


def test_visits_have_the_codes_that_ingest_writes(tmp_path) -> None:
    stay = {
        "Criteria": {"VisitOccurrence": {"CodesetId": 4}},
        "StartWindow": criterion(1)["StartWindow"],
    }
    body = definition(rule(stay))
    visits = concept_set(4, "stay", "IP", "ERIP", "ER", "OMOP4822458")
    for item in visits["expression"]["items"]:
        item["concept"]["VOCABULARY_ID"] = "Visit"
    body["ConceptSets"].append(visits)
    (line,) = decision(tmp_path, body).criteria
    kinds = ("IMP", "EMER", "VISIT//OMOP4822458")
    assert line.fact.codes == tuple(f"VISIT//{kind}//start" for kind in kinds)


def test_the_envelope_of_atlas_is_opened_and_its_name_shown(tmp_path) -> None:
    path = write(tmp_path, {"name": "Adults", "expression": json.dumps(definition())})
    text = "\n".join(decision_lines(read_definition(path)))
    assert "ATLAS (Adults). CHECK: read each line." in text
    assert "# - Not used: EndStrategy: when patients leave the cohort" in text


def _changed(*keys: Any, to: Any) -> dict[str, Any]:
    """A definition with one value changed, at the path of its keys."""
    body = copy.deepcopy(definition(rule(criterion(1))))
    place: Any = body
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = to
    return body


FIRST = ("InclusionRules", 0, "expression", "CriteriaList", 0)
ENTRY = ("PrimaryCriteria", "CriteriaList", 0, "ProcedureOccurrence")
REFUSED = [
    (_changed(*FIRST, "StartWindow", "End", "Days", to=30), "StartWindow.End: looks after time z"),
    (
        _changed(*FIRST, "StartWindow", "Start", "Days", to=0),
        "StartWindow.Start: the day of time zero alone",
    ),
    (_changed(*FIRST, "StartWindow", to={}), r"CriteriaList\[0\].StartWindow.End: looks after"),
    (
        _changed(*FIRST, "StartWindow", "End", to={"Days": 1, "Coeff": -1}),
        "StartWindow.End: ends before time zero; a study looks until time zero",
    ),
    (_changed(*FIRST, "Occurrence", "Count", to=2), r"\[0\].Occurrence: counts 2 events; a stu"),
    (_changed(*FIRST, "EndWindow", to={"Start": {}}), r"\[0\].EndWindow: a window on the end"),
    (_changed(*FIRST, "RestrictVisit", to=True), r"\[0\].RestrictVisit: only the start"),
    (
        _changed(*FIRST, "Criteria", to={"DrugEra": {"CodesetId": 1}}),
        r"Criteria.DrugEra: DrugEra is not read \(an era is computed from exposures",
    ),
    (
        _changed(
            *FIRST, "Criteria", to={"Measurement": {"CodesetId": 1, "ValueAsNumber": {"a": 1}}}
        ),
        "Measurement.ValueAsNumber: ATLAS takes any value in the window, a study the last one",
    ),
    (_changed(*FIRST, "Criteria", "ConditionOccurrence", to={}), "any event of a table: choose a"),
    (
        _changed(*FIRST, "Criteria", "ConditionOccurrence", "CodesetId", to=7),
        "ConditionOccurrence.CodesetId: concept set 7 has no concept",
    ),
    (_changed("ExpressionLimit", "Type", to="Last"), r"\$.ExpressionLimit.Type: Last: a study tak"),
    (
        _changed(
            *FIRST,
            "Criteria",
            to={"Observation": {"CodesetId": 1, "CorrelatedCriteria": {"Type": "ALL"}}},
        ),
        "Observation.CorrelatedCriteria: conditions around an event that is not time zero",
    ),
    (
        _changed("PrimaryCriteria", "PrimaryCriteriaLimit", "Type", to="First"),
        r"PrimaryCriteriaLimit.Type: First before the other conditions",
    ),
    (
        _changed("PrimaryCriteria", "ObservationWindow", "PostDays", to=90),
        r"\$.PrimaryCriteria.ObservationWindow.PostDays: being followed later may not select",
    ),
    (_changed(*ENTRY, "First", to=True), "ProcedureOccurrence.First: the first event ever"),
    (_changed("CensorWindow", to={"StartDate": "2010-01-01"}), r"\$.CensorWindow: dates of entry"),
    (_changed("Whatever", to=1), r"\$.Whatever: is not known"),
    (
        _changed("ConceptSets", 1, "expression", "items", 0, "includeDescendants", to=True),
        r"ConceptSets\[1\].expression.items\[0\].includeDescendants: descendants need the vocab",
    ),
    (
        _changed("ConceptSets", 1, "expression", "items", 0, "includeMapped", to=True),
        r"items\[0\].includeMapped: source codes mapped to a concept are not read",
    ),
]


@pytest.mark.parametrize(("body", "expected"), REFUSED)
def test_what_a_study_cannot_express_is_refused_with_path_and_reason(
    tmp_path, body: dict[str, Any], expected: str
) -> None:
    with pytest.raises(UserError, match=expected):
        read_definition(write(tmp_path, body))


def test_all_parts_are_refused_at_once(tmp_path) -> None:
    body = _changed("ExpressionLimit", "Type", to="Last")
    body["CensorWindow"] = {"EndDate": "2020-01-01"}
    with pytest.raises(UserError, match=r"adults\.json: 2 parts of this definition") as error:
        read_definition(write(tmp_path, body))
    assert str(error.value).count("\n  $.") == 2


def test_other_files_are_errors(tmp_path) -> None:
    with pytest.raises(UserError, match="is no cohort definition: it has no PrimaryCriteria"):
        read_definition(write(tmp_path, {"name": "x"}))
    (tmp_path / "no.json").write_text("{")
    with pytest.raises(UserError, match="cannot be read as JSON"):
        read_definition(tmp_path / "no.json")
    with pytest.raises(UserError, match="--circe needs --data omop and --path with the CDM"):
        plan_project(Request(tmp_path / "p", "fhir", tmp_path, circe=tmp_path / "no.json"))


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        (("InclusionRules",), True),
        (("InclusionRules", 0), "x"),
        (("ConceptSets", 0, "id"), "x"),
        ((*FIRST, "StartWindow", "Start"), "x"),
        (("PrimaryCriteria", "ObservationWindow", "PriorDays"), [1]),
        (ENTRY, 1.5),
    ],
)
def test_json_that_was_damaged_by_hand_is_an_error(tmp_path, keys: tuple, value: object) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(_changed(*keys, to=value)))
    with pytest.raises(UserError, match=r"a\.json: is not laid out as ATLAS exports it .*again"):
        read_definition(path)
