"""`posology predict` on a patient and on a cohort."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from posology import artifact
from posology.advice.forecast import forecast
from posology.cli import app
from posology.cohorts.storage.arrays import save_cohort
from posology.domain.cohort import TEST, TRAIN, VALIDATION, Cohort, select_split
from posology.errors import UserError
from posology.learners.network.supervised import Sizes, Supervised
from posology.learners.network.training_loop import Training
from posology.workflows.predict import CohortForecast, predict
from tests.builders.policies import fitted_policy, iwpc_cohort
from tests.builders.synthetic_iwpc import cohort, with_targets


@pytest.fixture(scope="module")
def model_and_cohort(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Cohort]:
    """A model, the folder of its cohort, and the cohort."""
    folder = tmp_path_factory.mktemp("predict")
    whole = with_targets(cohort(120, 1))
    learner = Supervised(Sizes(8, 4, 8, 1, 3, 0.0), Training(1e-2, batch=32, epochs=3, patience=0))
    learned = learner.fit(select_split(whole, TRAIN), select_split(whole, VALIDATION))
    artifact.save(learned, whole.study, {}, folder / "model")
    save_cohort(whole, folder / "cohort")
    return folder / "model", folder / "cohort", whole


def run(*words: str | Path) -> str:
    done = CliRunner().invoke(app, ["predict", *map(str, words)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_a_patient_has_a_prediction_for_every_target(
    model_and_cohort: tuple, tmp_path: Path
) -> None:
    model, _, whole = model_and_cohort
    patient = tmp_path / "patient.json"
    patient.write_text(json.dumps({"facts": {"SEX": "male", "HEIGHT": 180, "WEIGHT": 80}}))
    run(model, patient, "--json", tmp_path / "out.json")
    prediction = json.loads((tmp_path / "out.json").read_text())
    assert prediction["model"] == artifact.load(model).digest
    assert [(r["name"], r["within_days"]) for r in prediction["diagnosis"]] == [
        ("thyroid", 365.0),
        ("tall", 365.0),
    ]
    course = prediction["progression"][0]
    assert (course["name"], course["unit"], course["from_days"]) == ("double", "cm", 30.0)
    assert course["low"] is course["high"] is None, "24 validation patients are too few"
    assert 300 < course["expected"] < 420
    curve = prediction["time_to_event"][0]
    assert curve["days"] == [10.0 * i for i in range(1, 13)]
    assert np.all(np.diff(curve["risk"]) >= 0)
    assert whole.study.time_to_event[0].name == curve["name"]


def test_each_decision_of_a_cohort_is_one_line(model_and_cohort: tuple, tmp_path: Path) -> None:
    model, folder, whole = model_and_cohort
    run(model, folder, "--json", tmp_path / "out.jsonl")
    test, loaded = select_split(whole, TEST), artifact.load(model)
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [line["subject_id"] for line in lines] == test.history.subject_id[test.subject].tolist()
    expected = forecast(loaded.policy, loaded.study, test.history, test.last_step)
    for line, one in zip(lines, expected, strict=True):
        for name in ("diagnosis", "progression", "time_to_event"):
            assert line[name] == json.loads(json.dumps(asdict(one)))[name]


def test_observed_means_of_diagnoses_are_weighted_for_follow_up(model_and_cohort: tuple) -> None:
    """Weights of 0 where only the event could become known; the prediction's mean has them too."""
    _, _, whole = model_and_cohort
    assert whole.diagnosis is not None
    weight = np.random.default_rng(0).integers(0, 3, whole.diagnosis.shape).astype(np.float32)
    cohort = replace(whole, diagnosis_weight=weight)
    expected = np.random.default_rng(1).random((len(whole), 4))
    rows = CohortForecast(cohort, expected, "").rows
    for i, row in enumerate(rows[:2]):
        known = np.flatnonzero(~np.isnan(whole.diagnosis[:, i]))
        total = weight[known, i].sum()
        observed = sum(weight[k, i] * whole.diagnosis[k, i] for k in known) / total
        predicted = sum(weight[k, i] * expected[k, i] for k in known) / total
        assert row["observed"] == pytest.approx(observed)
        assert row["expected"] == pytest.approx(predicted)
    none = CohortForecast(replace(whole, diagnosis_weight=0 * weight), expected, "").rows
    assert [row["observed"] for row in none[:2]] == [None, None]
    assert rows[2] == none[2], "a number that was measured needs no weight"


def test_predictions_that_were_cut_off_leave_the_earlier_file(
    model_and_cohort: tuple, tmp_path: Path
) -> None:
    def die(_text: str, *_numbers: object) -> None:
        raise InterruptedError

    model, folder, _ = model_and_cohort
    path = tmp_path / "out.jsonl"
    path.write_text("before")
    with pytest.raises(InterruptedError):
        predict(model, folder, "test", path, die)
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_another_cohort_is_refused(model_and_cohort: tuple, tmp_path: Path) -> None:
    other = with_targets(cohort(90, 5))
    save_cohort(other, tmp_path / "other")
    with pytest.raises(UserError, match="encoded in another vocabulary"):
        run(model_and_cohort[0], tmp_path / "other")


def test_a_model_without_targets_is_refused(model_and_cohort: tuple, tmp_path: Path) -> None:
    artifact.save(fitted_policy("posology"), iwpc_cohort().study, {}, tmp_path / "model")
    with pytest.raises(UserError, match=r"predicts no outcomes: its study `.*` has no .*diagnosis"):
        run(tmp_path / "model", model_and_cohort[1])
