import warnings
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from posology.errors import RecordError
from posology.records.batching import combine_batches
from posology.records.io.subject_ids import to_subject_id
from posology.records.sources.imaging.embeddings import read_embeddings
from posology.records.sources.imaging.reader import ImagingSettings, read_dicom


@pytest.fixture(name="dicom")
def dicom_files() -> Path:
    pydicom = pytest.importorskip("pydicom", reason="needs posology[imaging]")
    return Path(pydicom.__file__).parent / "data" / "test_files"


def test_a_header_gives_modality_body_part_and_time(dicom: Path) -> None:
    batch = combine_batches(read_dicom([dicom / "CT_small.dcm"]))
    (event,) = batch.events.to_pylist()
    assert event["code"] == "IMAGING//CT//UNKNOWN"
    assert event["subject_id"] == to_subject_id("1CT1")
    assert str(event["time"]) == "1997-04-30 11:27:49"
    assert event["text_value"] is None


@pytest.mark.parametrize(
    ("day", "time"),
    [
        ("20261129", "2026-11-29 11:27:49"),
        ("2026.11.29", "2026-11-29 11:27:49"),
        ("2026", "2026-12-31 23:59:59"),
        ("202611", "2026-11-30 23:59:59"),  # once read as 1 January
        ("20261", None),
        ("20261301", None),
        ("202613", None),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_an_image_of_a_month_is_known_when_the_month_is_over(
    dicom: Path, tmp_path: Path, day: str, time: str | None
) -> None:
    import pydicom

    image = pydicom.dcmread(dicom / "CT_small.dcm")
    for prefix in ("Series", "Study", "Acquisition", "Content"):
        setattr(image, f"{prefix}Date", day)
        setattr(image, f"{prefix}Time", "112749")
    image.save_as(tmp_path / "image.dcm")
    batch = combine_batches(read_dicom([tmp_path / "image.dcm"]))
    assert [str(event["time"]) for event in batch.events.to_pylist()] == ([time] if time else [])
    reasons = [] if time else ["no date that can be read"]
    assert batch.rejected["reason"].to_pylist() == reasons


def test_every_file_in_pydicom_is_read_or_rejected(dicom: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom's, about files that are damaged on purpose
        batch = combine_batches(read_dicom([dicom], ImagingSettings(extensions=("",))))
    files = [path for path in dicom.rglob("*") if path.is_file()]
    assert batch.rows == len(files)
    assert batch.events.num_rows > 100
    modalities = {code.split("//")[1] for code in batch.events["code"].to_pylist()}
    assert modalities >= {"CT", "MR", "US"}
    assert {reason.split(" (")[0] for reason in batch.rejected["reason"].to_pylist()} == {
        "is not a DICOM file that can be read",
        "names no subject",
        "no date that can be read",
    }


def test_no_personal_data_are_stored(dicom: Path) -> None:
    import pydicom

    path = dicom / "CT_small.dcm"
    name = str(pydicom.dcmread(path).PatientName)
    batch = combine_batches(read_dicom([path]))
    stored = str(batch.events.drop_columns(["source"]).to_pylist())
    assert name not in stored
    assert "CompressedSamples" not in stored


def test_random_bytes_are_rejected(tmp_path: Path) -> None:
    pytest.importorskip("pydicom", reason="needs posology[imaging]")
    rng = np.random.default_rng(0)
    for number in range(20):
        head = b"\0" * 128 + b"DICM" if number % 2 else b""
        (tmp_path / f"{number}.dcm").write_bytes(head + rng.bytes(300))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        batch = combine_batches(read_dicom([tmp_path]))
    assert (batch.rows, batch.rejected.num_rows) == (20, 20)


def table(**changes: object) -> dict[str, object]:
    columns: dict[str, object] = {
        "subject": ["7", "8"],
        "time": ["2020-01-01", "2020-01-02"],
        "vector": [[0.5, -1.0], [1.5, 2.0]],
        "model": ["resnet", "resnet"],
        "hash": ["0123456789abcdef", "0123456789abcdef"],
    }
    return columns | changes


@pytest.mark.parametrize("ending", ["npz", "parquet"])
def test_a_vector_becomes_one_event_per_dimension(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"v.{ending}"
    if ending == "npz":
        np.savez(path, **{k: np.array(v) for k, v in table(model="resnet").items()})
    else:
        pq.write_table(pa.table(table()), path)
    batch = combine_batches(read_embeddings([path]))
    events = [(e["subject_id"], e["code"], e["numeric_value"]) for e in batch.events.to_pylist()]
    assert events == [
        (7, "EMBEDDING//resnet@0123456789ab//0000", 0.5),
        (7, "EMBEDDING//resnet@0123456789ab//0001", -1.0),
        (8, "EMBEDDING//resnet@0123456789ab//0000", 1.5),
        (8, "EMBEDDING//resnet@0123456789ab//0001", 2.0),
    ]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"vector": [[0.5, 1.0], [float("nan"), 1.0]]}, "not a finite number"),
        ({"vector": [[0.5, 1.0], [1.0]]}, "has 1 numbers, others of resnet@0123456789ab 2"),
        ({"vector": [[0.5, 1.0], None]}, "object is not iterable"),
        ({"time": ["2020-01-01", "later"]}, "is not a date"),
        ({"hash": ["0123456789abcdef", ""]}, "the model and the hash of its weights are required"),
        ({"subject": ["7", None]}, "names no subject"),
    ],
)
def test_an_invalid_vector_is_rejected(
    tmp_path: Path, changes: dict[str, object], reason: str
) -> None:
    pq.write_table(pa.table(table(**changes)), tmp_path / "v.parquet")
    batch = combine_batches(read_embeddings([tmp_path / "v.parquet"]))
    assert batch.events["subject_id"].unique().to_pylist() == [7]
    (rejected,) = batch.rejected.to_pylist()
    assert rejected["row"] == 2
    assert reason in rejected["reason"]


def test_damaged_files_and_missing_columns(tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_bytes(b"PK\3\4 noise")
    (tmp_path / "b.parquet").write_bytes(b"noise")
    np.savez(tmp_path / "c.npz", **{k: np.array(v) for k, v in table(hash=["a"]).items()})
    batch = combine_batches(read_embeddings([tmp_path]))
    assert [r["reason"].split(" (")[0] for r in batch.rejected.to_pylist()] == [
        "the npz file cannot be read",
        "the Parquet file is damaged",
        "has 1 rows, subject 2",
    ]
    np.savez(tmp_path / "d.npz", subject=np.array(["7"]))
    with pytest.raises(RecordError, match=r"d\.npz: has no 'time'; embeddings need subject"):
        list(read_embeddings([tmp_path / "d.npz"]))
