"""`posology new` writes a project whose Makefile runs end to end, and overwrites nothing."""

import json
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup
from typer.main import get_command
from typer.testing import CliRunner

from posology.cli import app
from posology.cli.start.questions import ask
from posology.errors import UserError
from posology.workflows.new.project import plan_project
from posology.workflows.new.request import Request
from tests.builders.command_line import run_python
from tests.builders.projects import write_trial

needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


def run(*arguments: object):
    return CliRunner().invoke(app, ["new", *map(str, arguments)], env={"COLUMNS": "80"})


PROJECT_IN_ONE_PROCESS = """
import json, os, shlex, subprocess
from pathlib import Path
from posology.cli import app
from posology.cli.start.questions import ask
from posology.workflows.new.project import plan_project
from posology.workflows.new.request import Request

def run(line):
    if line.startswith("posology "):
        app(shlex.split(line)[1:], standalone_mode=False)
    else:
        subprocess.run(line, shell=True, check=True)

plan_project(Request(Path.cwd() / "pressure"), 200).write()
os.chdir("pressure")
# The effect study that `fit` keeps takes most of the time, and `effect` runs the same.
words = ["make", "-n", "METHOD=boosting --evidence-decisions 0"]
dry = subprocess.run(words, capture_output=True, text=True, check=True).stdout
lines = dry.splitlines()
verbs = [line.split()[1] for line in lines if line.startswith("posology ")]
for line in lines:
    run(line)
for cell in json.loads(Path("explore.ipynb").read_text())["cells"]:
    if cell["cell_type"] == "code":
        assert cell["outputs"] == []
        exec("".join(cell["source"]))
Path("../verbs.json").write_text(json.dumps(verbs))
"""
"""In a process of its own, once: under pytest, checks of shapes would triple the time."""


@needs_make
def test_the_first_target_runs_end_to_end(tmp_path) -> None:
    ended = run_python(PROJECT_IN_ONE_PROCESS, tmp_path)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    verbs = json.loads((tmp_path / "verbs.json").read_text())
    assert verbs == ["ingest", "cohort", "cohort", "fit", "recommend", "evaluate", "effect"]
    names = {path.name for path in (tmp_path / "pressure").iterdir()}
    assert {"patient.html", "value.html", "effect.html", "model"} <= names
    page = (tmp_path / "pressure" / "patient.html").read_text(encoding="utf-8")
    assert "78 years" in page


def test_a_table_becomes_a_study_that_its_dry_run_accepts(tmp_path, monkeypatch) -> None:
    write_trial(tmp_path / "trial.csv")
    result = run(tmp_path / "p", "--data", "csv", "--path", tmp_path / "trial.csv")
    assert result.exit_code == 0, result.output
    assert "guesses are marked CHECK" in result.output
    monkeypatch.chdir(tmp_path / "p")
    for line in ("ingest --out events --table mapping.toml", "cohort study.toml events --dry-run"):
        step = CliRunner().invoke(app, line.split(), env={"COLUMNS": "80"})
        assert step.exit_code == 0, step.output
    text = " ".join(step.output.split())
    assert "placebo │ 20" in text
    assert "38 known" in text or "│ 38 " in text


def test_a_dry_run_writes_nothing(tmp_path) -> None:
    result = run(tmp_path / "p", "--yes", "--dry-run")
    assert result.exit_code == 0
    assert "study.toml" in result.output
    assert not (tmp_path / "p").exists()


