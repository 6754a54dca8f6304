"""`posology models` on the command line."""

import json
from pathlib import Path

from typer.testing import CliRunner

from posology.cli import app
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
    assert "Champion on 2020-01-01T23:59:59.999999+00:00: none" in out
    found = json.loads((tmp_path / "history.json").read_text())
    assert [e["action"] for e in found["history"]] == [
        *("add", "add", "promote", "promote", "rollback")
    ]
    assert run("history", folder).splitlines()[-1] == f"Champion now: {a[:8]}"
    assert run("shadow", folder, b[:6], "--by", "ada").startswith("Challenger: version")
    assert run("shadow", folder, "--by", "ada") == f"Version {b[:8]} is no challenger any more.\n"
