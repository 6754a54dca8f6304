from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posology.errors import RecordError
from posology.records.batching import combine_batches
from posology.records.schema import Batch
from posology.records.sources.wearables import (
    SeriesMapping,
    WearableSettings,
    read_wearable_settings,
    read_wearables,
)

GLUCOSE = SeriesMapping(("glucose", "CGM"), "WEARABLE//glucose", "mg/dL", 15.0, 70.0, 180.0)
BY_HOUR = WearableSettings("time", 1.0, (GLUCOSE,), subject="id")


def features(batch: Batch) -> dict[tuple[int, str, str], float]:
    return {
        (e["subject_id"], str(e["time"]), e["code"].removeprefix("WEARABLE//")): e["numeric_value"]
        for e in batch.events.to_pylist()
    }


def test_features_are_dated_at_the_windows_end(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(
        "id,time,glucose\n7,2020-01-01 10:00,60\n7,2020-01-01 10:15,100\n"
        "7,2020-01-01 10:30,200\n8,2020-01-01 11:00,100\n"
    )
    batch = combine_batches(read_wearables([tmp_path / "a.csv"], BY_HOUR))
    at = (7, "2020-01-01 11:00:00")
    values_by_key = features(batch)
    assert {k[2]: v for k, v in values_by_key.items() if k[:2] == at} == {
        "glucose//mean": pytest.approx(120),
        "glucose//samples": 3,
        "glucose//missing": pytest.approx(0.25),
        "glucose//sd": pytest.approx(np.std([60, 100, 200], ddof=1)),
        "glucose//slope": pytest.approx(np.polyfit([0, 1, 2], [60, 100, 200], 1)[0] * 96),
        "glucose//below": pytest.approx(1 / 3),
        "glucose//above": pytest.approx(1 / 3),
        "glucose//in_range": pytest.approx(1 / 3),
    }
    assert (8, "2020-01-01 12:00:00", "glucose//sd") not in values_by_key
    assert batch.events["row"].unique().to_pylist() == [1, 4]
    assert batch.rows == 2
    assert set(batch.events["unit"].to_pylist()) == {"mg/dL", "1", "mg/dL/d"}


def test_files_of_a_patient_in_two_folders_share_windows(tmp_path: Path) -> None:
    for folder, minute in (("a", 0), ("b", 15)):
        (tmp_path / folder).mkdir()
        for patient in (7, 8):
            path = tmp_path / folder / f"{patient}.csv"
            path.write_text(f"time,glucose\n2020-01-01 10:{minute:02d},{minute + 60}\n")
    batch = combine_batches(read_wearables([tmp_path], WearableSettings("time", 1.0, (GLUCOSE,))))
    by_key = features(batch)
    for patient in (7, 8):
        assert by_key[patient, "2020-01-01 11:00:00", "glucose//samples"] == 2
        assert by_key[patient, "2020-01-01 11:00:00", "glucose//mean"] == 67.5


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 40), st.floats(1, 500)), min_size=1, max_size=60))
def test_running_sums_agree_with_numpy(
    tmp_path_factory: pytest.TempPathFactory, samples: list[tuple[int, float]]
) -> None:
    path = tmp_path_factory.mktemp("w") / "a.csv"
    lines = [f"7,2020-01-01 {m // 4:02d}:{m % 4 * 15:02d},{v!r}" for m, v in samples]
    path.write_text("id,time,glucose\n" + "\n".join(lines))
    values_by_key = features(combine_batches(read_wearables([path], BY_HOUR)))
    for hour in {m // 4 for m, _ in samples}:
        values = np.array([v for m, v in samples if m // 4 == hour])
        at = (7, f"2020-01-01 {hour + 1:02d}:00:00")
        assert values_by_key[(*at, "glucose//mean")] == pytest.approx(values.mean(), rel=1e-5)
        if len(values) > 1:
            spread = values_by_key[(*at, "glucose//sd")]
            assert spread == pytest.approx(values.std(ddof=1), rel=1e-4, abs=1e-3)


def test_rows_that_cannot_be_read_are_rejected(tmp_path: Path) -> None:
    two = SeriesMapping(("steps",), "WEARABLE//steps", "{steps}", 60.0)
    (tmp_path / "a.csv").write_text(
        "id,time,CGM,steps\n7,2020-01-01 10:00,high,5\n7,2020-01-01 10:15,,\n7,soon,1,1\n"
        ",2020-01-01 10:00,1,1\n7,2020-01-01 10:30,nan,9\n7,2020-01-01 10:45,inf,\n7,,1,1\n"
    )
    mapping = WearableSettings("time", 1.0, (GLUCOSE, two), subject="id")
    batch = combine_batches(read_wearables([tmp_path / "a.csv"], mapping))
    assert features(batch)[(7, "2020-01-01 11:00:00", "steps//mean")] == 7
    assert [(r["row"], r["field"], r["reason"]) for r in batch.rejected.to_pylist()] == [
        (1, "CGM", "is not a number"),
        (2, "CGM", "no number in any series"),
        (3, "time", "is not a date"),
        (4, "id", "names no subject"),
        (5, "CGM", "not a finite number that fits in 32 bits"),
        (6, "CGM", "not a finite number that fits in 32 bits"),
        (7, "time", "is empty"),
    ]


MAPPING = """
time = "Date"
window_hours = 24
subject_until = "_"
[[series]]
column = ["CGM (mg / dl)", "CGM"]
code = "WEARABLE//glucose"
unit = "mg/dL"
every_minutes = 15
range_low = 70   # time in range: Battelino et al., Diabetes Care 2019, doi:10.2337/dci19-0028
range_high = 180
"""


def test_a_mapping_is_checked_strictly(tmp_path: Path) -> None:
    path = tmp_path / "cgm.toml"
    path.write_text(MAPPING)
    assert read_wearable_settings(path).series[0].column == ("CGM (mg / dl)", "CGM")
    path.write_text(MAPPING.replace("every_minutes", "every"))
    with pytest.raises(RecordError, match=r"series 1: unknown key 'every'; did you mean"):
        read_wearable_settings(path)
    for hours in ("0", "-1", "1e-15", "1e300"):
        path.write_text(MAPPING.replace("24", hours))
        message = r"cgm\.toml: window_hours is from one minute \(1/60\) to ten years \(87600\)$"
        with pytest.raises(RecordError, match=message):
            read_wearable_settings(path)
    path.write_text(MAPPING.replace("every_minutes = 15", "every_minutes = 0"))
    with pytest.raises(RecordError, match=r"cgm\.toml: every_minutes must be above 0$"):
        read_wearable_settings(path)
    (tmp_path / "a.csv").write_text("Date,other\n2020-01-01,1\n")
    path.write_text(MAPPING)
    with pytest.raises(RecordError, match=r"a\.csv: has no column 'CGM \(mg / dl\)'"):
        list(read_wearables([tmp_path / "a.csv"], read_wearable_settings(path)))


def test_shanghais_glucose_recordings(tmp_path: Path, shared: Path) -> None:
    calamine = pytest.importorskip("python_calamine", reason="needs posology[excel]")
    folder = shared / "data" / "records" / "shanghai"
    (tmp_path / "cgm.toml").write_text(MAPPING)
    mapping = read_wearable_settings(tmp_path / "cgm.toml")
    files = sorted((folder / "Shanghai_T2DM").glob("202*"))
    batch = combine_batches(read_wearables([folder / "Shanghai_T1DM", *files], mapping))
    values_by_key = features(batch)
    assert (
        len(values_by_key) == batch.events.num_rows
    )  # recordings of one patient share their windows
    samples = sum(v for k, v in values_by_key.items() if k[2] == "glucose//samples")
    rows = 0
    for path in [*files, *(folder / "Shanghai_T1DM").glob("*.xls*")]:
        sheet = calamine.CalamineWorkbook.from_path(path).get_sheet_by_index(0)
        rows += len(sheet.to_python()) - 1
    rejected = batch.rejected.to_pylist()
    reasons = [row["reason"] for row in rejected if row["field"] != "fileName"]  # .DS_Store
    assert samples + len(reasons) == rows
    assert samples > 20_000
    assert set(reasons) == {"is empty"}
