"""One patient, from Python: the same recommendation as from the command line."""

import json
from pathlib import Path

import pytest

from posology import artifact
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
    assert {row["name"] for row in result.rows} == {"low", "medium", "high"}
    assert result.to_frame().num_rows == 3
    assert "Unknown for this patient" in result.summary()


def test_a_study_needs_no_model() -> None:
    assert "CYP2C9" in template("iwpc")["facts"]
