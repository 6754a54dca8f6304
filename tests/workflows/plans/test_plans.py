"""From a clinic's records to a patient's value under plans, and the file of plans."""

import json
from functools import partial

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from posology import artifact
from posology.cli import app
from posology.cohorts.study.reader import read_study
from posology.errors import UserError
from posology.workflows.plans import learn
from posology.workflows.plans.compare import compare_plans, write_plan_template
from posology.workflows.plans.learn import learn_plans, plans_of
from posology.workflows.plans.plan_file import read_plans


def test_a_patients_value_is_compared_under_the_plans_of_the_template(saved, tmp_path):
    model, patient = saved
    plan, out = tmp_path / "plan.json", tmp_path / "out.json"
    words = ["predict", model, patient, "--write-plan", plan, "--plan", plan, "--json", out]
    done = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert max(len(line) for line in done.output.splitlines()) <= 80
    body = json.loads(out.read_text())
    names = [p["name"] for p in json.loads(plan.read_text())["plans"]]
    assert names[:2] == ["continue", "stop"]
    assert "to stop is the same" not in " ".join(done.output.split())
    assert {row["plan"] for row in body["rows"]} == set(names)
    assert len(body["rows"]) == 3 * len(names)
    assert all(row["low"] < row["expected"] < row["high"] for row in body["rows"])
    assert 25 < body["last_value"] < 130
    assert body["rows"][1]["days"] == pytest.approx(2 * body["rows"][0]["days"])
    assert 80 < body["rows"][0]["days"] < 105  # the clinic sees patients every quarter


def test_the_model_that_is_saved_predicts_as_before(saved, tmp_path):
    model, patient = saved
    write_plan_template(model, patient, tmp_path / "plan.json")
    first = compare_plans(model, patient, tmp_path / "plan.json")
    second = compare_plans(artifact.load(model), patient, tmp_path / "plan.json")
    assert np.array_equal(first.mean, second.mean)
    assert first.to_frame().num_rows == len(first.rows)
    assert "continue" in first.summary()


def test_the_file_of_plans_explains_its_options_steps_and_doses(saved, tmp_path):
    model, patient = saved
    plan, loaded = tmp_path / "plan.json", artifact.load(model)
    write_plan_template(model, patient, plan)
    body, learned = json.loads(plan.read_text()), plans_of(loaded)
    assert body["step"] == f"{learned.grid.step_days:.0f} days; at most 3 steps"
    assert body["value"] == f"{learned.value}, {learned.unit}"
    options = {t.name: t for t in loaded.study.formulary.treatments}
    assert set(body["options"]) == {*options, "none"}
    assert body["options"]["sglt2"] == f"{options['sglt2'].title}; dose 10 to 25 mg/d"
    steps = f"in steps of {learned.grid.step_days:.0f} days, at most 3 steps ahead"
    assert learned.summary().startswith(f"Plans: {learned.value} ({learned.unit}) {steps}")


def test_fit_says_which_value_the_plans_follow(saved, tmp_path, monkeypatch):
    monkeypatch.setattr(learn, "learn_plans", partial(learn_plans, horizon=1))
    cohort, out = saved[0].parent / "cohort", tmp_path / "model"
    words = ["fit", cohort, "--plans", "--method", "logistic", "--out", out]
    words += ["--evidence-decisions", 0]
    done = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
    learned = plans_of(artifact.load(out))
    assert learned.summary() in " ".join(done.output.split())


def test_a_patient_who_takes_nothing_has_nothing_to_stop(saved, tmp_path):
    model, patient = saved
    table = pq.read_table(patient)
    is_drug = pc.match_substring(table["code"], "DRUG")
    pq.write_table(table.filter(pc.invert(is_drug)), tmp_path / "untreated.parquet")
    words = ["predict", model, tmp_path / "untreated.parquet", "--write-plan", tmp_path / "p.json"]
    done = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
    assert "to stop is the same as to continue" in " ".join(done.output.split())
    body = json.loads((tmp_path / "p.json").read_text())
    assert "stop" not in [plan["name"] for plan in body["plans"]]
    assert "to stop is the same as to continue" in body["remarks"][0]


