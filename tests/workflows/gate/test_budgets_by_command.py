"""Harm budgets through the commands: `posology cohort`, `fit` and `evaluate --gate`."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from posology import artifact
from posology.cli import app
from posology.evaluation.gate.requirement import GATE_CLOSED
from tests.builders import budget_records

NAME = "severe hypoglycaemia"


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(each) for each in arguments], catch_exceptions=False)


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder with a cohort and a model within its budget, and what `fit` printed."""
    folder = tmp_path_factory.mktemp("budgets")
    (folder / "study.toml").write_text(budget_records.STUDY)
    pq.write_table(budget_records.events(1_400, 3), folder / "events.parquet")
    run("cohort", folder / "study.toml", folder / "events.parquet", "--out", folder / "cohort")
    quick = "--method", "tabular", "--evidence-decisions", "0"
    done = run("fit", folder / "cohort", *quick, "--out", folder / "model")
    assert done.exit_code == 0, done.output
    return folder, " ".join(done.output.split())


def test_fit_learns_within_the_budget_and_says_what_it_costs(fitted: tuple[Path, str]) -> None:
    folder, output = fitted
    evidence = artifact.load(folder / "model").evidence
    (budget,) = evidence["budgets"]
    assert budget["name"] == NAME
    assert 0 < budget["rate"] < budget["upper"] <= budget["at_most"]
    assert evidence["protection"]["used"]
    assert "Better than usual care: gain +" in output
    assert f"Budget {NAME} (at most 0.15 a year): " in output
    assert "NOT shown to be held" not in output


def test_the_gate_judges_the_budget_again_on_test_patients(fitted: tuple[Path, str]) -> None:
    folder, _ = fitted
    figures, page = folder / "figures.json", folder / "page.html"
    few = "--max-decisions", "400", "--report", page, "--json", figures
    done = run("evaluate", folder / "model", folder / "cohort", "--gate", *few)
    written = json.loads(figures.read_text())
    required = {each["name"]: each for each in written["requirements"]}
    assert list(required) == ["value", f"budget: {NAME}", "safety"]
    assert done.exit_code == (0 if written["gate"] == "open" else GATE_CLOSED), done.output
    assert (written["gate"] == "open") == all(each["holds"] for each in required.values())
    (rate,) = (row for row in written["rows"] if row["metric"] == "harm_rate")
    assert rate["held"] == required[f"budget: {NAME}"]["holds"]
    assert 0 < rate["value"] < 0.15
    assert rate["at_most"] == 0.15
    assert f"Budget {NAME}" in page.read_text(encoding="utf-8")
