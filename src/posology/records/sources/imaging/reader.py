"""Images as events: fields of the DICOM header and, if wanted, small arrays of the pixels."""

import re
import struct
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from posology.errors import RecordError, describe_install
from posology.records.batching import BatchBuilder, code_part
from posology.records.io.image_store import Store, image_writer
from posology.records.io.python_tables import parse_cell_time, parse_subject, read_rows
from posology.records.io.settings import load_settings
from posology.records.io.subject_ids import to_subject_id
from posology.records.io.text_lines import list_files, other_files
from posology.records.io.times import parse_time, parse_time_zone, to_microseconds
from posology.records.pipeline.staging import (
    Source,
    StagedSource,
    batch_source,
    only_mapping,
    split_mapping,
    stage_batches,
)
from posology.records.schema import Batch, Event, Rejection
from posology.records.sources.imaging.embeddings import read_embeddings
from posology.records.sources.imaging.encoder import Encoder, EncoderSettings, load_encoder
from posology.records.sources.imaging.pixels import (
    PixelError,
    PixelSettings,
    read_dicom_pixels,
    read_picture,
)

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
"""The only tags that events are made of. PatientID becomes a subject id; the others identify no
person."""
PICTURE_COLUMNS = ("subject", "time", "file")
"""Columns that a table of pictures must have."""
_DATED = ("Series", "Study", "Acquisition", "Content")
"""Prefixes of the date and time tags, by preference."""

_DAY = re.compile(r"(\d{4})(?:\.?(\d\d))?(?:\.?(\d\d))?")
"""`20261129`, or with dots in old files; some hold a year or month alone."""

_DAMAGED = (
    *(OSError, EOFError, ValueError, KeyError),
    *(NotImplementedError, AttributeError, TypeError, struct.error),
)
"""What pydicom raises at a damaged file, besides errors of its own."""


ImageEvents = Callable[[Event, np.ndarray], list[Event]]
"""The further events of an image, from the event of its header and its pixels."""


@dataclass(frozen=True, slots=True)
class ImagingSettings:
    """How images are read."""

    time_zone: str = "UTC"
    extensions: tuple[str, ...] = (".dcm",)
    """Extensions of DICOM files in a folder, besides files that begin as DICOM; "" reads all."""
    pixels: PixelSettings | None = None
    """How an image becomes a small array; None: only headers are read."""
    encoder: EncoderSettings | None = None
    """A model that makes a vector of each image."""
    table: str | None = None
    """A table of PNG or TIFF files, relative to the settings file."""
    batch_rows: int = 50_000


def make_sources(inputs: Sequence[str | Path]) -> list[Source]:
    """One source: DICOM files, pictures of a table, and embeddings from files that are arrays."""
    mappings, paths = split_mapping(inputs)
    settings, table, model, encoder = ImagingSettings(), None, None, None
    if mappings:
        settings = load_settings(only_mapping("dicom", mappings), ImagingSettings)
        table = mappings[0].parent / settings.table if settings.table else None
        check_settings(mappings[0], settings)
        if settings.encoder is not None and settings.pixels is not None:
            model = mappings[0].parent / settings.encoder.model
            encoder = load_encoder(model, settings.encoder, settings.pixels.size)
    arrays = [path for path in paths if path.suffix in (".npz", ".parquet")]
    images = [path for path in paths if path not in arrays]

    def read(image_events: ImageEvents) -> Iterator[Batch]:
        if images:
            yield from read_dicom(images, settings, image_events)
        if table is not None:
            yield from read_pictures(table, settings, image_events)
        if arrays:
            yield from read_embeddings(arrays, settings.time_zone, settings.batch_rows)

    def stage(_con: Any, folder: Path) -> StagedSource:
        with image_writer(folder / "images.npz") as store:
            staged = stage_batches(read(_image_events(store, encoder, settings)), folder)
        models = {} if encoder is None else {encoder.name: encoder.sha256}
        return replace(staged, images=(folder / "images.npz",), models=models)

    found: list[str | Path] = [*inputs, *([table, *picture_files(table)] if table else [])]
    found += [] if model is None else [model]
    source = batch_source("dicom", found, lambda: iter(()))
    return [replace(source, name=", ".join(map(str, inputs)), stage=stage)]


