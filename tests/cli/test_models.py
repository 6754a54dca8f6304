"""`posology models` on the command line."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from posology.cli import app
from posology.cli.options import author_name
from posology.errors import UserError
from posology.lifecycle.registry.history import JUDGE, Entry, append_entry
from posology.lifecycle.registry.state import read_registry
from tests.builders.registries import made_up_registry


def run(*words: object) -> str:
    result = CliRunner().invoke(app, ["models", *map(str, words)], catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def test_promote_look_back_and_roll_back(tmp_path: Path) -> None:
    registry, (a, b) = made_up_registry(tmp_path, 2)
    folder = registry.folder
    out = run("promote", folder, a[:8], "--by", "ada", "--dry-run")
    assert out == f"Champion: version {a[:8]}.\nNothing is written: this is a dry run.\n"
    assert read_registry(folder).champion == ""
    run("promote", folder, a[:8], "--by", "ada")
    force = ("--without-gate", "--reason", "an emergency", "--by", "ada")
    out = run("promote", folder, b[:8], *force, "--json", tmp_path / "change.json")
    assert out.split("\n")[0].startswith(f"Champion: version {b[:8]}, in place of {a[:8]}.")
    assert json.loads((tmp_path / "change.json").read_text())["is_written"] is True
    out = run("rollback", folder, "--by", "ada")
    assert out == f"Champion again: version {a[:8]}, in place of {b[:8]}.\n"
    out = run("history", folder, "--on", "2020-01-01", "--json", tmp_path / "history.json")
    assert "Champion on 2020-01-01 23:59 UTC: none" in out
    found = json.loads((tmp_path / "history.json").read_text())
    assert [e["action"] for e in found["history"]] == [
        *("add", "add", "promote", "promote", "rollback")
    ]
    assert run("history", folder).splitlines()[-1] == f"Champion now: {a[:8]}"
    assert run("shadow", folder, b[:6], "--by", "ada").startswith("Challenger: version")
    assert run("shadow", folder, "--by", "ada") == f"Version {b[:8]} is no challenger any more.\n"


def test_a_plan_is_shown_replaced_and_described(tmp_path: Path) -> None:
    registry, (a,) = made_up_registry(tmp_path, 1)
    folder = registry.folder
    assert "Looks so far: 0 of 120." in run("plan", folder)
    (tmp_path / "plan.toml").write_text("looks = 24\nalpha = 0.02\n")
    words = ("--set", tmp_path / "plan.toml", "--by", "ada")
    out = run("plan", folder, *words, "--document", tmp_path / "plan.md")
    assert "Looks so far: 0 of 24." in out
    text = (tmp_path / "plan.md").read_text()
    for part in ("## 1 Description of modifications", "## 2 Modification protocol", "## 3 Impact"):
        assert part in text
    assert "is at most 2% over\n24 looks together: each has 0.00083" in text
    assert 'for the study "warfarin"' in text
    details = {"alpha": 0.02 / 24, "showed_gain": False, "champion": "", "gate": "closed"}
    append_entry(folder, Entry(JUDGE, a, "ada", "", details), 2)
    again = CliRunner().invoke(app, ["models", "plan", *map(str, (folder, *words))])
    assert "the plan has had 1 looks, and a new one begins" in str(again.exception)
    assert "Looks so far: 1 of 24." in run("plan", folder)
    assert "Looks so far: 0 of 24." in run("plan", folder, *words, "--reason", "a new year")


def test_registry_commands_start_without_torch() -> None:
    """It takes 2 processor seconds, and a registry only reads files."""
    names = "posology.workflows.over_time.looks, posology.lifecycle.registry.changes"
    code = f"import {names}, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_the_champion_of_a_day_to_come_is_an_error(tmp_path: Path) -> None:
    registry, _ = made_up_registry(tmp_path, 1)
    result = CliRunner().invoke(
        app, ["models", "history", str(registry.folder), "--on", "2999-01-01"]
    )
    assert isinstance(result.exception, UserError)
    assert "--on 2999-01-01: is in the future" in str(result.exception)


def test_a_machine_without_a_name_for_its_user_and_a_day_that_no_calendar_follows(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def nobody() -> str:
        raise KeyError("getpwuid(): uid not found: 1234")

    monkeypatch.setattr("getpass.getuser", nobody)
    with pytest.raises(UserError, match="--by: this machine has no name for its user"):
        author_name("")
    assert author_name("ada") == "ada"
    (tmp_path / "r" / "history").mkdir(parents=True)
    result = CliRunner().invoke(
        app, ["models", "history", str(tmp_path / "r"), "--on", "9999-12-31"]
    )
    assert isinstance(result.exception, UserError)
    assert "is in the future" in str(result.exception)


def test_the_champion_of_a_moment_in_another_zone_is_shown_in_utc(tmp_path: Path) -> None:
    registry, _ = made_up_registry(tmp_path, 1)
    out = run("history", registry.folder, "--on", "2020-01-01T08:30+05:00")
    assert "Champion on 2020-01-01 03:30 UTC: none" in out
    words = ["models", "history", str(registry.folder), "--on", "0001-01-01T00:00+14:00"]
    with pytest.raises(UserError, match="write a date or time"):
        CliRunner().invoke(app, words, catch_exceptions=False)
