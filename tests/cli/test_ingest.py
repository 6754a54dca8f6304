import importlib
import importlib.util
import json
import sys

import pyarrow.parquet as pq
import pytest
import typer
from typer.testing import CliRunner

from posology.cli import main
from posology.cli.ingest import IngestCommand, ingest
from posology.errors import RecordError, describe_install
from posology.records.sources.registry import SOURCE_KINDS, SourceKind
from tests.builders.raw_events import YEAR0, raw_table

REGISTRY = "posology.records.sources.registry"

app = typer.Typer()
app.command(cls=IngestCommand)(ingest)


def run(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def events(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(raw_table([(1, YEAR0, "LAB//a", 1.0, None, None)] * 2), path)
    return path


def test_an_ingest_makes_a_folder_and_describes_it(events, tmp_path):
    result = run("--meds", events, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "2 raw events = 1 events + 0 rejected + 1 exact duplicates merged" in result.output
    assert {p.name for p in (tmp_path / "out").iterdir()} == {
        "data",
        "metadata",
        "checksums.json",
        "manifest.json",
        "rejected.parquet",
        "quality.html",
        "quality.json",
    }
    again = run("--meds", events, "--out", tmp_path / "out")
    assert "ingested before, skipped" in again.output
    assert "is unchanged" in again.output


def rows_of(path):
    body = json.loads(path.read_text())
    assert set(body) == {"meta", "rows"}
    assert body["meta"]["command"].startswith("posology")
    return body["rows"]


def value(rows, metric):
    (found,) = [row["value"] for row in rows if row["metric"] == metric]
    return found


def test_the_result_is_written_as_rows_of_json(events, tmp_path):
    refused = raw_table([(1, None, "DRUG//x//given", -5.0, None, "mg")])
    pq.write_table(refused, tmp_path / "b.parquet")
    result = run(
        "--meds",
        events,
        "--meds",
        tmp_path / "b.parquet",
        "--out",
        tmp_path / "out",
        "--accept",
        "--json",
        tmp_path / "new" / "rows.json",
    )
    assert result.exit_code == 0, result.output
    rows = rows_of(tmp_path / "new" / "rows.json")
    assert [(row["split"], row["value"]) for row in rows if row["metric"] == "read"] == [
        (str(events), 2),
        (str(tmp_path / "b.parquet"), 1),
    ]
    assert [value(rows, name) for name in ("raw", "events", "merged")] == [3, 1, 1]
    (rejected,) = [row for row in rows if row["metric"] == "rejected"]
    assert (rejected["value"], rejected["rule"]) == (1, "out_of_range")
    assert rejected["reason"] == "the value is outside the code's plausible limits"
    run("--meds", events, "--out", tmp_path / "out", "--json", tmp_path / "again.json")
    assert value(rows_of(tmp_path / "again.json"), "skipped") == 1


@pytest.fixture
def labs(tmp_path):
    """A mapping of 100 rows; the number of dates that cannot be read is an argument."""

    def write(faulty, name="labs"):
        (tmp_path / f"{name}.toml").write_text(
            f'[[event]]\nfile = "{name}.csv"\nsubject = "pid"\ntime = "{{taken}}"\ncode = "A"\n'
        )
        dates = ["02/01/2020"] * faulty + [
            f"2020-01-01 08:00:{s % 60:02}" for s in range(faulty, 100)
        ]
        rows = "".join(f"{number},{date}\n" for number, date in enumerate(dates))
        (tmp_path / f"{name}.csv").write_text(f"pid,taken\n{rows}")
        return tmp_path / f"{name}.toml"

    return write


def test_a_source_that_lost_many_rows_is_named_first_and_exits_with_3(labs, tmp_path):
    words = ["--table", labs(6), "--out", tmp_path / "out"]
    result = run(*words, "--json", tmp_path / "rows.json")
    assert result.exit_code == 3
    first = result.output.splitlines()[0]
    assert first == f"Rows were lost: {tmp_path / 'labs.csv'} lost 6.0% of 100 rows"
    rows = rows_of(tmp_path / "rows.json")
    assert [(r["split"], r["value"]) for r in rows if r["metric"] == "lost"] == [
        (str(tmp_path / "labs.csv"), 6)
    ]
    report = json.loads((tmp_path / "out" / "quality.json").read_text())
    assert report["gaps"][0] == f"{tmp_path / 'labs.csv'} lost 6.0% of 100 rows"
    assert pq.read_table(tmp_path / "out" / "data").num_rows == 94
    later = run("--table", labs(5, "more"), "--out", tmp_path / "out")
    assert later.exit_code == 0, "what an earlier ingest lost is not said again"
    assert not later.output.startswith("Rows were lost")


def test_lost_rows_can_be_accepted(labs, tmp_path):
    result = run("--table", labs(6), "--out", tmp_path / "out", "--accept")
    assert result.exit_code == 0
    assert result.output.startswith("Rows were lost: ")


def test_an_ingest_without_any_event_is_an_error(labs, tmp_path):
    result = run("--table", labs(100), "--out", tmp_path / "out", "--accept")
    assert isinstance(result.exception, RecordError)
    assert str(result.exception) == (
        f"no row of {tmp_path / 'labs.csv'} (event 1) became an event (most frequent reason: "
        "is not a date as ISO 8601; set time_format, such as %d/%m/%Y); "
        f"see {tmp_path / 'out' / 'rejected.parquet'}"
    )
    assert pq.read_table(tmp_path / "out" / "rejected.parquet").num_rows == 100


def test_rows_that_are_no_events_by_their_own_statement_are_not_lost(tmp_path):
    lines = ['{"resourceType": "Patient", "id": "7", "birthDate": "1950-01-02"}']
    lines += ['{"resourceType": "Claim"}'] * 3
    (tmp_path / "a.ndjson").write_text("\n".join(lines))
    result = run("--fhir", tmp_path / "a.ndjson", "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output


def test_a_dry_run_reads_nothing(events, tmp_path):
    result = run("--meds", events, "--out", tmp_path / "out", "--dry-run")
    assert result.output == f"{events}: 1 file\n"
    assert not (tmp_path / "out").exists()


def test_a_line_of_the_registry_is_an_option(events, tmp_path, monkeypatch):
    added = SourceKind("jsonl", "meds_folder", "JSON lines.")
    for module in ("posology.cli.ingest", "posology.workflows.ingest", REGISTRY):
        kinds = (*SOURCE_KINDS, added)
        monkeypatch.setattr(importlib.import_module(module), "SOURCE_KINDS", kinds)
    assert "--jsonl <path> JSON lines." in " ".join(run("--help").output.split())
    result = run("--jsonl", events, "--out", tmp_path / "out", "--dry-run")
    assert result.output == f"{events}: 1 file\n"


def test_nothing_to_ingest_is_refused(tmp_path):
    result = run("--out", tmp_path / "out")
    assert isinstance(result.exception, RecordError)
    assert "name a source, such as --omop FOLDER" in str(result.exception)


def test_every_source_reaches_its_reader(tmp_path):
    (tmp_path / "p.ndjson").write_text(
        '{"resourceType": "Patient", "id": "p1", "birthDate": "1950-01-02", "gender": "female"}\n'
        "not json\n"
    )
    body = tmp_path / "rows.json"
    words = ["--fhir", tmp_path / "p.ndjson", "--out", tmp_path / "out", "--json", body]
    result = run(*words)
    assert result.exit_code == 3, result.output
    rows = rows_of(body)
    assert [value(rows, name) for name in ("raw", "events", "unreadable")] == [2, 2, 1]
    for kind in ("wearable", "environment"):
        result = run(f"--{kind}", tmp_path / "p.ndjson", "--out", tmp_path / "other")
        assert f"--{kind} needs one mapping file (TOML)" in str(result.exception)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--meds", "gone.parquet"], "gone.parquet: there is no such file or folder"),
        (["--meds", "gone.parquet", "--dry-run"], "gone.parquet: there is no such file or folder"),
        (["--omop", "gone"], "gone: there is no such folder"),
        (["--omop", "gone.zip"], "gone.zip: there is no such file or folder"),
        pytest.param(
            ["--omop", "postgresql://no@127.0.0.1:1/cdm"],
            "cannot connect to the database",
            marks=pytest.mark.skipif(
                importlib.util.find_spec("psycopg") is None,
                reason="no psycopg: pip install 'posology[postgres]'",
            ),
        ),
        (["--table", "gone.toml"], "gone.toml: cannot be read: No such file or directory"),
        (["--fhir", "gone"], "gone: there is no such file or folder"),
        (["--vcf", "gone"], "gone: there is no such file or folder"),
        (["--meds", "a.parquet", "--engine", "oracle"], "write duckdb, spark, or postgresql://"),
        (["--meds", "a.parquet", "--memory", "much"], "memory 'much' is not a size: write 2GB"),
        (["--meds", "a.parquet", "--codebook", "gone.toml"], "code book gone.toml: "),
        (["--meds", "a.parquet", "--out", "a.parquet"], "a.parquet: is a file; name a folder"),
        (["--meds", "a.parquet", "--out", "a.parquet/out"], "a.parquet/out: cannot be written"),
    ],
)
def test_an_error_of_the_caller_is_one_paragraph_and_exit_code_2(
    events, tmp_path, monkeypatch, capsys, words, expected
):
    monkeypatch.chdir(tmp_path)
    out = [] if "--out" in words else ["--out", "out"]
    monkeypatch.setattr(sys, "argv", ["posology", "ingest", *words, *out])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    body = capsys.readouterr().err
    assert body.startswith("posology: ")
    assert "Traceback" not in body
    assert expected in " ".join(body.split())
    assert not (tmp_path / "out").exists()


def test_brackets_in_an_error_are_shown(monkeypatch, capsys):
    def fails():
        raise RecordError(f"engine spark needs: {describe_install('spark')}")

    monkeypatch.setattr("posology.cli.app", fails)
    with pytest.raises(SystemExit):
        main()
    assert ".[spark]" in capsys.readouterr().err


def test_vcf_takes_its_settings_and_tables_of_diplotypes(tmp_path):
    (tmp_path / "panel.csv").write_text(
        "gene,rsid,chrom,position,ref,alt,strand\nVKORC1,rs9923231,chr16,31096368,C,T,-\n"
    )
    (tmp_path / "genes.toml").write_text(
        f'panel = "{tmp_path / "panel.csv"}"\nsubjects = {{ sample1 = "17" }}\n'
    )
    (tmp_path / "s.vcf").write_text(
        "##fileformat=VCFv4.2\n##contig=<ID=chr16,length=90338345>\n"
        "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tsample1\n"
        "chr16\t31096368\t.\tC\tT\t99\tPASS\t.\tGT:GQ\t0/1:60\n"
    )
    (tmp_path / "lab.csv").write_text(
        "subject,gene,diplotype,phenotype,date\n17,CYP2C19,*2/*2,Poor Metabolizer,2020-01-02\n"
    )
    words = [f"--vcf={tmp_path / name}" for name in ("genes.toml", "s.vcf", "lab.csv")]
    result = run(*words, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    events = pq.read_table(tmp_path / "out" / "data").to_pylist()
    assert {(event["subject_id"], event["code"]) for event in events} == {
        (17, "GENOTYPE//VKORC1_rs9923231//A/G"),
        (17, "GENOTYPE//CYP2C19//*2/*2"),
        (17, "PHENOTYPE//CYP2C19//poor_metabolizer"),
    }