def _image_events(store: Store, encoder: Encoder | None, settings: ImagingSettings) -> ImageEvents:
    """An image's vector, if there is an encoder; else, or if wanted, a reference to its pixels."""
    keeps = settings.encoder is None or settings.encoder.keep_pixels

    def events(header: Event, image: np.ndarray) -> list[Event]:
        found = [] if encoder is None else encoder.events(header, image)
        if keeps:
            code = header.code.replace("IMAGING//", "IMAGE//", 1)
            found.append(Event(code, header.time, text=store(image)))
        return found

    return events


def check_settings(path: Path, settings: ImagingSettings) -> None:
    """Raise RecordError at a number of the settings that makes no array."""
    pixels = settings.pixels
    if settings.table is not None and pixels is None:
        raise RecordError(f"{path}: `table` needs a section [pixels], such as size = 64")
    if settings.encoder is not None and pixels is None:
        raise RecordError(f"{path}: [encoder] needs a section [pixels], such as size = 224")
    if pixels is not None and not (8 <= pixels.size <= 1024 and 1 <= pixels.frames <= 1024):
        raise RecordError(f"{path}: pixels: size is from 8 to 1024, frames from 1 to 1024")
    for modality, (_, width) in (pixels.window if pixels else {}).items():
        if not width >= 1:
            raise RecordError(f"{path}: pixels: window: {modality}: the width is at least 1")


def read_dicom(
    paths: Iterable[str | Path],
    settings: ImagingSettings | None = None,
    image_events: ImageEvents | None = None,
) -> Iterator[Batch]:
    """`IMAGING//modality//body part` for each file, at the time of its series.

    Files of one series give the same event, and cleaning merges them. With `image_events` and
    `settings.pixels`, each file's pixels give further events. Names, birth dates, addresses and
    free text are not read.
    """
    settings = settings or ImagingSettings()
    try:
        import pydicom
        from pydicom.errors import BytesLengthException, InvalidDicomError
    except ImportError as error:
        raise RecordError(
            f"DICOM files need one more package: {describe_install('imaging')}"
        ) from error
    zone = parse_time_zone(settings.time_zone)
    builder = BatchBuilder(settings.batch_rows)
    damaged = (InvalidDicomError, BytesLengthException, *_DAMAGED)
    files, others = _find_images([*paths], settings.extensions)
    for path in others:
        reason = "is no DICOM image by its name and first bytes"
        builder.reject(str(path), 1, Rejection("fileName", path.name, reason))
    for path in files:
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
                events, rejected = _with_pixels(event, path, settings.pixels, image_events)
                subject = to_subject_id(tags["PatientID"])
                builder.add(str(path), 1, subject, events, rejected)
        yield from builder.batches()
    yield from builder.batches(last=True)


def _find_images(
    paths: Sequence[str | Path], extensions: tuple[str, ...]
) -> tuple[list[Path], list[Path]]:
    """The images of files and folders, and the other files of the folders.

    Archives name images without an extension: a file that has DICOM's mark is one, whatever its
    name is, except a DICOMDIR (a list of images).
    """
    folders = [Path(path) for path in paths if Path(path).is_dir()]
    named = [path for path in paths if not Path(path).is_dir()]
    marked, others = [], []
    for path in other_files(folders, extensions):
        (marked if _begins_as_dicom(path) else others).append(path)
    if not marked:
        return list_files([*named, *folders], extensions), others
    found = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return [*list_files(named, extensions), *sorted({*found} - {*others})], others


