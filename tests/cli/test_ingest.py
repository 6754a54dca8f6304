import json

import pyarrow.parquet as pq
import pytest
import typer
from typer.testing import CliRunner

from posology.cli.ingest import ingest
from posology.errors import RecordError
from tests.records.raw_events import YEAR0, raw_table

app = typer.Typer()
app.command()(ingest)


def run(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def events(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(raw_table([(1, YEAR0, "LAB//a", 1.0, None, None)] * 2), path)
    return path


def test_a_folder_is_made_and_told(events, tmp_path):
    result = run("--meds", events, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "2 raw events = 1 events + 0 refused + 1 exact duplicates merged" in result.output
    assert {p.name for p in (tmp_path / "out").iterdir()} == {
        "data", "metadata", "manifest.json", "refused.parquet", "quality.html", "quality.json",
    }  # fmt: skip
    again = run("--meds", events, "--out", tmp_path / "out")
    assert "ingested before, skipped" in again.output
    assert "is as it was" in again.output


def test_the_result_is_json_where_asked(events, tmp_path):
    result = run("--meds", events, "--out", tmp_path / "out", "--json")
    told = json.loads(result.stdout)
    assert (told["raw"], told["events"], told["merged"]) == (2, 1, 1)


def test_a_dry_run_reads_nothing(events, tmp_path):
    result = run("--meds", events, "--out", tmp_path / "out", "--dry-run")
    assert result.output == f"{events}: 1 files\n"
    assert not (tmp_path / "out").exists()


def test_nothing_to_ingest_is_told(tmp_path):
    result = run("--out", tmp_path / "out")
    assert isinstance(result.exception, RecordError)
    assert "name a source, such as --omop FOLDER" in str(result.exception)


def test_every_source_reaches_its_reader(tmp_path):
    (tmp_path / "p.ndjson").write_text(
        '{"resourceType": "Patient", "id": "p1", "birthDate": "1950-01-02", "gender": "female"}\n'
        "not json\n"
    )
    result = run("--fhir", tmp_path / "p.ndjson", "--out", tmp_path / "out", "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert (told["raw"], told["events"], told["unreadable"]) == (2, 2, 1)
    for kind in ("wearable", "environment"):
        result = run(f"--{kind}", tmp_path / "p.ndjson", "--out", tmp_path / "other")
        assert f"--{kind} needs one mapping file (TOML)" in str(result.exception)
