"""`posology monitor` prints the verdict, writes every figure, and its exit code says the rest."""

import json
from pathlib import Path

import pyarrow.parquet as pq
from typer.testing import CliRunner

from posology import artifact
from posology.cli import app
from posology.lifecycle.registry.changes import Author, promote
from posology.lifecycle.registry.state import read_registry
from posology.workflows.monitoring.monitor import ALARM
from posology.workflows.over_time.registry import add_model
from tests.workflows.monitoring.test_monitor import later, saved


def test_the_exit_code_says_whether_the_last_month_alarms(tmp_path: Path) -> None:
    model = saved()
    artifact.save(model.policy, model.study, model.evidence, tmp_path / "model")
    pq.write_table(later(25.0), tmp_path / "events.parquet")
    arguments = ["monitor", str(tmp_path / "model"), str(tmp_path / "events.parquet")]
    quiet = CliRunner().invoke(app, [*arguments, "--until", "2000-02"])
    assert quiet.exit_code == 0, quiet.output
    loud = CliRunner().invoke(app, [*arguments, "--json", str(tmp_path / "rows.json")])
    assert loud.exit_code == ALARM
    assert "Alarm in 2000-03." in loud.output
    rows = json.loads((tmp_path / "rows.json").read_text())["rows"]
    named = {row["metric"] for row in rows if row["is_alarm"]}
    assert named == {"evidence", "weight, kg: level", "weight, kg: spread"}


def test_a_registry_stands_for_its_champion(tmp_path: Path) -> None:
    model, registry = saved(), tmp_path / "registry"
    artifact.save(model.policy, model.study, model.evidence, tmp_path / "model")
    pq.write_table(later(), tmp_path / "events.parquet")
    author = Author("a clinician", "a test")
    version = add_model(registry, tmp_path / "model", author).entry.digest
    words = ["monitor", str(registry), str(tmp_path / "events.parquet")]
    refused = CliRunner().invoke(app, words)
    assert "has no champion yet; `posology models promote" in str(refused.exception)
    promote(read_registry(registry), version, author)
    judged = CliRunner().invoke(app, words, catch_exceptions=False)
    assert "No alarm in 3 months to 2000-03." in judged.output


def test_a_month_that_cannot_be_read_says_how_to_write_it(tmp_path: Path) -> None:
    words = ["monitor", str(tmp_path), str(tmp_path), "--since", "2018/01"]
    refused = CliRunner().invoke(app, words)
    expected = "--since 2018/01: write a month or day such as 2018-01 or 2018-01-31."
    assert str(refused.exception) == expected
