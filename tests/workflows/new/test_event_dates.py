"""A table whose outcome is the day of an event: empty where there was none."""

import csv
from datetime import date, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from posology.cli import app
from posology.errors import UserError
from posology.records.sources.tables.column_kinds import Column
from posology.workflows.new.project import plan_project
from posology.workflows.new.request import Request
from posology.workflows.new.study import label

FIRST = date(2020, 1, 1)


def write_table(path: Path, has_last_seen: bool = True, has_entry: bool = True) -> None:
    """Sixty patients; every third dies after 100 days, and all are followed for 500 at most."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        names = ["id", "visit_date", "age", "drug", "died_on", "last_seen"]
        kept = [
            n
            for n in names
            if (has_last_seen or n != "last_seen") and (has_entry or n != "visit_date")
        ]
        writer.writerow(kept)
        for k in range(60):
            entry = FIRST + timedelta(days=k)
            died = entry + timedelta(days=100) if k % 3 == 0 else None
            row = {
                "id": f"P{k:03d}",
                "visit_date": entry,
                "age": 50 + k % 20,
                "drug": "ab"[k % 2],
                "died_on": died or "",
                "last_seen": died or entry + timedelta(days=500),
            }
            writer.writerow([row[n] for n in kept])


def files(folder: Path, **options: str) -> dict[str, str]:
    request = Request(folder / "p", "csv", path=folder / "t.csv", **options)
    return plan_project(request).files


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("died_on", "death"),
        ("Rezidiv am", "Rezidiv"),
        ("date_of_relapse", "relapse"),
        ("Relapse Date", "Relapse"),
        ("progression", "progression"),  # once read as `progressi`
        ("date", "date"),
    ],
)
def test_an_event_is_named_without_what_says_that_it_is_a_day(name: str, words: str) -> None:
    assert label(Column(name, "date")) == words


def test_the_day_of_death_is_an_outcome_and_the_last_day_seen_ends_follow_up(tmp_path) -> None:
    write_table(tmp_path / "t.csv")
    made = files(tmp_path)
    assert 'kind = "does_not_occur"  # CHECK: guessed; --goal states it' in made["study.toml"]
    assert 'codes = ["OUTCOME//died_on"]' in made["study.toml"]
    assert '"OUTCOME//died_on" = "death"' in made["study.toml"]
    assert "until" not in made["study.toml"]
    outcome = 'code = "OUTCOME//died_on"\ntime = "{died_on}"\nwhen = "died_on"'
    assert outcome in made["mapping.toml"]
    ends = 'code = "OBSERVATION_PERIOD//END"\ntime = "{last_seen}"\nwhen = "last_seen"'
    assert ends in made["mapping.toml"]


def test_its_dry_run_knows_every_outcome(tmp_path, monkeypatch) -> None:
    write_table(tmp_path / "t.csv")
    plan_project(Request(tmp_path / "p", "csv", path=tmp_path / "t.csv")).write()
    monkeypatch.chdir(tmp_path / "p")
    for line in ("ingest --out events --table mapping.toml", "cohort study.toml events --out c"):
        step = CliRunner().invoke(app, line.split(), env={"COLUMNS": "80"})
        assert step.exit_code == 0, step.output
    text = " ".join(step.output.split())
    assert "death 20 20 60" in text.replace("│ ", "")


def test_without_a_last_day_all_are_followed_to_the_tables_last_date(tmp_path) -> None:
    write_table(tmp_path / "t.csv", has_last_seen=False)
    made = files(tmp_path)
    assert "until = 2020-06-06  # CHECK: the day to which all were followed" in made["study.toml"]
    assert "OBSERVATION_PERIOD" not in made["mapping.toml"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"goal": "no"},
            "--goal 'no': died_on holds dates; write does_not_occur if the event is bad, occurs if",
        ),
        (
            {"outcome": "died_on", "days": "age"},
            "--days age: the outcome died_on holds dates, from which the days are counted; give",
        ),
    ],
)
def test_what_does_not_fit_dates_is_refused(tmp_path, options: dict, message: str) -> None:
    write_table(tmp_path / "t.csv")
    with pytest.raises(UserError) as refused:
        files(tmp_path, **options)
    assert message in str(refused.value)


def test_a_date_alone_needs_the_day_of_entry(tmp_path) -> None:
    write_table(tmp_path / "t.csv", has_last_seen=False, has_entry=False)
    with pytest.raises(UserError, match="no column has the date of entry; name it with --entry"):
        files(tmp_path, outcome="died_on")
