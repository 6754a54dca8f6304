"""`posology template` and `posology recommend`."""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from posology import artifact
from posology.advice.recommend import recommend
from posology.cohorts.patient import encode_patient
from posology.records.sources.patient_json import read_patient
from tests.builders import synthetic_iwpc
from tests.builders.command_line import run
from tests.builders.policies import fitted_policy, iwpc_cohort


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "model"
    artifact.save(fitted_policy("posology"), iwpc_cohort().study, {}, folder)
    return folder


def filled(folder: Path, **facts: object) -> Path:
    known = {"SEX": "male", "AGE_DECADE": 7, "HEIGHT": 180, "WEIGHT": 80, "RACE": "White"}
    path = folder / "patient.json"
    path.write_text(json.dumps({"facts": {**known, **facts}}))
    return path


def test_a_filled_template_gives_a_recommendation(model: Path, tmp_path: Path) -> None:
    blank = tmp_path / "blank.json"
    assert run("template", model, "--out", blank).returncode == 0
    body = json.loads(blank.read_text())
    assert set(body["facts"].values()) == {None}
    assert body["schema"]["properties"]["facts"]["properties"]["HEIGHT"]["type"] == [
        "number",
        "null",
    ]
    body["facts"] |= {"SEX": "male", "HEIGHT": 180, "GENOTYPE//VKORC1_rs9923231": "A/A"}
    blank.write_text(json.dumps(body))
    done = run("recommend", model, "--patient", blank, "--json", tmp_path / "out.json")
    assert done.returncode == 0, done.stderr
    assert "Unknown for this patient: " in done.stdout
    assert "weight, kg" in done.stdout.split("Unknown for this patient")[1]
    assert "decision support, not a device" in done.stdout
    advice = json.loads((tmp_path / "out.json").read_text())
    assert {o["name"] for o in advice["options"]} == {"low", "medium", "high"}
    assert abs(sum(o["chosen"] for o in advice["options"]) - 1) < 1e-9
    for option in advice["options"]:
        assert 0 <= option["low"] <= option["high"] <= 1
    assert any(r["code"] == "GENOTYPE//VKORC1_rs9923231//A/A" for r in advice["reasons"])


def test_a_blank_template_of_a_study_needs_no_model() -> None:
    done = run("template", "iwpc")
    assert done.returncode == 0
    assert "GENOTYPE//CYP2C9" in json.loads(done.stdout)["facts"]


BAD = [
    ({"HEIGHT": "tall"}, "`HEIGHT` must be a number, not 'tall'."),
    ({"HEIGHT": {"cm": 180}}, "fact `HEIGHT` is {'cm': 180}; write null, a number, a text"),
]


@pytest.mark.parametrize(("facts", "expected"), BAD)
def test_a_bad_fact_is_one_paragraph_and_exit_code_2(
    model: Path, tmp_path: Path, facts: dict, expected: str
) -> None:
    done = run("recommend", model, "--patient", filled(tmp_path, **facts))
    assert done.returncode == 2
    assert expected in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_an_empty_history_is_refused(model: Path, tmp_path: Path) -> None:
    path = tmp_path / "patient.json"
    path.write_text(json.dumps({"facts": {"SEX": None}}))
    done = run("recommend", model, "--patient", path)
    assert done.returncode == 2
    assert "nothing is known of this patient (every fact is null)" in " ".join(done.stderr.split())


def test_an_unknown_code_is_reported_and_ignored(model: Path, tmp_path: Path) -> None:
    with_new = filled(tmp_path, MEDICATION="dragon blood")
    done = run("recommend", model, "--patient", with_new)
    assert done.returncode == 0, done.stderr
    assert "MEDICATION//dragon blood" in " ".join(done.stdout.split())
    loaded = artifact.load(model)
    results = []
    for path in (with_new, filled(tmp_path)):
        history, ignored = encode_patient(read_patient(path), loaded.study, loaded.policy.profile)
        results.append(recommend(loaded.policy, loaded.study, history, ignored).options)
    assert results[0] == results[1]


def test_a_truncated_artifact_is_one_paragraph_and_exit_code_2(model: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    for path in model.iterdir():
        (broken / path.name).write_bytes(path.read_bytes()[:500])
    done = run("recommend", broken, "--patient", filled(tmp_path))
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_a_patient_may_be_meds_parquet(model: Path, tmp_path: Path) -> None:
    table = synthetic_iwpc.events(5)
    one = table.filter(np.asarray(table["subject_id"]) == 3)
    pq.write_table(one, tmp_path / "one.parquet")
    assert run("recommend", model, "--patient", tmp_path / "one.parquet").returncode == 0
    pq.write_table(table, tmp_path / "five.parquet")
    done = run("recommend", model, "--patient", tmp_path / "five.parquet")
    assert done.returncode == 2
    assert "has 5 patients" in " ".join(done.stderr.split())
