"""One decision for patients of whom a picture shows what decides it: a ring or a disc.

Our own equations; no figure is of a real disease. Every picture has noise, harmless discs, and one
more mark at a random place: a ring where the patient has the lesion, else a disc of the same total
brightness, so that no mean over the picture tells them apart. Excision is the better option where
there is a lesion, cream where there is none. Clinicians choose by age and sex without the picture:
whether there is a lesion is no reason for treating, and a model that does not see it loses what it
would decide, but is not confounded.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
from jaxtyping import Bool, Float16, Float64, Int64

from posology.records.io.checksums import write_checksums
from posology.records.io.image_store import IMAGES, image_writer
from posology.records.meds_dataset import write_folder
from posology.records.schema import EVENTS

SIZE = 32
"""Rows and columns of a picture."""
OPTIONS = ("cream", "excision")
PICTURE = "IMAGE//XC//SKIN"
_START = datetime(2024, 1, 1)  # noqa: DTZ001 - MEDS times have no zone
_NOISE = 0.08
"""Standard deviation of a pixel."""
_OUTER, _INNER = 4.5, 3.0
"""Radii of the ring, in pixels."""

STUDY = """
format = 1
name = "lesion"
title = "Cream or excision for a mark on the skin"
purpose = "Simulated: a picture shows which option is better."
limits = "Simulated: the figures do not apply to real patients."
[decision]
codes = ["VISIT"]
which = "first"
[[treatments]]
name = "cream"
title = "cream"
codes = ["TREATMENT//CREAM"]
[[treatments]]
name = "excision"
title = "excision"
codes = ["TREATMENT//EXCISION"]
[given]
grace_days = 1
[outcome]
kind = "occurs"
codes = ["HEALED"]
from_days = 1
within_days = 90
[reward]
source = "healed within 90 days counts 1"
[profile]
families = ["SEX", "AGE", "IMAGE"]
images = true
[split]
train = 0.6
validation = 0.15
test = 0.25
salt = "lesion"
[names]
SEX = "sex"
AGE = "age"
"IMAGE//XC" = "picture"
"""
"""The study file of the records that `write_records` writes."""

Column = Float64[np.ndarray, " subject"]


@dataclass(frozen=True, slots=True, eq=False)
class LesionPatients:
    """What is recorded of the patients, and the truth: the lesion and each option's chance."""

    age: Column
    female: Bool[np.ndarray, " subject"]
    picture: Float16[np.ndarray, "subject row column"]
    treatment: Int64[np.ndarray, " subject"]
    """Row of OPTIONS."""
    healed: Bool[np.ndarray, " subject"]
    lesion: Bool[np.ndarray, " subject"]
    expected: Float64[np.ndarray, "subject treatment"]
    """Chance of healing under each option."""


def draw_patients(count: int, rng: np.random.Generator) -> LesionPatients:
    """So many patients; a third to two thirds of them have the lesion, by age."""
    age = np.round(rng.uniform(30, 85, count))
    female = rng.random(count) < 0.5
    old = (age - 57.5) / 27.5
    lesion = rng.random(count) < _logistic(0.5 * old)
    cream = _logistic(1.4 - 2.6 * lesion - 0.3 * old)
    excision = _logistic(0.9 * lesion - 0.3 * old + 0.2 * female)
    expected = np.stack([cream, excision], 1)
    treatment = (rng.random(count) < _logistic(0.6 * old - 0.3 * female)).astype(np.int64)
    healed = rng.random(count) < expected[np.arange(count), treatment]
    picture = np.stack([draw_picture(bool(has), rng) for has in lesion])
    return LesionPatients(age, female, picture, treatment, healed, lesion, expected)


def draw_picture(has_lesion: bool, rng: np.random.Generator) -> Float16[np.ndarray, "row column"]:
    """Noise, one to three harmless discs, and the mark; grey from 0 to 1."""
    grey = 0.3 + _NOISE * rng.normal(size=(SIZE, SIZE))
    for _ in range(rng.integers(1, 4)):
        grey += 0.25 * (_distances(rng) < rng.uniform(1.5, 3.0))
    distance = _distances(rng)
    disc, ring = distance < _OUTER, (distance < _OUTER) & (distance >= _INNER)
    mark = ring if has_lesion else disc
    grey += mark * (0.25 * disc.sum() / mark.sum())
    return np.clip(grey, 0, 1).astype(np.float16)


def write_records(
    patients: LesionPatients, folder: Path, before: int = 0, start: datetime = _START
) -> None:
    """A new folder of events, with the pictures as `posology ingest` writes them.

    Subject i of the arrays has the id before + i + 1; the truth is not in the folder. Visits begin
    with the day of `start`, one a day for a year.
    """
    names = []
    (folder / IMAGES).mkdir(parents=True)
    with image_writer(folder / IMAGES / "pictures.npz") as keep:
        names = [keep(picture[None]) for picture in patients.picture]
    rows = [
        row | {"subject_id": before + i + 1}
        for i, name in enumerate(names)
        for row in _events(patients, i, name, start)
    ]
    write_folder(folder, [pa.Table.from_pylist(rows, schema=EVENTS)], "simulated lesions")
    write_checksums(folder)


def _events(
    patients: LesionPatients, i: int, picture: str, start: datetime
) -> list[dict[str, object]]:
    """The events of one patient, in time order."""
    visit = start + timedelta(days=i % 365, hours=10)
    sex = "F" if patients.female[i] else "M"
    option = OPTIONS[patients.treatment[i]].upper()
    rows: list[tuple[datetime | None, str, float | None, str | None]] = [
        (None, f"SEX//{sex}", None, None),
        (visit - timedelta(hours=2), "AGE", float(patients.age[i]), None),
        (visit - timedelta(hours=1), PICTURE, None, picture),
        (visit, "VISIT", None, None),
        (visit + timedelta(hours=1), f"TREATMENT//{option}", None, None),
        (visit + timedelta(days=30), "HEALED", None, None),
        (visit + timedelta(days=120), "CONTACT", None, None),
    ]
    columns = ("time", "code", "numeric_value", "text_value")
    return [
        {"unit": None} | dict(zip(columns, row, strict=True))
        for row in rows
        if row[1] != "HEALED" or patients.healed[i]
    ]


def _distances(rng: np.random.Generator) -> Float64[np.ndarray, "row column"]:
    """Distance of each pixel from a random place away from the border."""
    row, column = rng.uniform(5, SIZE - 5, 2)
    y, x = np.mgrid[:SIZE, :SIZE]
    return np.hypot(y - row, x - column)


def _logistic(score: np.ndarray) -> Column:
    return 1.0 / (1.0 + np.exp(-score))
