import json

import meds
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from posology.errors import RecordError
from posology.records.meds_dataset import (
    data_files,
    read_codes,
    read_events,
    read_splits,
    write_folder,
    write_splits,
)
from posology.records.schema import EVENTS
from tests.builders.raw_events import YEAR0, events_of

ROWS = [
    {"subject_id": 1, "time": None, "code": "SEX//female"},
    {"subject_id": 1, "time": YEAR0, "code": "LAB//a", "numeric_value": 1.5, "unit": "mg/dL"},
    {"subject_id": 2, "time": YEAR0, "code": "NOTE", "text_value": "é"},
]


def test_a_written_folder_is_valid_meds_and_reads_back_the_same(tmp_path):
    table = pa.Table.from_pylist(ROWS, schema=EVENTS)
    write_folder(tmp_path / "out", [table.slice(0, 2), table.slice(2)], "small")
    (path,) = data_files(tmp_path / "out")
    meds.DataSchema.validate(pq.read_table(path))
    meds.CodeMetadataSchema.validate(pq.read_table(tmp_path / "out/metadata/codes.parquet"))
    description = json.loads((tmp_path / "out/metadata/dataset.json").read_text())
    meds.DatasetMetadataSchema.validate(description)
    assert description["dataset_name"] == "small"
    assert pa.concat_tables(read_events(tmp_path / "out", 2)) == table
    assert read_codes(tmp_path / "out") == dict.fromkeys(["LAB//a", "NOTE", "SEX//female"])
    assert events_of(tmp_path / "out") == table


def test_a_folder_without_a_unit_column_is_read(tmp_path):
    (tmp_path / "data" / "train").mkdir(parents=True)
    table = pa.table(
        {
            "subject_id": pa.array([1], pa.int64()),
            "time": pa.array([0], pa.timestamp("us")),
            "code": pa.array(["A"]),
            "extra": [1],
        }
    )
    pq.write_table(table, tmp_path / "data" / "train" / "0.parquet")
    (event,) = pa.concat_tables(read_events(tmp_path)).to_pylist()
    assert event == {
        "subject_id": 1,
        "time": YEAR0,
        "code": "A",
        "numeric_value": None,
        "text_value": None,
        "unit": None,
    }


def test_shards_are_read_in_numeric_order(tmp_path):
    (tmp_path / "data").mkdir()
    for number in (10, 9, 2):
        pq.write_table(
            pa.Table.from_pylist(ROWS, schema=EVENTS), tmp_path / f"data/{number}.parquet"
        )
    assert [path.stem for path in data_files(tmp_path)] == ["2", "9", "10"]


def test_splits_are_written_with_medss_names(tmp_path):
    assert read_splits(tmp_path) is None
    write_splits(tmp_path, {3: "test", 1: "train", 2: "validation"})
    written = pq.read_table(tmp_path / meds.subject_splits_filepath)
    meds.SubjectSplitSchema.validate(written)
    assert written["split"].to_pylist() == ["train", "tuning", "held_out"]
    assert read_splits(tmp_path) == {1: "train", 2: "validation", 3: "test"}
    with pytest.raises(RecordError, match="split 'tuning' is not known; known are train, valid"):
        write_splits(tmp_path, {1: "tuning"})
    odd = pa.table({"subject_id": [1], "split": ["dev"]})
    pq.write_table(odd, tmp_path / meds.subject_splits_filepath)
    with pytest.raises(
        RecordError, match="row 1: split 'dev' is not known; known are train, tuning"
    ):
        read_splits(tmp_path)


def test_an_invalid_split_file_is_an_error(tmp_path):
    path = tmp_path / meds.subject_splits_filepath
    path.parent.mkdir(parents=True)
    pq.write_table(pa.table({"subject_id": [1, 1], "split": ["train", "tuning"]}), path)
    with pytest.raises(RecordError, match="the subject of row 2 is in two splits; keep one"):
        read_splits(tmp_path)
    pq.write_table(pa.table({"patient": [1]}), path)
    with pytest.raises(RecordError, match=r"subject_splits.parquet is not a MEDS split file: "):
        read_splits(tmp_path)
    path.write_bytes(b"PAR1")
    with pytest.raises(RecordError, match=r"subject_splits.parquet is not a MEDS split file: "):
        read_splits(tmp_path)


def test_a_folder_without_data_is_an_error(tmp_path):
    with pytest.raises(RecordError, match=r"it has no data/.*make one with `posology ingest`"):
        data_files(tmp_path)


def test_a_file_whose_name_is_a_digit_but_no_number_is_read(tmp_path):
    for name in ("²", "10", "9"):
        (tmp_path / "data").mkdir(exist_ok=True)
        (tmp_path / "data" / f"{name}.parquet").touch()
    assert [path.stem for path in data_files(tmp_path)] == ["9", "10", "²"]
