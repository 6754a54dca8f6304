"""Trials of images, gzipped files with long lines, recordings, forms and exposures."""

import gzip
import json
from pathlib import Path

import numpy as np

from benchmarks.fuzz import mutations, world
from benchmarks.fuzz.trials import Outcome, Trial, ingest_words

IMAGES = 'table = "pictures.csv"\n[pixels]\nsize = 8\nwindow = { CT = [40, 400] }\n'
WEARABLE = """time = "time"
subject = "id"
window_hours = 24
[[series]]
column = ["glucose"]
code = "WEARABLE//glucose"
unit = "mg/dL"
every_minutes = 15
range_low = 70
range_high = 180
"""
FORM = 'subject = "id"\ntime = "date"\nignore = ["note"]\n'
AIR = 'exposures = ["air.csv"]\n[measures.pm25]\nunit = "ug/m3"\npublished_after_days = 2\n'
MAX_LINE = 20_000
"""Bytes of a line that these trials let be read."""


def ingest_images(trial: Trial) -> Outcome:
    """DICOM, PNG and TIFF with odd bytes; each file is an event or a rejected row."""
    pixels = np.arange(64, dtype=np.uint8).reshape(8, 8)
    valid, folder = trial.is_intact, trial.folder
    _write_dicom(folder / "a.dcm", pixels)
    _write_pictures(folder, pixels)
    rows = ["subject,time,file,modality", "p2,2020-02-03,x.png,XC", "p2,2020-02-03,x.tif,XC"]
    (folder / "pictures.csv").write_text("\n".join(rows) + "\n")
    (folder / "images.toml").write_text(IMAGES)
    expected = 3
    if not valid:
        names = ["a.dcm", "x.png", "x.tif", "pictures.csv", "images.toml"]
        name = trial.chosen.choice(names)
        path = folder / name
        path.write_bytes(mutations.of_bytes(path.read_bytes(), trial.chosen))
        expected = 3 if name[0] in "ax" else 0
    words = ["--dicom", folder / "images.toml", "--dicom", folder / "a.dcm"]
    return ingest_words(trial, words, valid, expected)


def _write_dicom(path: Path, pixels: np.ndarray) -> None:
    import pydicom

    image = pydicom.Dataset()
    image.file_meta = pydicom.dataset.FileMetaDataset()
    image.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    image.file_meta.MediaStorageSOPClassUID = image.SOPClassUID = pydicom.uid.CTImageStorage
    image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID = "1.2.3"
    image.PatientID, image.Modality, image.StudyDate = "p1", "CT", "20200102"
    image.Rows, image.Columns = pixels.shape
    image.BitsAllocated = image.BitsStored = 8
    image.HighBit, image.PixelRepresentation, image.SamplesPerPixel = 7, 0, 1
    image.PhotometricInterpretation = "MONOCHROME2"
    image.PixelData = pixels.tobytes()
    image.save_as(path, enforce_file_format=True)


def _write_pictures(folder: Path, pixels: np.ndarray) -> None:
    from PIL import Image

    picture = Image.fromarray(pixels)
    picture.save(folder / "x.png")
    picture.save(folder / "x.tif", save_all=True, append_images=[picture])


def ingest_gzip(trial: Trial) -> Outcome:
    """Gzipped CSV or NDJSON with lines beyond the limit, cuts, and odd bytes."""
    valid, chosen, folder = trial.is_intact, trial.chosen, trial.folder
    is_csv = chosen.random() < 0.5
    lines = [json.dumps(resource) for resource in world.resources()]
    if is_csv:
        lines = world.to_csv(world.labs()).decode().splitlines()
    expected = len(lines) - is_csv
    if not valid and chosen.random() < 0.6:
        long = chosen.choice([MAX_LINE - 10, MAX_LINE + 1, 5 * MAX_LINE, 3_000_000])
        at = chosen.randrange(is_csv, len(lines))
        lines[at] = lines[at][:-1] + "x" * long + lines[at][-1]
    data = gzip.compress(("\n".join(lines) + "\n").encode(), mtime=0)
    if not valid and chosen.random() < 0.6:
        data, expected = mutations.of_bytes(data, chosen), 0
    path = folder / ("labs.csv.gz" if is_csv else "a.ndjson.gz")
    path.write_bytes(data)
    (folder / "labs.toml").write_text(world.MAPPING.replace("labs.csv", "labs.csv.gz"))
    source = ["--table", folder / "labs.toml"] if is_csv else ["--fhir", path]
    return ingest_words(trial, [*source, "--max-line", str(MAX_LINE)], valid, expected)


def ingest_recordings(trial: Trial) -> Outcome:
    """A damaged recording of a wearable, or its settings."""
    rows = [["id", "time", "glucose"]]
    rows += [[str(n % 3), f"2020-01-0{n % 5 + 1} 10:{n:02}", str(90 + n)] for n in range(40)]
    return _one_of_two(trial, "wearable", WEARABLE, rows)


def ingest_forms(trial: Trial) -> Outcome:
    """Damaged forms of a questionnaire, or their settings."""
    rows = [["id", "date", "Tobacco smoking status", "note"]]
    answers = ["Never smoker", "Former smoker", "current"]
    rows += [[str(n), f"2020-01-{n + 1:02}", answers[n % 3], "x"] for n in range(20)]
    return _one_of_two(trial, "questionnaire", FORM, rows)


def ingest_exposures(trial: Trial) -> Outcome:
    """Damaged exposures, or their settings."""
    rows = [["place", "date", "measure", "value"]]
    rows += [["basel", f"2020-01-{n + 1:02}", "pm25", f"{9 + n}.5"] for n in range(20)]
    lived = [["subject", "place", "from", "to"]]
    lived += [[str(n), "basel", "2019-05-01", ""] for n in range(5)]
    (trial.folder / "lived.csv").write_bytes(world.to_csv(lived))
    return _one_of_two(trial, "environment", AIR, rows, table="air.csv", given="lived.csv")


def _one_of_two(
    trial: Trial, kind: str, toml: str, rows: list[list[str]], table: str = "t.csv", given: str = ""
) -> Outcome:
    """Damage the settings or the table, and read what is `given` (the table) with the settings."""
    valid, chosen, folder = trial.is_intact, trial.chosen, trial.folder
    data = world.to_csv(rows)
    if not valid:
        how = chosen.randrange(3)
        if how == 0:
            toml = mutations.of_toml(toml, chosen)
        elif how == 1:
            data = world.to_csv([rows[0], *mutations.of_cells(rows[1:], chosen)])
        else:
            data = mutations.of_bytes(data, chosen)
    (folder / "s.toml").write_text(toml, encoding="utf-8")
    (folder / table).write_bytes(data)
    words = [f"--{kind}", folder / "s.toml", f"--{kind}", folder / (given or table)]
    return ingest_words(trial, words, valid)


KINDS = {
    "images": ingest_images,
    "gzip": ingest_gzip,
    "recordings": ingest_recordings,
    "forms": ingest_forms,
    "exposures": ingest_exposures,
}