def test_a_folder_that_is_not_empty_is_refused(tmp_path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    result = run(tmp_path, "--yes")
    assert isinstance(result.exception, UserError)
    assert "is not empty; nothing is overwritten" in str(result.exception)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--data", "omob"], "--data 'omob' is unknown; did you mean 'omop'?"),
        (["--data", "csv"], "--data csv needs --path"),
        (["--data", "csv", "--path", "trail.csv"], "trail.csv: there is no such file"),
        (["--data", "csv", "--path", "trail.csv"], "did you mean trial.csv?"),
        (["--treatment", "arn"], "column 'arn' is unknown; did you mean 'arm'?"),
        (["--outcome", "adge"], "--outcome: column 'adge' is unknown; did you mean 'age'?"),
        (["--treatment", "age"], "--treatment age: has 40 different values"),
        (["--goal", "cured"], "--goal 'cured': died has the values 0, 1"),
        (["--outcome", "age", "--goal", "low"], "of numbers write '<=140' or '>=50'"),
        (["--question", "dose"], "no column looks like a dose; name it with --dose"),
        ([], "add --data simulated, csv, omop, fhir or meds; or --yes"),
    ],
)
def test_errors_name_the_nearest_known_name(tmp_path, monkeypatch, options, message) -> None:
    monkeypatch.chdir(tmp_path)
    write_trial(Path("trial.csv"))
    stated = ["--data", "csv", "--path", "trial.csv"] if options and "--data" not in options else []
    result = run("p", *stated, *options)
    assert isinstance(result.exception, UserError), result.output
    assert message in str(result.exception)
    assert not Path("p").exists()


@needs_make
@pytest.mark.parametrize("data", ["omop", "fhir", "meds"])
def test_every_line_of_a_makefile_is_a_command_that_there_is(tmp_path, monkeypatch, data) -> None:
    plan_project(Request(tmp_path / "p", data)).write()
    monkeypatch.chdir(tmp_path / "p")
    dry = subprocess.run(["make", "-n"], capture_output=True, text=True, check=True).stdout
    commands = [shlex.split(line) for line in dry.splitlines() if line.startswith("posology ")]
    assert len(commands) == 9
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    for _, verb, *words in commands:
        group.commands[verb].make_context(verb, words)  # UsageError for an unknown option


LOSSY = """#!/bin/sh
echo "$@" >> calls
if [ "$1" = ingest ]; then mkdir events.partial; case "$*" in *--accept*) ;; *) exit 3;; esac; fi
if [ "$1" = cohort ]; then exit 1; fi
"""


@needs_make
def test_make_does_not_go_on_after_an_ingest_that_lost_rows(tmp_path) -> None:
    folder = tmp_path / "p"
    plan_project(Request(folder), 50).write()
    (folder / "lossy").write_text(LOSSY)

    printed: list[bytes] = []

    def make(*words: str) -> str:
        command = ["make", "POSOLOGY=sh ./lossy", "events", *words]
        printed.append(subprocess.run(command, cwd=folder, capture_output=True, check=False).stdout)
        return (folder / "calls").read_text()

    for times in (1, 2):
        assert make("cohort").count("ingest") == times, "the second make starts with it again"
        assert "cohort" not in (folder / "calls").read_text()
        assert not (folder / "events").exists()
        assert (folder / "events.partial").is_dir(), "its report can be read"
        assert b"events/quality.html" not in printed[-1]
    assert "cohort study.toml" in make("cohort", "INGEST=--accept")
    assert (folder / "events").is_dir()
    assert b"events.partial is now events; see events/quality.html\n" in printed[-1]


def test_a_mistyped_answer_is_asked_again(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    write_trial(Path("trial.csv"))
    answers = iter(
        ["cvs", "csv", "trail.csv", "", "trial.csv", "treatment", "arn", "arm", "died", "0", "30"]
    )
    monkeypatch.setattr(typer, "prompt", lambda *_, **__: next(answers))
    monkeypatch.setattr(typer, "confirm", lambda *_, **__: False)
    request = ask(Request(tmp_path / "p"), ask_data=True)
    assert (request.data, request.path) == ("csv", Path("trial.csv"))
    assert (request.treatments, request.outcome, request.days) == (("arm",), "died", "30")
    shown = capsys.readouterr().out
    assert "trail.csv: there is no such file or folder." in shown
    assert "column 'arn' is unknown; did you mean 'arm'?" in shown
    assert next(answers, "all were used") == "all were used"
