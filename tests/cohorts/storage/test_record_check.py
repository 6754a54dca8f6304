"""Records on disk against the study: units and codes, before anything is built."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from posology.cli import app
from posology.cohorts.storage.arrays import load_flow
from posology.cohorts.storage.folder import build_folder, dry_run
from posology.errors import StudyError
from posology.workflows.cohorts import CohortFlow, read_cohort
from tests.builders.two_drug_records import TEXT, Row, event_table, study

ROWS: list[Row] = [
    (subject, float(day), code, 4.0)
    for subject in range(1, 31)
    for day, code in (
        (0, "LAB"),
        (1, "REVIEW"),
        (1, f"DRUG//{'AB'[subject % 2]}"),
        (5, "HARM"),
        (30, "LAB"),
        (60, "LAB"),
    )
]


def write(path: Path, unit: str | None, share: float = 1.0) -> Path:
    """The events, with a unit at a share of the LAB values and none elsewhere."""
    table = event_table(*ROWS)
    is_lab = [code == "LAB" for code in table["code"].to_pylist()]
    last = int(share * sum(is_lab))
    rank = [sum(is_lab[:row]) for row in range(len(is_lab))]
    units = [unit if lab and n < last else None for lab, n in zip(is_lab, rank, strict=True)]
    column = table.schema.get_field_index("unit")
    pq.write_table(table.set_column(column, "unit", pa.array(units, pa.string())), path)
    return path


@pytest.mark.parametrize("share", [1.0, 0.5])
def test_another_unit_stops_every_way_to_a_cohort(tmp_path: Path, share: float) -> None:
    events = write(tmp_path / "events.parquet", "mg/dL", share)
    message = r"\[outcome\] unit is `mmol/L`, but \d+ of the 90 numbers of `LAB` are in `mg/dL`"
    with pytest.raises(StudyError, match=message):
        dry_run(study(), events)
    with pytest.raises(StudyError, match=message):
        build_folder(study(), events, tmp_path / "cohort")
    with pytest.raises(StudyError, match=message):
        read_cohort(study(), events)
    with pytest.raises(StudyError, match=message):
        read_cohort(study(), pq.read_table(events))
    assert not (tmp_path / "cohort").exists()


def test_the_unit_of_the_codes_metadata_counts_where_events_have_none(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "metadata").mkdir()
    write(tmp_path / "data" / "0.parquet", None)
    codes = pa.table({"code": ["LAB"], "description": [None], "unit": ["mg/dL"]})
    pq.write_table(codes, tmp_path / "metadata" / "codes.parquet")
    with pytest.raises(StudyError, match="90 of the 90 numbers of `LAB` are in `mg/dL`"):
        dry_run(study(), tmp_path)


def test_records_without_a_column_of_units_are_read(tmp_path: Path) -> None:
    events = tmp_path / "events.parquet"
    pq.write_table(event_table(*ROWS).drop_columns(["unit", "text_value"]), events)
    [row] = dry_run(study(), events)["units"]
    assert (row["seen"], row["verdict"], row["numbers"]) == ("", "not recorded", 90)


def test_units_and_missing_codes_are_in_the_flow_and_its_text(tmp_path: Path) -> None:
    events = write(tmp_path / "events.parquet", "mmol/l", 0.5)
    flow = dry_run(study(), events)
    assert [(row["seen"], row["verdict"], row["numbers"]) for row in flow["units"]] == [
        ("", "not recorded", 45),
        ("mmol/l", "other spelling", 45),
    ]
    assert [row["code"] for row in flow["missing_codes"]][:2] == ["STOP", "DEATH"]
    build_folder(study(), events, tmp_path / "cohort")
    assert load_flow(tmp_path / "cohort") == flow
    text = CohortFlow(flow, None).summary()
    for line in (
        "Units: 0 of 1 codes are in the unit that the study declares.",
        "  LAB: `mmol/L`; 45 of 90 numbers are without a unit.",
        "  LAB: `mmol/L`; 45 of 90 numbers are in `mmol/l`, its other spelling.",
        "Warning: no event has these codes of the study:",
        "  [outcome] unless: `STOP`",
    ):
        assert line in text.splitlines()


def test_the_command_prints_the_units_as_json(tmp_path: Path) -> None:
    write(tmp_path / "events.parquet", "mmol/L")
    (tmp_path / "study.toml").write_text(TEXT)
    words = ["cohort", str(tmp_path / "study.toml"), str(tmp_path / "events.parquet")]
    run = CliRunner().invoke(app, [*words, "--dry-run", "--workers", "1", "--json"])
    assert run.exit_code == 0, run.output
    assert json.loads(run.stdout)["units"][0]["verdict"] == "same"
