"""`posology tune`, and a fit with the recipe it wrote."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from posology import artifact
from posology.cli import app
from posology.learners import recipes
from tests.builders import synthetic_iwpc
from tests.builders.small_recipes import small_recipe


def test_the_recipe_it_writes_fits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recipes, "recipe_for_cohort", lambda train, seed=0: small_recipe(seed))
    pq.write_table(synthetic_iwpc.events(120), tmp_path / "events.parquet")

    def run(*words: str | Path) -> None:
        done = CliRunner().invoke(app, list(map(str, words)), catch_exceptions=False)
        assert done.exit_code == 0, done.output

    given = ("iwpc", "--events", tmp_path / "events.parquet")
    out, short = tmp_path / "tuned", ("--trials", "3", "--first-epochs", "1")
    run("tune", *given, "--out", out, *short, "--json", tmp_path / "t.json")
    rows = json.loads((tmp_path / "t.json").read_text())["rows"]
    assert len([r for r in rows if r["epoch"] == 1]) == 3
    run("fit", *given, "--recipe", out / "recipe.json", "--out", tmp_path / "model")
    assert artifact.load(tmp_path / "model").evidence["recipe"] == str(out / "recipe.json")
