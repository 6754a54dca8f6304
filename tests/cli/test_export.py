"""`posology export`, and its predictions back in `posology evaluate --beside`."""

import json
from pathlib import Path

import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from posology import artifact
from posology.cohorts.storage.arrays import save_cohort
from posology.domain.cohort import select_split
from posology.learners.guidelines.formula import build_rule_policy
from tests.builders import synthetic_iwpc
from tests.builders.command_line import run


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("export")
    cohort = synthetic_iwpc.cohort(240)
    save_cohort(cohort, place / "cohort")
    policy = build_rule_policy(cohort.study.rules[0], select_split(cohort, "train"))
    artifact.save(policy, cohort.study, {}, place / "model")
    return place


def test_the_table_goes_out_and_comes_back_as_a_row_of_the_evaluation(folder: Path) -> None:
    table = folder / "decisions.csv"
    done = run("export", folder / "cohort", "--table", table)
    assert done.returncode == 0, done.stderr
    assert f"{table}: 240 decisions, " in done.stdout
    frame = pyarrow.csv.read_csv(table)
    best = frame.select(["subject_id", "time", "best_treatment"])
    best = best.rename_columns(["subject_id", "time", "treatment"])
    pyarrow.csv.write_csv(best, folder / "oracle.csv")
    figures = folder / "figures.json"
    command = ("evaluate", folder / "model", folder / "cohort", "--no-baselines")
    done = run(*command, "--beside", folder / "oracle.csv", "--json", figures)
    assert done.returncode == 0, done.stderr
    rows = json.loads(figures.read_text())["rows"]
    accuracy = {row["model"]: row["value"] for row in rows if row["metric"] == "accuracy"}
    assert accuracy["oracle"] == 1.0
    assert accuracy["posology"] < 1.0


def test_episodes_and_labels_are_counted(folder: Path) -> None:
    done = run(
        *("export", folder / "cohort", "--episodes", folder / "e.npz"),
        *("--labels", folder / "labels", "--table", folder / "t.parquet"),
    )
    assert done.returncode == 0, done.stderr
    assert "240 episodes, 240 decisions" in done.stdout
    assert len(pq.read_table(folder / "labels" / "effective.parquet")) == 240
    assert len(pq.read_table(folder / "t.parquet")) == 240


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((), "name at least one of --table, --episodes and --labels"),
        (("--table", "t.xlsx"), "--table t.xlsx: its name must end in .csv or .parquet"),
        (("--episodes", "e.h5"), "--episodes e.h5: its name must end in .npz"),
    ],
)
def test_what_cannot_be_written_is_an_error(
    folder: Path, words: tuple[str, ...], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    done = run("export", folder / "cohort", *words)
    assert done.returncode == 2
    assert expected in done.stderr
