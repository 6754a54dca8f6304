"""Columns and metadata of MEDS data of other tools."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from posology.errors import RecordError
from posology.records.meds_dataset import read_codes, read_parent_codes, write_folder
from posology.records.pipeline.ingest import ingest
from posology.records.schema import EVENTS
from posology.records.sources.meds_folder import make_sources
from tests.builders.raw_events import YEAR0, events_of, raw_table


@pytest.fixture
def valued(tmp_path: Path) -> Path:
    """Two measurements whose numbers are in the column `value`, as in the MIMIC-IV demo."""
    path = tmp_path / "a.parquet"
    table = pa.table(
        {
            "subject_id": pa.array([1, 1], pa.int64()),
            "time": pa.array([YEAR0, YEAR0], pa.timestamp("us")),
            "code": ["LAB//a", "LAB//a"],
            "table": ["labs", "labs"],
            "value": pa.array([1.5, 2.5], pa.float32()),
        }
    )
    pq.write_table(table, path)
    return path


def settings_file(folder: Path, text: str) -> Path:
    path = folder / "columns.toml"
    path.write_text(text)
    return path


def test_an_unknown_column_of_numbers_is_an_error(valued: Path, tmp_path: Path) -> None:
    with pytest.raises(RecordError) as error:
        ingest(make_sources([valued]), tmp_path / "out")
    assert str(error.value) == (
        f"{valued}: the numbers of column 'value' would be lost, because MEDS does not name it; "
        'give a TOML file as a further --meds with numeric_value = "value" or ignore = ["value"]'
    )
    assert not (tmp_path / "out").exists()


def test_a_mapped_column_keeps_its_numbers(valued: Path, tmp_path: Path) -> None:
    columns = settings_file(tmp_path, 'numeric_value = "value"\n')
    counts = ingest(make_sources([columns, valued]), tmp_path / "out")
    assert (counts.events, counts.merged) == (2, 0)
    assert sorted(events_of(tmp_path / "out")["numeric_value"].to_pylist()) == [1.5, 2.5]


def test_an_ignored_column_is_not_read(
    valued: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "posology")
    columns = settings_file(tmp_path, 'ignore = ["value"]\n')
    counts = ingest(make_sources([columns, valued]), tmp_path / "out")
    assert (counts.events, counts.merged) == (1, 1)
    assert caplog.messages == [f"{valued}: column table is not read"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('unit = "gone"', "has no column 'gone', which is to be unit; its columns are subject_id,"),
        ('numeric_value = "table"', "table has the type string, not numbers"),
        ('value = "value"', "unknown key 'value'"),
    ],
)
def test_a_wrong_mapping_is_an_error(
    valued: Path, tmp_path: Path, text: str, expected: str
) -> None:
    columns = settings_file(tmp_path, text)
    with pytest.raises(RecordError) as error:
        ingest(make_sources([valued, columns]), tmp_path / "out")
    assert expected in str(error.value)


def test_a_mapping_to_a_column_that_exists_is_an_error(tmp_path: Path) -> None:
    row = {"subject_id": 1, "time": YEAR0, "code": "A", "numeric_value": 1.0, "dose": 2.0}
    pq.write_table(
        pa.Table.from_pylist([row], EVENTS.append(pa.field("dose", pa.float64()))),
        tmp_path / "a.parquet",
    )
    columns = settings_file(tmp_path, 'numeric_value = "dose"')
    with pytest.raises(RecordError, match="has a column 'numeric_value' already; remove numeric_v"):
        ingest(make_sources([tmp_path / "a.parquet", columns]), tmp_path / "out")


def test_two_files_of_columns_are_an_error(tmp_path: Path) -> None:
    columns = settings_file(tmp_path, "")
    with pytest.raises(RecordError, match=r"--meds takes one file of columns \(TOML\), not 2"):
        make_sources([columns, columns])


def test_descriptions_and_parents_of_codes_are_kept(tmp_path: Path) -> None:
    rows = [{"subject_id": 1, "time": YEAR0, "code": code} for code in ("ICD10CM//E11.9", "LAB//a")]
    folder = tmp_path / "in"
    write_folder(folder, [pa.Table.from_pylist(rows, EVENTS)])
    codes = pa.table(
        {
            "code": ["ICD10CM//E11.9", "LAB//a", "LAB//absent"],
            "description": ["type 2 diabetes", None, "never measured"],
            "parent_codes": pa.array([["ICD10CM/E11"], None, None], pa.list_(pa.string())),
        }
    )
    pq.write_table(codes, folder / "metadata" / "codes.parquet")
    ingest(make_sources([folder]), tmp_path / "out")
    assert read_codes(tmp_path / "out") == {"ICD10CM//E119": "type 2 diabetes", "LAB//a": None}
    assert read_parent_codes(tmp_path / "out") == {"ICD10CM//E119": ["ICD10CM/E11"]}
    write_folder(tmp_path / "more", [pa.Table.from_pylist(rows[1:], EVENTS)])
    ingest(make_sources([tmp_path / "more"]), tmp_path / "out")  # a later ingest keeps both
    assert read_codes(tmp_path / "out")["ICD10CM//E119"] == "type 2 diabetes"
    assert read_parent_codes(tmp_path / "out") == {"ICD10CM//E119": ["ICD10CM/E11"]}


def test_a_damaged_file_of_codes_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "metadata").mkdir()
    (tmp_path / "metadata" / "codes.parquet").write_bytes(b"no")
    with pytest.raises(RecordError, match=r"codes\.parquet is not a MEDS file of codes: "):
        read_codes(tmp_path)


def test_a_parquet_file_that_is_damaged_inside_is_an_error_that_names_it(tmp_path):
    """Before, an exception of DuckDB: its header and footer are whole."""
    path = tmp_path / "a.parquet"
    pq.write_table(raw_table([(1, YEAR0, "LAB//a", float(n), None, None) for n in range(99)]), path)
    column = pq.read_metadata(path).row_group(0).column(2)
    data = bytearray(path.read_bytes())
    data[column.dictionary_page_offset : column.dictionary_page_offset + 12] = b"\xff" * 12
    path.write_bytes(bytes(data))
    with pytest.raises(RecordError, match=r"a.parquet: the Parquet file is damaged \("):
        ingest(make_sources([path]), tmp_path / "out")
