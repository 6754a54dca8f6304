"""`posology monitor` prints the verdict, writes every figure, and its exit code says the rest."""

import json
from pathlib import Path

import pyarrow.parquet as pq
from typer.testing import CliRunner

from posology import artifact
from posology.cli import app
from posology.workflows.monitoring.monitor import ALARM
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
