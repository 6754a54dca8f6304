"""What patients' rows said is in no report, log or name of a code; only the owner may read it."""

import json
import stat
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import typer
from typer.testing import CliRunner

from posology.cli.ingest import IngestCommand, ingest
from posology.records.io.patterns import value_pattern, without_value

CANARY = "Zyxwvu Qponml"
PATIENT = {"reference": "Patient/7"}
RESOURCES = [
    {"resourceType": "Patient", "id": "7", "birthDate": "1950-01-02", "gender": CANARY},
    {"resourceType": "Patient", "id": "8", "birthDate": CANARY},
    {"resourceType": "Patient", "id": "9", "birthDate": {"name": CANARY}},
    {"resourceType": CANARY, "subject": {"reference": "Patient/7", "display": CANARY}},
    {"resourceType": "Observation", "subject": {"display": CANARY}},
    {"resourceType": "Observation", "subject": PATIENT, "code": CANARY, "issued": "2020-01-01"},
    {
        "resourceType": "Observation",
        "subject": PATIENT,
        "issued": "2020-01-01",
        "code": {"coding": [{"system": "http://loinc.org", "code": "1"}]},
        "valueQuantity": {"value": {"name": CANARY}},
    },
    {
        "resourceType": "Condition",
        "subject": PATIENT,
        "recordedDate": "2020-01-01",
        "code": {"text": CANARY},
    },
    {
        "resourceType": "Condition",
        "subject": PATIENT,
        "recordedDate": CANARY,
        "code": {"text": "x"},
    },
    {
        "resourceType": "MedicationRequest",
        "subject": PATIENT,
        "authoredOn": "2020-01-01",
        "medicationCodeableConcept": {"coding": [{"code": "1"}]},
        "dosageInstruction": [
            {
                "timing": {"repeat": {"dayOfWeek": [CANARY], "periodUnit": CANARY}},
                "doseAndRate": [{"doseQuantity": {"value": 1}}],
            }
        ],
    },
    CANARY,
]
LABS = '[[event]]\nfile = "labs.csv"\nsubject = "pid"\ntime = "{taken}"\ncode = "LAB//{test}"\n'
FORM = 'subject = "id"\ntime = "date"\nquestion = "asked"\nanswer = "answer"\n'


def write_sources(folder: Path) -> list[str]:
    """Sources with the canary in every place that is refused; the words of the command line."""
    (folder / "a.ndjson").write_text("\n".join(map(json.dumps, RESOURCES)) + f"\n{CANARY}\n")
    (folder / "labs.toml").write_text(LABS)
    (folder / "labs.csv").write_text(
        f"pid,taken,test\n7,2020-01-01,a\n7,{CANARY},a\n7,2020-01-02\n7,{CANARY},a,{CANARY}\n"
    )
    (folder / "form.toml").write_text(FORM)
    (folder / "forms.csv").write_text(
        f"id,date,asked,answer\n7,2020-01-01,{CANARY},1\n7,2020-01-01,72166-2,{CANARY}\n"
        f"7,{CANARY},72166-2,1\n"
    )
    (folder / "cdm").mkdir()
    (folder / "cdm" / "person.csv").write_text(
        f"person_id,year_of_birth,gender_source_value\n7,1950,{CANARY}\n{CANARY},1950,F\n"
    )
    (folder / "cdm" / "condition_occurrence.csv").write_text(
        "condition_occurrence_id,person_id,condition_concept_id,condition_start_date,"
        f"condition_source_value\n1,7,0,2020-01-01,{CANARY}\n2,7,0,{CANARY},E11\n"
        "3,7,0,2020-01-01,E11\n"
    )
    words = {"fhir": ["a.ndjson"], "table": ["labs.toml"], "questionnaire": ["form.toml"]}
    words["questionnaire"].append("forms.csv")
    words["omop"] = ["cdm"]
    return [f"--{kind}={folder / name}" for kind, names in words.items() for name in names]


def run(*words: object):
    app = typer.Typer()
    app.command(cls=IngestCommand)(ingest)
    return CliRunner().invoke(app, [str(word) for word in words])


