"""Images to events: what a DICOM header says of the study, and vectors computed elsewhere."""

import re
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from posology.errors import RecordError
from posology.records.batching import Fact, Refusal, Rows, clean_part, finite
from posology.records.io.python_tables import cell_subject, cell_time, read_sheet
from posology.records.io.subject_ids import subject_number
from posology.records.io.text_lines import files_of
from posology.records.io.times import microseconds_of, zone_named
from posology.records.schema import Batch

_TAGS = [
    "PatientID",
    "Modality",
    "BodyPartExamined",
    "SeriesDate",
    "SeriesTime",
    "StudyDate",
    "StudyTime",
    "AcquisitionDate",
    "AcquisitionTime",
    "ContentDate",
    "ContentTime",
]
"""All that is read. PatientID becomes a subject number; the others cannot name a person."""
_MOMENTS = ("Series", "Study", "Acquisition", "Content")


@dataclass(frozen=True, slots=True)
class ImagingSettings:
    """How images are read."""

    time_zone: str = "UTC"
    endings: tuple[str, ...] = (".dcm",)
    """Ends of the names of DICOM files in a folder; "" reads every file."""
    batch_rows: int = 50_000


def read_dicom(
    paths: Iterable[str | Path], settings: ImagingSettings | None = None
) -> Iterator[Batch]:
    """`IMAGING//modality//body part` for each file, at the time of its series.

    Files of one series give the same event, which cleaning counts once. Names, birth dates,
    addresses, free text and pixels are not read.
    """
    settings = settings or ImagingSettings()
    try:
        import pydicom
        from pydicom.errors import InvalidDicomError
    except ImportError as error:
        raise RecordError(
            "DICOM files need one more package: pip install 'posology[imaging]'"
        ) from error
    zone = zone_named(settings.time_zone)
    rows = Rows(settings.batch_rows)
    damaged = (
        InvalidDicomError,
        OSError,
        EOFError,
        ValueError,
        KeyError,
        NotImplementedError,
        AttributeError,
        TypeError,
    )
    for path in files_of(paths, settings.endings):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of encodings; what cannot be read is refused
                header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=_TAGS)
            told = {tag: str(header.get(tag) or "").strip() for tag in _TAGS}
        except damaged as error:
            reason = f"is not a DICOM file that can be read ({str(error)[:120]})"
            rows.refuse(str(path), 1, Refusal("file", path.name, reason))
        else:
            at = next((t for t in (_moment(told, m) for m in _MOMENTS) if t is not None), None)
            if not told["PatientID"]:
                rows.refuse(str(path), 1, Refusal("PatientID", "", "names no subject"))
            elif not told["Modality"]:
                rows.refuse(str(path), 1, Refusal("Modality", "", "not an image: no modality"))
            elif at is None:
                shown = told["StudyDate"]
                rows.refuse(str(path), 1, Refusal("StudyDate", shown, "no date that can be read"))
            else:
                part = clean_part(told["BodyPartExamined"]).upper() or "UNKNOWN"
                code = f"IMAGING//{clean_part(told['Modality'])}//{part}"
                fact = Fact(code, microseconds_of(at, zone))
                rows.add(str(path), 1, subject_number(told["PatientID"]), [fact])
        yield from rows.batches()
    yield from rows.batches(last=True)


def _moment(told: dict[str, str], which: str) -> datetime | None:
    day, clock = told[f"{which}Date"], told[f"{which}Time"]
    try:
        first = datetime.strptime(day.replace(".", ""), "%Y%m%d")  # noqa: DTZ007
    except ValueError:
        return None
    match = re.match(r"(\d\d)(\d\d)?(\d\d)?", clock.replace(":", ""))
    parts = [int(piece or 0) for piece in match.groups()] if match else [0, 0, 0]
    try:
        return first.replace(hour=parts[0], minute=parts[1], second=parts[2])
    except ValueError:
        return first


def read_embeddings(
    paths: Iterable[str | Path], settings: ImagingSettings | None = None
) -> Iterator[Batch]:
    """`EMBEDDING//model@hash//0007`, one number a dimension, from npz or Parquet files.

    A file has `subject`, `time`, `vector`, `model` and `hash` (of the weights, so that vectors of
    two versions never mix); in an npz, model and hash may stand once for all rows.
    """
    settings = settings or ImagingSettings()
    zone = zone_named(settings.time_zone)
    rows = Rows(settings.batch_rows)
    width: dict[str, int] = {}
    for path in files_of(paths, (".npz", ".parquet")):
        for number, row in _npz(path) if path.suffix == ".npz" else read_sheet(path):
            if isinstance(row, Refusal):
                rows.refuse(str(path), number, row)
                continue
            column = "subject"
            try:
                _need(path, row)
                subject = cell_subject(row["subject"])
                column = "time"
                at = cell_time(row["time"], zone)
                column = "hash"
                model = _model(row)
                column = "vector"
                vector = [finite(float(number)) for number in row["vector"]]
                if width.setdefault(model, len(vector)) != len(vector) or not vector:
                    raise ValueError(f"has {len(vector)} numbers, others of {model} {width[model]}")
            except (ValueError, TypeError) as error:
                rows.refuse(str(path), number, Refusal(column, row[column], str(error)))
            else:
                facts = [Fact(f"EMBEDDING//{model}//{i:04d}", at, v) for i, v in enumerate(vector)]
                rows.add(str(path), number, subject, facts)
            yield from rows.batches()
    yield from rows.batches(last=True)


def _need(path: Path, row: dict[str, Any]) -> None:
    missing = [n for n in ("subject", "time", "vector", "model", "hash") if n not in row]
    if missing:
        raise RecordError(
            f"{path}: has no {missing[0]!r}; embeddings need subject, time, vector, model and hash"
        )


def _model(row: dict[str, Any]) -> str:
    name, weights = (clean_part(str(row[key] or "")) for key in ("model", "hash"))
    if not name or not weights:
        raise ValueError("the model and the hash of its weights must be told")
    return f"{name}@{weights[:12]}"


def _npz(path: Path) -> Iterator[tuple[int, dict[str, Any] | Refusal]]:
    import zipfile

    import numpy as np

    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            columns = {name: file[name] for name in file.files}
        _need(path, columns)
        count = len(columns["subject"])
        listed = {
            name: values.tolist() if values.ndim else [values.item()] * count
            for name, values in columns.items()
        }
        short = [name for name, values in listed.items() if len(values) != count]
    except (ValueError, OSError, zipfile.BadZipFile, EOFError, KeyError, TypeError) as error:
        if isinstance(error, RecordError):
            raise
        yield 1, Refusal("file", path.name, f"the npz file cannot be read ({str(error)[:120]})")
        return
    if short:
        yield 1, Refusal(short[0], "", f"has {len(listed[short[0]])} rows, subject {count}")
        return
    for number in range(count):
        yield number + 1, {name: values[number] for name, values in listed.items()}
