"""What docs/records.md says of keys, options and rules is what the code has."""

import re
from dataclasses import fields
from pathlib import Path

import pytest
import typer
from typer.main import get_command

from posology.cli.ingest import ingest
from posology.records.cleaning import REFUSALS, REPAIRS
from posology.records.environment import EnvironmentSettings, Measure
from posology.records.questionnaires import TableForm
from posology.records.tables import Columns, Mapping
from posology.records.units import ENTRY
from posology.records.wearables import Series, WearableSettings

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
