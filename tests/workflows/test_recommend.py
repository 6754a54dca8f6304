"""One patient, from Python: the same recommendation as from the command line."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from posology import artifact, select_split
from posology.advice.form.training_facts import EVIDENCE, measure_facts
from posology.cohorts.events import day_order
from posology.domain.serialization import serialize
from posology.errors import RecordError, UserError
from posology.workflows.recommend import recommend, template
from tests.builders.policies import fitted_policy, iwpc_cohort


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "model"
    artifact.save(fitted_policy("logistic"), iwpc_cohort().study, {}, folder)
    return folder


def test_a_filled_template_gives_ranked_options(model: Path, tmp_path: Path) -> None:
    body = template(model)
    assert set(body["facts"].values()) == {None}
    body["facts"] |= {"SEX": "male", "HEIGHT": 180}
    path = tmp_path / "patient.json"
    path.write_text(json.dumps(body))
    result = recommend(model, path)
    assert result.to_json() == recommend(artifact.load(model), body).to_json()
    assert {row["name"] for row in result.rows} >= {"low", "medium", "high", "usual_care"}
    assert result.to_frame().num_rows == 5
    assert "Not recorded" in result.summary()


def test_a_typical_patient_has_what_most_training_patients_had(tmp_path: Path) -> None:
    cohort = iwpc_cohort()
    facts = measure_facts(select_split(cohort, "train"))
    evidence = {EVIDENCE: serialize(facts, {})}
    artifact.save(fitted_policy("logistic"), cohort.study, evidence, tmp_path / "model")
    body = template(tmp_path / "model", typical=True)
    filled = {name: value for name, value in body["facts"].items() if value is not None}
    profile = cohort.profile
    height = float(profile.center[profile.codes.index("HEIGHT")])
    assert filled["height"] == pytest.approx(height, rel=0.005)
    assert filled["sex"] in ("male", "female")
    assert "no" in filled.values(), "most had no amiodarone, which the records say"
    assert "yes" not in filled.values(), "each condition was rare"
    assert set(body["facts"]) == set(template(tmp_path / "model")["facts"])
    assert recommend(tmp_path / "model", body).rows


def test_who_is_typical_only_a_policy_with_its_facts_knows(model: Path) -> None:
    with pytest.raises(UserError, match="--typical needs the folder of a policy"):
        template("iwpc", typical=True)
    with pytest.raises(UserError, match="saved without what its training patients had"):
        template(model, typical=True)


def test_a_study_needs_no_model() -> None:
    assert "CYP2C9" in template("iwpc")["facts"]


BUNDLE = {
    "resourceType": "Bundle",
    "type": "collection",
    "entry": [
        {"resource": {"resourceType": "Patient", "id": "7", "gender": "male"}},
        {"resource": {"resourceType": "Slot", "id": "1"}},
    ],
}


def test_a_fhir_bundle_is_read_as_ingest_reads_the_training_records(
    model: Path, tmp_path: Path
) -> None:
    (tmp_path / "bundle.json").write_text(json.dumps(BUNDLE))
    result = recommend(model, tmp_path / "bundle.json")
    by_form = recommend(model, {"facts": {"sex": "male"}})
    assert replace(result.recommendation, callouts=by_form.recommendation.callouts) == (
        by_form.recommendation
    )
    assert result.reading.not_used == (
        "Given but not read: 1 entry of the FHIR file: resources of type Slot are not mapped to "
        "events.",
    )
    assert result.summary().startswith("! Given but not read: 1 entry of the FHIR file")


def test_a_bundle_of_two_patients_or_of_nothing_is_refused(model: Path) -> None:
    other = {"resource": {"resourceType": "Patient", "id": "8", "gender": "male"}}
    with pytest.raises(RecordError, match="has 2 patients; give a file with exactly one"):
        recommend(model, {**BUNDLE, "entry": [*BUNDLE["entry"], other]})
    with pytest.raises(RecordError, match=r"nothing of it could be read \(resources of type Slot"):
        recommend(model, {**BUNDLE, "entry": BUNDLE["entry"][1:]})


def test_the_decision_has_one_date(model: Path) -> None:
    form = {"facts": {"sex": "male"}}
    assert recommend(model, form, at="2020-03-01").recommendation.time == "2020-03-01T00:00:00"
    same = recommend(model, form | {"decision": "2020-03-01"}, at="2020-03-01").recommendation
    assert same.time == "2020-03-01T00:00:00"
    with pytest.raises(RecordError) as error:
        recommend(model, form | {"decision": "2020-03-02"}, at="2020-03-01")
    assert str(error.value) == (
        "patient: \"decision\" is '2020-03-02' and --at is '2020-03-01'; leave one of them out."
    )


def test_a_policy_without_a_network_is_answered_without_torch(model: Path) -> None:
    code = (
        "import sys; from posology.workflows.recommend import recommend, template; "
        f"recommend({str(model)!r}, {{'facts': {{'sex': 'male'}}}}); "
        "heavy = {'torch', 'sklearn', 'duckdb', 'pydantic', 'scipy', 'pandas', 'pyarrow.parquet'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_fact_that_the_study_needs_stops_the_answer_and_the_guideline_stands(
    model: Path,
) -> None:
    loaded = artifact.load(model)
    profile = replace(loaded.study.profile, required_for_advice=("WEIGHT",))
    strict = replace(loaded, study=replace(loaded.study, profile=profile))
    result = recommend(strict, {"facts": {"sex": "male"}})
    advice, sent = result.recommendation, result.to_json()
    assert advice.state == "fact_missing"
    assert advice.headline == "No answer yet: weight is not recorded."
    assert advice.lead == (
        "The study needs it.",
        "Enter it. The guideline and usual care are below.",
    )
    assert [sent["dose"], *(row["dose"] for row in sent["options"])] == [None] * 6
    assert {row["dose"] for row in result.rows} == {None}
    usual = ("usual start, 5 mg a day for everyone", "35 mg/wk")
    assert usual in [entry[:2] for entry in advice.guideline]
    assert [fact.fact for fact in advice.missing if fact.is_required] == ["weight"]
    known = recommend(strict, {"facts": {"sex": "male", "weight": 80}}).recommendation
    assert known.state == "dose"


def test_a_child_gets_no_dose_of_a_study_of_adults(model: Path) -> None:
    facts = {"sex": "male", "weight": 40}
    advice = recommend(model, {"facts": {**facts, "age": 12}}).recommendation
    assert advice.state == "not_eligible"
    assert advice.headline == "No answer: this study is not for this patient."
    assert (
        advice.lead[0]
        == "It is for patients of 18 years and over, and this patient is 12 years old."
    )
    assert (advice.dose, advice.guideline) == (None, ())
    assert all(option.dose is None for option in advice.options)
    unclear = recommend(model, {"facts": {**facts, "age": "10-19"}}).recommendation
    assert unclear.headline == "No answer yet: an age of 10 to 19 years is not exact enough."
    adult = recommend(model, {"facts": {**facts, "age": 18}}).recommendation
    assert adult.state == "dose"


def test_an_answer_sorts_the_patients_events_once(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The history and the facts of safety rules are read from the same sorted events."""
    sort, sorted_tables = day_order.sort_events, []

    def count(*given: Any) -> Any:
        sorted_tables.append(given)
        return sort(*given)

    monkeypatch.setattr(day_order, "sort_events", count)
    recommend(model, {"facts": {"sex": "male"}}, reasons=False)
    assert len(sorted_tables) == 1