def test_a_file_that_is_no_plan_is_named_before_the_patient_is_read(saved, tmp_path):
    form = tmp_path / "patient.json"
    form.write_text('{"facts": {}}')
    with pytest.raises(UserError, match=r'patient\.json: has no list "plans"'):
        compare_plans(saved[0], form, form)


def test_an_option_that_few_training_patients_took_is_named(saved, tmp_path):
    model, patient = saved
    loaded = plans_of(artifact.load(model))
    rare = int(np.argmin(loaded.patients))
    assert loaded.patients[rare] < 50
    name = artifact.load(model).study.formulary.names[rare]
    body = {"plans": [{"name": "a", "steps": [{"option": name}]}]}
    (tmp_path / "plan.json").write_text(json.dumps(body))
    notes = compare_plans(model, patient, tmp_path / "plan.json").to_json()["notes"]
    assert any(n.startswith(f"{name}: only {loaded.patients[rare]} training") for n in notes)
    body["plans"][0]["steps"] = [{"option": "none"}]
    (tmp_path / "plan.json").write_text(json.dumps(body))
    assert not any(
        "took it" in n for n in compare_plans(model, patient, tmp_path / "plan.json").notes
    )


def test_a_shorter_plan_ends_earlier(saved, tmp_path):
    model, patient = saved
    plans = [{"name": "a", "steps": [{"option": "su"}]}, {"steps": [{"option": "none"}] * 3}]
    (tmp_path / "plan.json").write_text(json.dumps({"plans": plans}))
    found = compare_plans(model, patient, tmp_path / "plan.json")
    assert [row["plan"] for row in found.rows] == ["a"] + 3 * ["plan 2"]
    assert np.isnan(found.mean[0, 1:]).all()


def test_what_cannot_be_read_is_an_error_with_a_remedy(saved, tmp_path):
    model, patient = saved
    (tmp_path / "plan.json").write_text("{}")
    with pytest.raises(UserError, match=r"--write-plan .*plan\.json: exists already"):
        write_plan_template(model, patient, tmp_path / "plan.json")
    with pytest.raises(UserError, match=r'has no list "plans"; a file of plans is'):
        compare_plans(model, patient, tmp_path / "plan.json")
    loaded = artifact.load(model)
    old = artifact.Artifact(loaded.policy, loaded.study, {}, "")
    with pytest.raises(UserError, match=r"fitted without --plans.*fit it again with"):
        plans_of(old)


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ({"option": "aspirin"}, r"plan 1, step 1: \"option\" is 'aspirin'; it is one of sglt2"),
        ({"option": "sglt2", "dose": "two"}, r"step 1: \"dose\" is 'two'; it is a number"),
        ({"option": "sglt2", "dose": 99}, r"step 1: \"dose\" is 99; sglt2 is 10 to 25 mg/d"),
    ],
)
def test_a_wrong_step_names_the_plan_the_step_and_the_field(tmp_path, step, message):
    path = tmp_path / "plan.json"
    path.write_text(json.dumps({"plans": [{"name": "p", "steps": [step]}]}))
    with pytest.raises(UserError, match=message):
        read_plans(path, read_study("clinic").formulary, 4)


def test_too_many_steps_and_no_json_are_errors(tmp_path):
    path, formulary = tmp_path / "plan.json", read_study("clinic").formulary
    path.write_text(json.dumps({"plans": [{"steps": [{"option": "su"}] * 5}]}))
    with pytest.raises(UserError, match=r"plan 1: has 5 steps; the model goes 4 steps ahead"):
        read_plans(path, formulary, 4)
    path.write_text("plan")
    with pytest.raises(UserError, match=r"is not JSON"):
        read_plans(path, formulary, 4)


def test_a_study_without_a_progression_has_no_plans(saved):
    from dataclasses import replace

    model, _ = saved
    study = replace(artifact.load(model).study, progression=())
    from posology.workflows.plans.learn import _target

    with pytest.raises(UserError, match=r"study `clinic` has no \[\[progression\]\]: add one"):
        _target(study)
