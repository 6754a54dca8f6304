"""`posology evaluate`, with and without a known truth."""

import json
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from posology import artifact
from posology.cli import app
from posology.cohorts.storage.arrays import save_cohort
from posology.domain.cohort import TEST, TRAIN, VALIDATION, Cohort, select_split
from posology.errors import UserError
from posology.evaluation.gate.requirement import GATE_CLOSED
from posology.learners.baselines import run_quietly
from posology.learners.network.supervised import Sizes, Supervised
from posology.learners.network.training_loop import Training
from posology.workflows.progress import to_learning_curves
from tests.builders import synthetic_iwpc

RUN = CliRunner()


def _cohort(known: bool) -> Cohort:
    """One observed outcome each; if `known`, also the truth of the test split."""
    made = synthetic_iwpc.cohort(1500)
    count = len(made)
    study = replace(
        made.study,
        dose=None,
        outcome=replace(made.study.outcome, kind="value_in_range"),
        rules=made.study.rules[:1],
    )
    given = np.random.default_rng(0).integers(0, 3, count).astype(np.int32)
    margin = ((given == made.best_treatment) - 0.5).astype(np.float32)
    test = (made.split == TEST) & known
    return replace(
        made,
        study=study,
        profile=replace(made.profile, formulas=()),
        treatment=given,
        target_distance=margin,
        effective=(margin > 0).astype(np.float32),
        best_treatment=np.where(test, made.best_treatment, -1).astype(np.int32),
        potential_rewards=np.where(
            test[:, None], np.eye(3)[made.best_treatment] * 0.8, np.nan
        ).astype(np.float32),
    )


def _truly_right(folder) -> float:
    """Share of test patients for whom the saved policy's first choice is the right one."""
    test = select_split(_cohort(known=True), TEST)
    everything = np.ones((len(test), 3), dtype=bool)
    policy = artifact.load(folder / "model").policy
    drawn = policy.choice_probabilities(test.history, test.last_step, everything)
    return float((drawn.argmax(1) == test.best_treatment).mean())


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluate")
    cohort = _cohort(known=True)
    small = Supervised(Sizes(16, 8, 16, 1, 2, 0.0), Training(batch=32, epochs=2))
    fitting = small.fit_epochs(select_split(cohort, TRAIN), select_split(cohort, VALIDATION))
    policy, epochs = run_quietly(fitting, "", 0)
    evidence = {"learning": to_learning_curves({"first phase": epochs})}
    artifact.save(policy, cohort.study, evidence, folder / "model")
    save_cohort(cohort, folder / "cohort")
    save_cohort(_cohort(known=False), folder / "unknown")
    other = replace(cohort, profile=replace(cohort.profile, codes=cohort.profile.codes[::-1]))
    save_cohort(other, folder / "other")
    return folder


def test_every_model_is_scored_and_cases_show_the_truth(fitted, tmp_path) -> None:
    page, figures = tmp_path / "page.html", tmp_path / "figures.json"
    done = RUN.invoke(
        app,
        [
            "evaluate",
            str(fitted / "model"),
            str(fitted / "cohort"),
            "--report",
            str(page),
            "--json",
            str(figures),
            "--gate",
        ],
    )
    assert done.exit_code == 0, done.output
    written = json.loads(figures.read_text())
    rows = written["rows"]
    assert written["gate"] == "open"
    value = written["requirements"][0]
    assert (value["name"], value["holds"]) == ("value", True)
    reward = {row["model"]: row["value"] for row in rows if row["metric"] == "reward"}
    assert value["estimate"] == pytest.approx(reward["posology"] - reward["usual"])
    assert "The gain over usual care is above 0" in done.output
    models = {row["model"] for row in rows if row["metric"] == "accuracy"}
    assert models == {"posology", "usual", *(rule.name for rule in _cohort(known=True).study.rules)}
    text = page.read_text(encoding="utf-8")
    assert text.count("true P(effective)") == 3
    assert_learning(fitted, text)


def test_without_a_truth_the_value_is_estimated_next_to_other_models(fitted, tmp_path) -> None:
    page, figures = tmp_path / "page.html", tmp_path / "figures.json"
    done = RUN.invoke(
        app,
        [
            "evaluate",
            str(fitted / "model"),
            str(fitted / "unknown"),
            "--report",
            str(page),
            "--json",
            str(figures),
            "--gate",
            "--baselines",
        ],
    )
    assert done.exit_code == GATE_CLOSED, done.output
    written = json.loads(figures.read_text())
    rows, required = written["rows"], {r["name"]: r for r in written["requirements"]}
    assert written["gate"] == "closed"
    assert required["value"]["holds"]
    assert not required["calibration"]["holds"], "it was trained for two epochs"
    assert "FAILS  Predicted probabilities" in done.output
    assert "percentage points of patients who reach the goal" in required["value"]["reason"]
    assert rows[0]["metric"] == "verdict"
    assert rows[0]["kind"] in ("gain", "none"), rows[0]["said"]
    value = {row["model"]: row for row in rows if row["metric"] == "value"}
    assert {"posology's rule", "logistic", "forest", "boosting", "usual care"} <= set(value)
    patients = {row["model"]: row["value"] for row in rows if row["metric"] == "effective"}
    judged = int((_cohort(known=False).split == TEST).sum())
    assert patients["usual care"] == judged
    assert 0 < patients["posology's rule"] < judged
    assert value["posology's rule"]["n"] == judged, "the test split alone is judged"
    mine = value["posology's rule"]
    assert mine["low"] <= _truly_right(fitted) <= mine["high"]
    text = page.read_text(encoding="utf-8")
    assert "The rule is the saved policy" in text
    assert_learning(fitted, text)


def assert_learning(folder, page: str) -> None:
    """The page shows the learning curves of the training loop."""
    (_, epochs), *_ = artifact.load(folder / "model").evidence["learning"]
    first, last = (e["validation_effectiveness"] for e in epochs)
    assert page.count('id="learning-0-figure_1"') == 1
    assert "Learning curves, first phase, 2 epochs: train dose" in page
    assert f"validation effectiveness {first:.3g} to {last:.3g}" in page


def test_another_vocabulary_is_refused(fitted) -> None:
    with pytest.raises(UserError, match="fitted on another vocabulary than this cohort"):
        RUN.invoke(
            app,
            ["evaluate", str(fitted / "model"), str(fitted / "other")],
            catch_exceptions=False,
        )
