"""`posology doctor` names what must be mended, and ends with exit code 2 if anything must."""

import json

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from posology.cli import app
from posology.records.meds_dataset import write_folder
from posology.workflows.doctor import checkup
from posology.workflows.doctor.check import PROBLEM
from tests.builders import synthetic_iwpc


def run(*arguments: object):
    return CliRunner().invoke(app, ["doctor", *map(str, arguments)], env={"COLUMNS": "80"})


@pytest.fixture(autouse=True)
def quick(monkeypatch) -> None:
    """Without the packages, which have tests of their own."""
    monkeypatch.setattr(checkup, "check_packages", lambda: ())


def test_a_fit_machine_has_no_problems(tmp_path) -> None:
    result = run("--json", tmp_path / "checkup.json")
    assert result.exit_code == 0, result.output
    assert "No problems." in result.output
    written = json.loads((tmp_path / "checkup.json").read_text())
    assert written["problems"] == 0
    assert any("DuckDB" in check["finding"] for check in written["checks"])


def test_files_that_cannot_be_read_are_problems(tmp_path) -> None:
    study = tmp_path / "study.toml"
    study.write_text("name = 1")
    file = tmp_path / "checkup.json"
    result = run(
        "--model", tmp_path / "absent", "--study", study, "--events", tmp_path, "--json", file
    )
    assert result.exit_code == 2
    problems = [c for c in json.loads(file.read_text())["checks"] if c["status"] == PROBLEM]
    assert [check["part"] for check in problems] == ["model", "study", "events"]
    assert str(tmp_path / "absent") in problems[0]["finding"]
    assert "study.toml" in problems[1]["finding"]


def test_events_and_a_study_that_can_be_read_are_counted(tmp_path) -> None:
    table = synthetic_iwpc.events(30)
    write_folder(tmp_path / "events", [table])
    result = run("--study", "iwpc", "--events", tmp_path / "events")
    assert result.exit_code == 0, result.output
    text = " ".join(result.output.split())
    assert "iwpc: can be read; 3 options." in text
    assert f"{len(table):,} events in 1 file." in text
    file = tmp_path / "events.parquet"
    pq.write_table(table, file)
    result = run("--events", file)
    assert result.exit_code == 0, result.output
    assert f"{len(table):,} events in 1 file." in " ".join(result.output.split())


def test_settings_of_the_service_are_checked(tmp_path) -> None:
    settings = tmp_path / "service.toml"
    settings.write_text('[[models]]\nname = "warfarin"\nfolder = "nowhere"\n')
    result = run("--settings", settings)
    assert result.exit_code == 2
    assert "nowhere is not there" in " ".join(result.output.split())
    settings.write_text("workers = 'many'\n")
    result = run("--settings", settings)
    assert result.exit_code == 2
    assert "workers" in result.output
    result = run("--settings", tmp_path / "absent.toml")
    assert result.exit_code == 2
    assert "there is no such file of settings" in " ".join(result.output.split())
