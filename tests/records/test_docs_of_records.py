"""What docs/records.md says of keys, options and rules is what the code has."""

import re
from dataclasses import fields
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import typer
from typer.main import get_command
from typer.testing import CliRunner

from posology.cli import app
from posology.cli.ingest import ingest
from posology.records.pipeline.cleaning import REFUSALS, REPAIRS
from posology.records.pipeline.units import ENTRY
from posology.records.sources.exposures import EnvironmentSettings, Measure
from posology.records.sources.questionnaires import TableForm
from posology.records.sources.tables import Columns, Mapping
from posology.records.sources.wearables import Series, WearableSettings
from tests.records.source_inputs import INPUTS

PAGE = (Path(__file__).parents[2] / "docs" / "records.md").read_text(encoding="utf-8")
MAPPINGS = (Columns, Mapping, EnvironmentSettings, Measure, TableForm, Series, WearableSettings)


def options():
    app = typer.Typer()
    app.command()(ingest)
    return [option for parameter in get_command(app).params for option in parameter.opts]


def test_every_option_is_named():
    named = list(options())
    assert {"--out", "--omop", "--json", "--dry-run"} <= set(named)
    for option in [name for name in named if "completion" not in name and name != "--help"]:
        assert re.search(rf"{option}\b", PAGE), option


def test_no_option_is_named_that_is_not_there():
    there = set(options())
    for line in re.findall(r"^posology ingest .*$", PAGE, re.MULTILINE):
        assert set(re.findall(r" (--[a-z-]+)", line)) <= there, line


@pytest.mark.parametrize("kind", MAPPINGS, ids=lambda kind: kind.__name__)
def test_every_key_of_a_mapping_is_named(kind):
    for field in fields(kind):
        if field.name not in ("series", "event", "measures"):
            assert re.search(rf"[`( ]{field.name}[`) ]", PAGE), field.name
    assert all(f"[[{name}]]" in PAGE for name in ("event", "series"))
    assert all(f"\n{name} = " in PAGE for name in ENTRY)


def test_every_rule_is_named():
    for rule in (*REPAIRS, *REFUSALS):
        assert f"`{rule}`" in PAGE, rule


FLAGS = re.MULTILINE | re.DOTALL
SECTIONS = dict(re.findall(r"^### ([^\n]+)\n(.*?)(?=^##)", PAGE, FLAGS))


def test_every_source_has_its_lines():
    assert list(SECTIONS) == list(INPUTS)


@pytest.mark.parametrize("heading", SECTIONS)
def test_the_lines_of_a_source_give_and_refuse_what_they_say(heading, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    section = SECTIONS[heading]
    INPUTS[heading]()
    for name, text in re.findall(r"^```toml\n# (\S+)\n(.*?)^```", section, FLAGS):
        Path(name).write_text(text, encoding="utf-8")
    (command,) = re.findall(r"^posology (ingest .*)$", section, re.MULTILINE)
    run = CliRunner().invoke(app, command.split())
    assert run.exit_code == 0, run.output
    codes = set(pq.read_table("events/data")["code"].to_pylist())
    gives, refuses = (re.search(rf"\*\*{word}\*\* (.*)$", section, re.MULTILINE) for word in
                      ("Gives", "Refused"))  # fmt: skip
    told = set(re.findall(r"`([A-Z_]+(?://[^`]+)?)`", gives[1]))
    assert told, gives[1]
    assert told <= codes, (told, codes)
    reasons = pq.read_table("events/refused.parquet")["reason"].to_pylist()
    said = re.findall(r'"([^"]+)"', refuses[1])
    assert said, reasons
    assert set(said) <= set(reasons), reasons
