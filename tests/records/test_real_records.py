"""Real records from beginning to end; each test skips where its files are absent."""

import shutil
from pathlib import Path

import meds
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from posology.errors import RecordError
from posology.records.pipeline.ingest import ingest
from posology.records.pipeline.quality import quality_report
from posology.records.sources.registry import make_sources
from tests.builders.raw_events import events_of

EXAMPLES = Path(__file__).parents[2] / "examples" / "ingest"


def place(shared, name):
    folder = shared / "data" / "records" / name
    if not folder.exists():
        pytest.skip(f"no {folder} here")
    return folder


def ingested(folder, mapping, tmp_path):
    """The folder ingested by the example's mapping file, which is next to the data."""
    for path in folder.iterdir():
        (tmp_path / path.name).symlink_to(path)
    shutil.copy(EXAMPLES / mapping, tmp_path / mapping)
    done = ingest(make_sources("table", [tmp_path / mapping]), tmp_path / "out")
    assert done.raw == done.events + sum(done.rejected.values()) + done.merged
    rejected = pq.read_table(tmp_path / "out" / "rejected.parquet")
    assert len(rejected) == sum(done.rejected.values()) + done.unreadable
    assert sum(done.sources.values()) == done.raw + done.unreadable
    events = events_of(tmp_path / "out")
    meds.DataSchema.validate(events)
    return done, events, rejected


def test_mimic_iv_demo(shared, tmp_path):
    folder = place(shared, "mimic_iv_demo_meds")
    done, events, _ = ingested(folder, "mimic_iv_demo.toml", tmp_path)
    assert done.raw == 916_166
    source = pq.read_table(folder / "mimic_iv_demo_meds_events.parquet")
    columns = ["subject_id", "time", "code", "value"]
    naive = source.select(columns).group_by(columns).aggregate([])
    assert abs(len(naive) - len(events)) <= 20, "except codes whose spelling was repaired"
    assert done.rejected == {}
    assert len(pc.unique(events["subject_id"])) == 100
    numbers = naive["value"].null_count - events["numeric_value"].null_count
    assert abs(numbers) <= 20


def test_mimic_iv_demo_as_meds_keeps_all_its_numbers(shared, tmp_path):
    path = place(shared, "mimic_iv_demo_meds") / "mimic_iv_demo_meds_events.parquet"
    with pytest.raises(RecordError, match="the numbers of column 'value' would be lost"):
        ingest(make_sources("meds", [path]), tmp_path / "out")
    (tmp_path / "columns.toml").write_text('numeric_value = "value"')
    done = ingest(make_sources("meds", [path, tmp_path / "columns.toml"]), tmp_path / "out")
    assert (done.raw, done.rejected) == (916_166, {})
    naive = pq.read_table(path, columns=["subject_id", "time", "code", "value"])
    assert len(naive) - naive["value"].null_count == 405_236
    naive = naive.group_by(naive.column_names).aggregate([])
    events = events_of(tmp_path / "out")
    assert abs(len(naive) - len(events)) <= 20, "except codes whose spelling was repaired"
    assert abs(naive["value"].null_count - events["numeric_value"].null_count) <= 20


def test_mimic_iii_demo(shared, tmp_path):
    done, events, rejected = ingested(place(shared, "mimic_iii_demo"), "mimic_iii.toml", tmp_path)
    counts = dict.fromkeys(["DRUG", "CONDITION", "PROCEDURE", "VISIT", "MEDS_BIRTH"], 0)
    for code in events["code"].to_pylist():
        family = code.split("//")[0]
        counts[family] = counts.get(family, 0) + 1
    assert counts["VISIT"] == 2 * 129
    assert counts["CONDITION"] > 1700
    assert counts["DRUG"] > 8000
    rules = pc.value_counts(rejected["rule"]).to_pylist()
    assert {row["values"] for row in rules} <= {"impossible_time", "unreadable"}
    births = [row for row in rejected.to_pylist() if row["code"] == "MEDS_BIRTH"]
    assert all(row["time"].year < 1850 for row in births), "over 89, shifted by 300 years"
    assert counts["MEDS_BIRTH"] == 100 - len(births)
    assert done.repairs["text_number"] > 0


def test_eicu_demo(shared, tmp_path):
    done, events, rejected = ingested(place(shared, "eicu_demo_subset"), "eicu.toml", tmp_path)
    assert done.sources
    assert len(events) > 30_000
    weights = events.filter(pc.equal(events["code"], "LOINC//29463-7"))["numeric_value"]
    assert 20 < pc.min(weights).as_py() < pc.max(weights).as_py() <= 650
    reasons = {row["reason"] for row in rejected.to_pylist()}
    assert all(reasons)
    report = quality_report(tmp_path / "out")
    assert "no event of the family MEDS_BIRTH" in report["gaps"]


def test_synthea_omop(shared, tmp_path):
    path = place(shared, "synthea27nj") / "Synthea27Nj_5.4.zip"
    done = ingest(make_sources("omop", [str(path)]), tmp_path / "out")
    events = events_of(tmp_path / "out")
    listed = 10  # files of the CDM that are not read
    assert done.sources == {str(path): 22_992 + 1_791 + listed}
    assert done.raw == done.events + sum(done.rejected.values()) + done.merged
    codes = pa.compute.value_counts(events["code"]).to_pylist()
    counts = {row["values"]: row["counts"] for row in codes}
    assert counts["MEDS_BIRTH"] == 28
    assert counts["MEDS_DEATH"] == 3
    assert counts["OBSERVATION_PERIOD//START"] == counts["OBSERVATION_PERIOD//END"] == 28
    assert counts["MEASUREMENT//LOINC//29463-7"] > 100
    kilograms = events.filter(pc.equal(events["code"], "MEASUREMENT//LOINC//29463-7"))
    assert pc.unique(kilograms["unit"]).to_pylist() == ["kg"]
