"""`posology template` and `posology recommend`."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from rich.console import Console
from typer.testing import CliRunner

from posology import artifact
from posology.advice.form.training_facts import EVIDENCE, measure_facts
from posology.cli import app
from posology.domain.cohort import TRAIN, select_split
from posology.domain.serialization import serialize
from posology.errors import RecordError
from posology.workflows.recommend import recommend
from tests.builders import synthetic_iwpc
from tests.builders.command_line import run, run_in_a_process
from tests.builders.policies import fitted_policy, iwpc_cohort


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "model"
    train = select_split(iwpc_cohort(), TRAIN)
    evidence = {EVIDENCE: serialize(measure_facts(train), {})}
    artifact.save(fitted_policy("logistic"), iwpc_cohort().study, evidence, folder)
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
    assert body["schema"]["properties"]["facts"]["properties"]["height"]["minimum"] == 100
    assert body["fields"]["sex"] == "one of female, male [SEX]"
    body["facts"] |= {"SEX": "male", "HEIGHT": 180, "GENOTYPE//VKORC1_rs9923231": "A/A"}
    blank.write_text(json.dumps(body))
    out = ("--json", tmp_path / "out.json", "--html", tmp_path / "out.html")
    done = run_in_a_process("recommend", model, "--patient", blank, *out)
    assert done.returncode == 0, done.stderr
    shown = " ".join(done.stdout.split())
    assert "weight" in shown.split("What was missing")[1].split("Facts that were used")[0]
    assert "Facts that were used Sex male; Height 180 cm" in shown
    assert "Posology supports a decision; it does not make one." in shown
    page = (tmp_path / "out.html").read_text()
    advice = json.loads((tmp_path / "out.json").read_text())
    names = {o["name"] for o in advice["options"]}
    assert names == {"low", "medium", "high", "usual_care", "no_change"}
    assert abs(sum(o["choice_share"] for o in advice["options"]) - 1) < 1e-9
    assert advice["state"] == "dose"
    assert f"<h1>{advice['headline'].removesuffix('.')}</h1>" in page
    assert f"Page: {tmp_path / 'out.html'}" in done.stdout.replace("\n", "")
    reading = advice["reading"]
    assert (reading["not_used"], reading["beyond"], reading["assumed"]) == ([], [], [])
    facts = [(fact["fact"], fact["value"], fact["date"]) for fact in advice["known"]]
    assert facts == [
        ("sex", "male", ""),
        ("height", "180 cm", ""),
        ("VKORC1 -1639", "A/A", ""),
    ]


def test_on_a_terminal_a_template_is_a_list_for_reading(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("posology.cli.progress.CONSOLE", Console(force_terminal=True))
    shown = CliRunner().invoke(app, ["template", "iwpc"]).output
    assert max(map(len, shown.splitlines())) <= 80
    assert "Write the form to a file with --out patient.json." in shown


def test_a_blank_template_of_a_study_needs_no_model() -> None:
    done = run("template", "iwpc")
    assert done.returncode == 0
    assert "CYP2C9" in json.loads(done.stdout)["facts"]


BAD = [
    (
        {"HEIGHT": "tall"},
        "`HEIGHT` must be a number in cm, not 'tall'; write null if it is not known.",
    ),
    ({"HEIGHT": {"cm": 180}}, "`HEIGHT`: `cm` is unknown; an object has value, unit, date, since."),
    ({"HEIGHT": -3}, "`HEIGHT` of -3 cm cannot be right: it must be from 100 to 250 cm."),
    ({"hieght": 170}, "fact `hieght` is not one this model uses; did you mean `height`?"),
]


@pytest.mark.parametrize(("facts", "expected"), BAD)
def test_a_bad_fact_is_an_error_that_names_it(
    model: Path, tmp_path: Path, facts: dict, expected: str
) -> None:
    with pytest.raises(RecordError) as error:
        recommend(model, filled(tmp_path, **facts))
    assert expected in str(error.value)
    assert str(error.value).startswith(str(tmp_path / "patient.json"))


def test_a_bad_fact_is_one_paragraph_and_exit_code_2(model: Path, tmp_path: Path) -> None:
    done = run("recommend", model, "--patient", filled(tmp_path, WEIGHT="8000 kg"))
    assert done.returncode == 2
    assert "it must be from 20 to 350 kg" not in done.stdout
    assert "`WEIGHT`" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_empty_history_is_refused(model: Path, tmp_path: Path) -> None:
    path = tmp_path / "patient.json"
    path.write_text(json.dumps({"facts": {"SEX": None}}))
    with pytest.raises(RecordError, match=r"nothing is known of this patient \(every fact is null"):
        recommend(model, path)


def test_what_is_not_used_is_said_first_and_changes_nothing(model: Path, tmp_path: Path) -> None:
    genotype = {"GENOTYPE//VKORC1_rs9923231": "T/T"}
    done = run("recommend", model, "--patient", filled(tmp_path, **genotype))
    assert done.returncode == 0, done.stderr
    first = " ".join(done.stdout.split())
    assert first.startswith("! Given but not used: VKORC1 -1639 T/T.")
    loaded = artifact.load(model)
    answers = [recommend(loaded, filled(tmp_path, **facts)) for facts in (genotype, {})]
    with_callout, without = (answer.recommendation for answer in answers)
    assert replace(with_callout, callouts=without.callouts) == without
    assert answers[1].reading.not_used == ()


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
    done = run("recommend", model, "--patient", tmp_path / "one.parquet", "--at", "2020-03-01")
    assert done.returncode == 0, done.stderr
    assert "Record as of 01-Mar-2020." in " ".join(done.stdout.split())
    pq.write_table(table, tmp_path / "five.parquet")
    with pytest.raises(RecordError, match="has 5 patients"):
        recommend(model, tmp_path / "five.parquet")


def test_an_answer_in_german_and_in_a_language_that_is_not_there(
    model: Path, tmp_path: Path
) -> None:
    page = tmp_path / "page.html"
    patient = ("recommend", model, "--patient", filled(tmp_path))
    done = run(*patient, "--language", "de", "--html", page)
    assert done.returncode == 0, done.stderr
    assert "Es ist kein Medizinprodukt." in " ".join(done.stdout.split())
    assert '<html lang="de">' in page.read_text(encoding="utf-8")
    refused = run(*patient, "--language", "fr")
    assert refused.returncode == 2
    assert "language 'fr' is not one of en, de." in " ".join(refused.stderr.split())