def _begins_as_dicom(path: Path) -> bool:
    """Whether bytes 128 to 131 of the file are DICM (DICOM part 10), and it is no DICOMDIR."""
    if path.name.upper() == "DICOMDIR":
        return False
    try:
        with path.open("rb") as file:
            return file.read(132)[128:] == b"DICM"
    except OSError:
        return True  # reading it as an image states why it cannot be read


def _with_pixels(
    event: Event, path: Path, pixels: PixelSettings | None, image_events: ImageEvents | None
) -> tuple[list[Event], list[Rejection]]:
    """The event and, if they are wanted and can be read, those of its pixels."""
    from pydicom.errors import BytesLengthException

    if pixels is None or image_events is None:
        return [event], []
    try:
        array = read_dicom_pixels(path, pixels)
    except (BytesLengthException, *_DAMAGED) as error:
        reason = str(error) if isinstance(error, PixelError) else "has damaged pixels"
        return [event], [Rejection("PixelData", "", reason)]
    try:
        return [event, *([] if array is None else image_events(event, array))], []
    except PixelError as error:
        return [event], [Rejection("PixelData", "", str(error))]


def picture_files(table: Path) -> list[Path]:
    """The files that a table of pictures names and that exist."""
    rows = (row for _, row in read_rows(table, PICTURE_COLUMNS) if not isinstance(row, Rejection))
    files = (table.parent / str(row["file"]) for row in rows if row["file"])
    return sorted({path for path in files if path.is_file()})


def read_pictures(
    table: Path, settings: ImagingSettings, image_events: ImageEvents
) -> Iterator[Batch]:
    """The same of PNG and TIFF files: a row of the table for each.

    Columns subject, time, file (relative to the table) and, if there are, modality and body_part.
    """
    if settings.pixels is None:
        raise RecordError(f"{table}: pictures need a section [pixels] in the settings file")
    zone = parse_time_zone(settings.time_zone)
    builder = BatchBuilder(settings.batch_rows)
    for number, row in read_rows(table, PICTURE_COLUMNS):
        if isinstance(row, Rejection):
            builder.reject(str(table), number, row)
            continue
        column = "subject"
        try:
            subject = parse_subject(row["subject"])
            column = "time"
            time = parse_cell_time(row["time"], zone)
            column = "file"
            modality = code_part(str(row.get("modality") or "OT")).upper()
            part = code_part(str(row.get("body_part") or "")).upper() or "UNKNOWN"
            header = Event(f"IMAGING//{modality}//{part}", time)
            array = read_picture(table.parent / str(row["file"]), settings.pixels, modality)
            further = image_events(header, array)
        except (ValueError, TypeError) as error:
            builder.reject(str(table), number, Rejection(column, row[column], str(error)))
        else:
            builder.add(str(table), number, subject, [header, *further])
        yield from builder.batches()
    yield from builder.batches(last=True)


def _parse_time(tags: dict[str, str], prefix: str) -> datetime | None:
    """Date and time of the tags with this prefix; None if there is no valid date.

    A year or month alone is known when it is over, as in every other source.
    """
    day, clock = tags[f"{prefix}Date"], tags[f"{prefix}Time"]
    found = _DAY.fullmatch(day)
    try:
        if found is None or found[3] is None:
            return None if found is None else _last_second("-".join(filter(None, found.groups())))
        first = datetime(int(found[1]), int(found[2]), int(found[3]))  # noqa: DTZ001
    except ValueError:
        return None
    match = re.match(r"(\d\d)(\d\d)?(\d\d)?", clock.replace(":", ""))
    parts = [int(piece or 0) for piece in match.groups()] if match else [0, 0, 0]
    try:
        return first.replace(hour=parts[0], minute=parts[1], second=parts[2])
    except ValueError:
        return first


def _last_second(year_or_month: str) -> datetime:
    end = parse_time(year_or_month, parse_time_zone("UTC"), end=True)
    return datetime(1970, 1, 1) + timedelta(microseconds=end)  # noqa: DTZ001