def is_shown(text: str) -> bool:
    return any(part in text.lower() for part in ("zyxwvu", "qponml"))


def texts_of(out: Path) -> dict[str, str]:
    """All that an ingest writes for people and programs to read, apart from the refused rows."""
    texts = {p.name: p.read_text("utf-8") for p in out.iterdir() if p.suffix in (".json", ".html")}
    for path in [*out.rglob("data/*.parquet"), *out.rglob("metadata/*.parquet")]:
        texts[path.name] = json.dumps(pq.read_table(path).to_pylist(), default=str)
    return texts


def test_refused_values_stand_in_the_refused_rows_alone(tmp_path: Path, caplog) -> None:
    words = write_sources(tmp_path)
    out, rows = tmp_path / "out", tmp_path / "rows.json"
    result = run(*words, "--out", out, "--json", rows, "--accept")
    assert result.exit_code == 0, result.output
    shown = {"terminal": result.output, "log": caplog.text, "--json": rows.read_text()}
    leaks = [name for name, text in {**shown, **texts_of(out)}.items() if is_shown(text)]
    assert leaks == []
    refused = pq.read_table(out / "rejected.parquet").to_pylist()
    assert sum(is_shown(str(row["value"])) for row in refused) >= 14
    assert not any(is_shown(f"{row['source']} {row['field']} {row['reason']}") for row in refused)
    report = json.loads((out / "quality.json").read_text())["rejected"]
    dates = [row for row in report if row["field"] == "{taken}"]
    assert [(d["pattern"], d["length"], d["first_row"]) for d in dates] == [("Aaaaa Aaaaa", 13, 2)]


def test_only_the_owner_may_read_the_events_and_the_refused_rows(tmp_path: Path) -> None:
    run(*write_sources(tmp_path), "--out", tmp_path / "out", "--accept")
    modes = {p: stat.S_IMODE(p.stat().st_mode) for p in (tmp_path / "out", *tmp_path.rglob("*"))}
    assert modes[tmp_path / "out"] == 0o700
    assert modes[tmp_path / "out" / "rejected.parquet"] == 0o600


def test_a_text_becomes_a_code_only_if_the_user_says_so(tmp_path: Path) -> None:
    words = write_sources(tmp_path)
    codes = {}
    for name, option in (("without", []), ("with", ["--free-text-codes"])):
        result = run(*words, "--out", tmp_path / name, "--accept", *option)
        assert result.exit_code == 0, result.output
        table = pq.read_table(tmp_path / name / "metadata" / "codes.parquet")
        codes[name] = set(table["code"].to_pylist())
    assert codes["with"] - codes["without"] == {
        "CONDITION//TEXT//zyxwvu_qponml",
        "CONDITION//SOURCE//Zyxwvu_Qponml",
        "SEX//SOURCE//Zyxwvu_Qponml",
    }
    assert "CONDITION//SOURCE//E11" in codes["without"], "a source's own code is a code"
    report = json.loads((tmp_path / "without" / "quality.json").read_text())
    rules = [row for row in report["rejected"] if row["rule"] == "free_text_code"]
    assert {row["reason"] for row in rules} == {
        "its code is a free text; ingest anew with --free-text-codes to keep such"
    }


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("24/12/1950", "99/99/9999"),
        ("Müller-Lüdenscheidt 7", "Aaaaa-Aaaaa 9"),
        ("12" * 20, "9" * 24 + "..."),
        ("a\nb\x00", "a a "),
        ("", ""),
    ],
)
def test_the_pattern_of_a_value(text: str, pattern: str) -> None:
    assert value_pattern(text) == pattern


def test_a_value_in_a_reason_is_replaced_by_its_pattern() -> None:
    assert without_value("invalid isoformat: 'Smith'", "Smith") == "invalid isoformat: 'Aaaaa'"
    assert without_value("has 1 cell", "1") == "has 1 cell"
    assert without_value("read for a Medication", "Medication") == "read for a Medication"
