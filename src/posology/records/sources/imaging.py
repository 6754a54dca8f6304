"""Images as events: fields of the DICOM header, and embeddings computed elsewhere."""

import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from posology.errors import RecordError
from posology.records.batching import BatchBuilder, code_part
from posology.records.io.python_tables import parse_cell_time, parse_subject, read_rows
from posology.records.io.subject_ids import to_subject_id
from posology.records.io.text_lines import list_files
from posology.records.io.times import parse_time_zone, to_microseconds
from posology.records.pipeline.staging import Source, batch_source, split_mapping
from posology.records.schema import Batch, Event, Rejection, finite_number

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
"""The only tags that are read. PatientID becomes a subject id; the others identify no person."""
_DATED = ("Series", "Study", "Acquisition", "Content")
"""Prefixes of the date and time tags, by preference."""


@dataclass(frozen=True, slots=True)
class ImagingSettings:
    """How images are read."""

    time_zone: str = "UTC"
    extensions: tuple[str, ...] = (".dcm",)
    """Extensions of DICOM files in a folder; "" reads every file."""
    batch_rows: int = 50_000


def make_sources(inputs: Sequence[str | Path]) -> list[Source]:
    """One source: DICOM headers, and embeddings from files that are arrays."""
    paths = split_mapping(inputs)[1]
    arrays = [path for path in paths if path.suffix in (".npz", ".parquet")]
    headers = [path for path in paths if path not in arrays]

    def read() -> Iterator[Batch]:
        if headers:
            yield from read_dicom(headers)
        if arrays:
            yield from read_embeddings(arrays)

    return [batch_source("dicom", inputs, read)]


def read_dicom(
    paths: Iterable[str | Path], settings: ImagingSettings | None = None
) -> Iterator[Batch]:
    """`IMAGING//modality//body part` for each file, at the time of its series.

    Files of one series give the same event, and cleaning merges them. Names, birth dates,
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
    zone = parse_time_zone(settings.time_zone)
    builder = BatchBuilder(settings.batch_rows)
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
    for path in list_files(paths, settings.extensions):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about encodings; unreadable files are rejected
                header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=_TAGS)
            tags = {tag: str(header.get(tag) or "").strip() for tag in _TAGS}
        except damaged as error:
            reason = f"is not a DICOM file that can be read ({str(error)[:120]})"
            builder.reject(str(path), 1, Rejection("file", path.name, reason))
        else:
            times = (_parse_time(tags, prefix) for prefix in _DATED)
            time = next((t for t in times if t is not None), None)
            if not tags["PatientID"]:
                builder.reject(str(path), 1, Rejection("PatientID", "", "names no subject"))
            elif not tags["Modality"]:
                builder.reject(str(path), 1, Rejection("Modality", "", "not an image: no modality"))
            elif time is None:
                rejection = Rejection("StudyDate", tags["StudyDate"], "no date that can be read")
                builder.reject(str(path), 1, rejection)
            else:
                part = code_part(tags["BodyPartExamined"]).upper() or "UNKNOWN"
                code = f"IMAGING//{code_part(tags['Modality'])}//{part}"
                event = Event(code, to_microseconds(time, zone))
                builder.add(str(path), 1, to_subject_id(tags["PatientID"]), [event])
        yield from builder.batches()
    yield from builder.batches(last=True)


def _parse_time(tags: dict[str, str], prefix: str) -> datetime | None:
    """Date and time of the tags with this prefix; None if there is no valid date."""
    day, clock = tags[f"{prefix}Date"], tags[f"{prefix}Time"]
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
    """`EMBEDDING//model@hash//0007`, one event per dimension, from npz or Parquet files.

    A file has `subject`, `time`, `vector`, `model` and `hash` (of the weights, so that vectors of
    two versions never mix); in an npz, one model and one hash may apply to all rows.
    """
    settings = settings or ImagingSettings()
    zone = parse_time_zone(settings.time_zone)
    builder = BatchBuilder(settings.batch_rows)
    width: dict[str, int] = {}
    for path in list_files(paths, (".npz", ".parquet")):
        for number, row in _npz(path) if path.suffix == ".npz" else read_rows(path):
            if isinstance(row, Rejection):
                builder.reject(str(path), number, row)
                continue
            column = "subject"
            try:
                _require_fields(path, row)
                subject = parse_subject(row["subject"])
                column = "time"
                time = parse_cell_time(row["time"], zone)
                column = "hash"
                model = _model_name(row)
                column = "vector"
                vector = [finite_number(float(number)) for number in row["vector"]]
                if width.setdefault(model, len(vector)) != len(vector) or not vector:
                    raise ValueError(f"has {len(vector)} numbers, others of {model} {width[model]}")
            except (ValueError, TypeError) as error:
                builder.reject(str(path), number, Rejection(column, row[column], str(error)))
            else:
                events = [
                    Event(f"EMBEDDING//{model}//{i:04d}", time, v) for i, v in enumerate(vector)
                ]
                builder.add(str(path), number, subject, events)
            yield from builder.batches()
    yield from builder.batches(last=True)


def _require_fields(path: Path, row: dict[str, Any]) -> None:
    missing = [n for n in ("subject", "time", "vector", "model", "hash") if n not in row]
    if missing:
        raise RecordError(
            f"{path}: has no {missing[0]!r}; embeddings need subject, time, vector, model and hash"
        )


def _model_name(row: dict[str, Any]) -> str:
    name, weights = (code_part(str(row[key] or "")) for key in ("model", "hash"))
    if not name or not weights:
        raise ValueError("the model and the hash of its weights are required")
    return f"{name}@{weights[:12]}"


def _npz(path: Path) -> Iterator[tuple[int, dict[str, Any] | Rejection]]:
    import zipfile

    import numpy as np

    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            columns = {name: file[name] for name in file.files}
        _require_fields(path, columns)
        count = len(columns["subject"])
        lists = {
            name: values.tolist() if values.ndim else [values.item()] * count
            for name, values in columns.items()
        }
        unequal = [name for name, values in lists.items() if len(values) != count]
    except (ValueError, OSError, zipfile.BadZipFile, EOFError, KeyError, TypeError) as error:
        if isinstance(error, RecordError):
            raise
        yield 1, Rejection("file", path.name, f"the npz file cannot be read ({str(error)[:120]})")
        return
    if unequal:
        yield 1, Rejection(unequal[0], "", f"has {len(lists[unequal[0]])} rows, subject {count}")
        return
    for number in range(count):
        yield number + 1, {name: values[number] for name, values in lists.items()}
