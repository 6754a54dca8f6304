"""docs/records.md lists the sources, keys, options and rules of the code."""

import importlib
import re
from dataclasses import fields
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import typer
from typer.main import get_command
from typer.testing import CliRunner

from posology.cli import app
from posology.cli.ingest import IngestCommand, ingest
from posology.records.pipeline.cleaning_rules import REJECTION_RULES, REPAIRS
from posology.records.pipeline.units import ENTRY_KEYS
from posology.records.sources.exposures import EnvironmentSettings, ExposureMeasure
from posology.records.sources.imaging.pixels import PixelSettings
from posology.records.sources.imaging.reader import ImagingSettings
from posology.records.sources.meds_folder import MedsColumns
from posology.records.sources.questionnaires import QuestionnaireTable
from posology.records.sources.registry import SOURCE_KINDS
from posology.records.sources.tables.mapping import EventMapping, TableMapping
from posology.records.sources.wearables import SeriesMapping, WearableSettings
from tests.builders.source_inputs import INPUTS

PAGE = (Path(__file__).parents[2] / "docs" / "records.md").read_text(encoding="utf-8")
MAPPINGS = (
    EventMapping,
    TableMapping,
    EnvironmentSettings,
    ImagingSettings,
    PixelSettings,
    ExposureMeasure,
    MedsColumns,
    QuestionnaireTable,
    SeriesMapping,
    WearableSettings,
)


def options():
    app = typer.Typer()
    app.command(cls=IngestCommand)(ingest)
    command = get_command(app)
    parameters = command.get_params(typer.Context(command))
    return [option for parameter in parameters for option in parameter.opts]


def test_every_option_is_documented():
    named = list(options())
    assert {"--out", "--omop", "--json", "--dry-run"} <= set(named)
    for option in [name for name in named if "completion" not in name and name != "--help"]:
        assert re.search(rf"{option}\b", PAGE), option


def test_every_documented_option_exists():
    known = set(options())
    for line in re.findall(r"^posology ingest .*$", PAGE, re.MULTILINE):
        assert set(re.findall(r" (--[a-z-]+)", line)) <= known, line


@pytest.mark.parametrize("kind", MAPPINGS, ids=lambda kind: kind.__name__)
def test_every_key_of_a_mapping_is_documented(kind):
    for field in fields(kind):
        if field.name not in ("series", "event", "measures"):
            assert re.search(rf"[`( ]{field.name}[`) ]", PAGE), field.name
    assert all(f"[[{name}]]" in PAGE for name in ("event", "series"))
    assert all(f"\n{name} = " in PAGE for name in ENTRY_KEYS)


def test_every_rule_is_documented():
    for rule in (*REPAIRS, *REJECTION_RULES):
        assert f"`{rule}`" in PAGE, rule


FLAGS = re.MULTILINE | re.DOTALL
SECTIONS = dict(re.findall(r"^### ([^\n]+)\n(.*?)(?=^##)", PAGE, FLAGS))


def test_every_source_has_a_section():
    assert list(SECTIONS) == list(INPUTS)


def test_the_table_of_sources_is_that_of_the_registry():
    page = PAGE.partition("You can repeat each option")[0]
    table = re.findall(r"^\| `--([a-z]+)` \| (.*) \|$", page, re.MULTILINE)
    assert table == [(kind.name, kind.help) for kind in SOURCE_KINDS]


@pytest.mark.parametrize("kind", SOURCE_KINDS, ids=lambda kind: kind.name)
def test_every_kind_of_source_is_an_option_and_has_a_module(kind):
    assert f"--{kind.name}" in options()
    module = importlib.import_module(f"posology.records.sources.{kind.module}")
    assert callable(module.make_sources)


@pytest.mark.parametrize("heading", SECTIONS)
def test_the_command_of_a_section_gives_its_output_and_its_rejections(
    heading, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    section = SECTIONS[heading]
    INPUTS[heading]()
    for name, text in re.findall(r"^```toml\n# (\S+)\n(.*?)^```", section, FLAGS):
        Path(name).write_text(text, encoding="utf-8")
    (command,) = re.findall(r"^posology (ingest .*)$", section, re.MULTILINE)
    run = CliRunner().invoke(app, command.split())
    assert run.exit_code in (0, 3), run.output  # 3: of so few rows, one to reject is many
    codes = set(pq.read_table("events/data")["code"].to_pylist())
    (output,) = re.findall(r"\*\*Output\*\*: (.*)$", section, re.MULTILINE)
    expected_codes = set(re.findall(r"`([A-Z_]+(?://[^`]+)?)`", output))
    assert expected_codes, output
    assert expected_codes <= codes
    reasons = pq.read_table("events/rejected.parquet")["reason"].to_pylist()
    (rejected,) = re.findall(r"\*\*Rejected\*\*: (.*)$", section, re.MULTILINE)
    expected_reasons = re.findall(r'"([^"]+)"', rejected)
    assert expected_reasons, rejected
    assert set(expected_reasons) <= set(reasons)
