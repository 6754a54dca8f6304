"""Pixels become small arrays: rescaled, windowed, upright in grey; what cannot be read is named."""

import errno
import random
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from posology.errors import RecordError
from posology.records.batching import combine_batches
from posology.records.io.image_store import read_images
from posology.records.pipeline.ingest import ingest
from posology.records.schema import Event
from posology.records.sources.imaging.pixels import (
    PixelError,
    PixelSettings,
    read_dicom_pixels,
    read_picture,
    shrink,
)
from posology.records.sources.imaging.reader import ImagingSettings, make_sources, read_dicom
from tests.builders.raw_events import events_of

pydicom = pytest.importorskip("pydicom", reason="needs posology[imaging]")
Image = pytest.importorskip("PIL.Image", reason="needs posology[imaging]")
RAMP = np.arange(64, dtype=np.int16).reshape(8, 8)
SMALL = PixelSettings(size=8)


def dicom(path: Path, pixels: np.ndarray = RAMP, **header: object) -> Path:
    """A CT image of these pixels; further elements of the header by name."""
    image = pydicom.Dataset()
    image.file_meta = pydicom.dataset.FileMetaDataset()
    image.file_meta.TransferSyntaxUID = header.pop("syntax", pydicom.uid.ExplicitVRLittleEndian)
    image.file_meta.MediaStorageSOPClassUID = pydicom.uid.CTImageStorage
    image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID = "1.2.3"
    image.SOPClassUID = pydicom.uid.CTImageStorage
    image.PatientID, image.Modality, image.StudyDate = "p1", "CT", "20200102"
    image.BodyPartExamined = "CHEST"
    image.Rows, image.Columns = pixels.shape[-2:]
    if pixels.ndim == 3:
        image.NumberOfFrames = len(pixels)
    image.BitsAllocated = image.BitsStored = 16
    image.HighBit, image.PixelRepresentation, image.SamplesPerPixel = 15, 1, 1
    image.PhotometricInterpretation = "MONOCHROME2"
    image.PixelData = pixels.astype("<i2").tobytes()
    for name, value in header.items():
        setattr(image, name, value)
    if header.get("PixelData", "") is None:
        del image.PixelData
    image.save_as(path, enforce_file_format=True)
    return path


def test_without_a_window_the_image_spans_black_to_white(tmp_path: Path) -> None:
    (frame,) = read_dicom_pixels(dicom(tmp_path / "a.dcm"), SMALL)
    assert frame.dtype == np.float16
    np.testing.assert_allclose(frame, RAMP / 63, atol=1e-3)
    flat = dicom(tmp_path / "b.dcm", np.full((8, 8), 7))
    assert not read_dicom_pixels(flat, SMALL).any()


def test_rescaled_values_are_windowed(tmp_path: Path) -> None:
    """PS3.3 C.11.2.1.2: c - 0.5 is the middle, and w - 1 from black to white."""
    header = {"RescaleSlope": 2, "RescaleIntercept": -100, "WindowCenter": [0, 9]}
    path = dicom(tmp_path / "a.dcm", **header, WindowWidth=[41, 9])
    expected = np.clip((RAMP * 2.0 - 100 + 0.5) / 40 + 0.5, 0, 1)
    np.testing.assert_allclose(read_dicom_pixels(path, SMALL)[0], expected, atol=1e-3)
    own = PixelSettings(size=8, window={"CT": (-50, 101)})
    expected = np.clip((RAMP * 2.0 - 100 + 50.5) / 100 + 0.5, 0, 1)
    np.testing.assert_allclose(read_dicom_pixels(path, own)[0], expected, atol=1e-3)


@pytest.mark.parametrize(
    ("function", "grey"),
    [
        ("LINEAR_EXACT", lambda x: np.clip((x - 30) / 20 + 0.5, 0, 1)),
        ("SIGMOID", lambda x: 1 / (1 + np.exp(-4 * (x - 30) / 20))),
    ],
)
def test_the_functions_of_a_window(tmp_path: Path, function: str, grey) -> None:
    header = {"WindowCenter": 30, "WindowWidth": 20, "VOILUTFunction": function}
    (frame,) = read_dicom_pixels(dicom(tmp_path / "a.dcm", **header), SMALL)
    np.testing.assert_allclose(frame, grey(RAMP.astype(float)), atol=1e-3)


def test_monochrome1_is_inverted(tmp_path: Path) -> None:
    path = dicom(tmp_path / "a.dcm", PhotometricInterpretation="MONOCHROME1")
    np.testing.assert_allclose(read_dicom_pixels(path, SMALL)[0], 1 - RAMP / 63, atol=1e-3)


def test_frames_are_spread_evenly_and_each_is_rescaled_as_it_says(tmp_path: Path) -> None:
    groups = []
    for frame in range(5):
        item = pydicom.Dataset()
        item.RescaleSlope, item.RescaleIntercept = 1, 100 * frame
        group = pydicom.Dataset()
        group.PixelValueTransformationSequence = [item]
        groups.append(group)
    pixels = np.zeros((5, 8, 8))
    path = dicom(tmp_path / "a.dcm", pixels, PerFrameFunctionalGroupsSequence=groups)
    found = read_dicom_pixels(path, PixelSettings(size=8, frames=3))
    assert found[:, 0, 0].tolist() == [0.0, 0.5, 1.0]


def test_an_image_is_shrunk_by_means_and_padded() -> None:
    wide = np.arange(32.0).reshape(1, 4, 8)
    small = shrink(wide, 4)
    assert small.shape == (1, 4, 4)
    assert small[0, 1].tolist() == [4.5, 6.5, 8.5, 10.5]
    assert not small[0, [0, 3]].any()


def test_no_pixels_are_none(tmp_path: Path) -> None:
    assert read_dicom_pixels(dicom(tmp_path / "a.dcm", PixelData=None), SMALL) is None


JPEG = pydicom.encaps.encapsulate([b"no picture"])
REFUSED = [
    ({"PhotometricInterpretation": "RGB", "SamplesPerPixel": 3}, r"is a colour image \(RGB\)"),
    ({"PhotometricInterpretation": "PALETTE COLOR"}, r"is a colour image \(PALETTE COLOR\)"),
    ({"PixelData": RAMP.tobytes()[:-20]}, r"has damaged pixels \("),
    ({"PixelData": JPEG, "syntax": pydicom.uid.JPEG2000}, r"is compressed \(JPEG 2000 Image Comp"),
    ({"BurnedInAnnotation": "YES"}, "has text burned into its pixels"),
    ({"WindowCenter": 1, "WindowWidth": 0}, "has the window width 0"),
    ({"RescaleSlope": 0, "RescaleIntercept": 0}, "has RescaleSlope 0"),
    ({"NumberOfFrames": 2**30}, "has more than 2,000,000,000 bytes of pixels"),
]


@pytest.mark.parametrize(("header", "reason"), REFUSED)
def test_what_cannot_be_read_is_named(tmp_path: Path, header: dict, reason: str) -> None:
    with pytest.raises(PixelError, match=reason):
        read_dicom_pixels(dicom(tmp_path / "a.dcm", **header), SMALL)


def test_pictures_are_on_the_scale_of_their_type(tmp_path: Path) -> None:
    Image.fromarray(RAMP.astype(np.uint8)).save(tmp_path / "a.png")
    (grey,) = read_picture(tmp_path / "a.png", SMALL, "XC")
    np.testing.assert_allclose(grey, RAMP / 255, atol=1e-3)
    deep = Image.fromarray((RAMP * 1000).astype(np.uint16))
    deep.save(tmp_path / "a.tif", save_all=True, append_images=[deep, deep])
    frames = read_picture(tmp_path / "a.tif", SMALL, "XC")
    assert len(frames) == 3
    np.testing.assert_allclose(frames[2], (RAMP * 1000).astype(np.uint16) / 65535, atol=1e-3)
    own = PixelSettings(size=8, window={"XC": (32, 33)})
    assert read_picture(tmp_path / "a.png", own, "XC")[0, 4, 0] == pytest.approx(0.5, abs=0.02)
    Image.new("RGB", (8, 8)).save(tmp_path / "c.png")
    with pytest.raises(PixelError, match=r"is a colour image \(RGB\); only grey is read"):
        read_picture(tmp_path / "c.png", SMALL, "XC")
    Image.fromarray(np.where(RAMP > 9, np.nan, RAMP).astype(np.float32)).save(tmp_path / "n.tif")
    for modality in ("XC", "OT"):  # with a window and without one
        with pytest.raises(PixelError, match="has numbers that are not finite"):
            read_picture(tmp_path / "n.tif", own, modality)
    (tmp_path / "d.png").write_bytes((tmp_path / "a.png").read_bytes()[:50])
    with pytest.raises(PixelError, match="is damaged or no PNG or TIFF"):
        read_picture(tmp_path / "d.png", SMALL, "XC")


def test_damaged_bytes_never_end_the_ingest(tmp_path: Path) -> None:
    content, chosen = dicom(tmp_path / "a.dcm").read_bytes(), random.Random(1)
    settings, path = ImagingSettings(pixels=SMALL), tmp_path / "x.dcm"
    for _ in range(300):
        damaged = bytearray(content[: chosen.choice((len(content), chosen.randrange(132, 600)))])
        for _ in range(chosen.randrange(6)):
            damaged[chosen.randrange(132, len(damaged) + 1) - 1] = chosen.randrange(256)
        path.write_bytes(damaged)
        assert combine_batches(read_dicom([path], settings, lambda _header, _image: [])).rows


def test_a_full_disk_is_no_damaged_image(tmp_path: Path) -> None:
    def keep(_header: Event, _image: np.ndarray) -> list[Event]:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        list(read_dicom([dicom(tmp_path / "a.dcm")], ImagingSettings(pixels=SMALL), keep))


SETTINGS = """table = "pictures.csv"
[pixels]
size = 8
window = { CT = [40, 400] }
"""


def write_images(folder: Path) -> list[Path]:
    """A settings file, two images, one in colour, and a table of pictures."""
    folder.mkdir()
    (folder / "images.toml").write_text(SETTINGS)
    dicom(folder / "a.dcm")
    dicom(folder / "b.dcm", RAMP + 50)
    dicom(folder / "c.dcm", PhotometricInterpretation="RGB", SamplesPerPixel=3)
    Image.fromarray(RAMP.astype(np.uint8)).save(folder / "x.png")
    rows = ["subject,time,file,modality", "p2,2020-02-03,x.png,XC", "p2,2020-02-03,gone.png,XC"]
    (folder / "pictures.csv").write_text("\n".join(rows) + "\n")
    return [folder / "images.toml", folder / "a.dcm", folder / "b.dcm", folder / "c.dcm"]


def test_events_refer_to_the_images_in_the_folder(tmp_path: Path) -> None:
    inputs, out = write_images(tmp_path / "in"), tmp_path / "events"
    counts = ingest(make_sources(inputs), out)
    events = [row for row in events_of(out).to_pylist() if row["code"].startswith("IMAGE//")]
    codes = [*["IMAGE//CT//CHEST"] * 2, "IMAGE//XC//UNKNOWN"]
    assert sorted(row["code"] for row in events) == codes
    images = list(read_images(out, [row["text_value"] for row in events]))
    assert {image.shape for image in images} == {(1, 8, 8)}
    assert len(pq.read_table(out / "rejected.parquet")) == counts.unreadable == 2
    reasons = set(counts.reasons)
    assert any("is a colour image" in reason for reason in reasons), reasons
    assert any("is damaged or no PNG" in reason for reason in reasons), reasons
    dicom(tmp_path / "d.dcm", RAMP * 3)
    ingest(make_sources([inputs[0], tmp_path / "d.dcm"]), out)
    again = list(read_images(out, [row["text_value"] for row in events]))
    np.testing.assert_array_equal(np.stack(images), np.stack(again))
    assert len(list((out / "images").iterdir())) == 2


def test_a_changed_or_missing_image_is_an_error(tmp_path: Path) -> None:
    out = tmp_path / "events"
    ingest(make_sources(write_images(tmp_path / "in")), out)
    with pytest.raises(RecordError, match="has no image 0000; ingest its source again"):
        list(read_images(out, ["image 0000"]))
    (path,) = (out / "images").iterdir()
    content = path.read_bytes()
    path.write_bytes(content[:200] + bytes([content[200] ^ 1]) + content[201:])
    with pytest.raises(RecordError, match=r"\.npz: does not match its checksum"):
        list(read_images(out, []))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[pixels]\nsize = 4\n", "size is from 8 to 1024"),
        ("[pixels]\nwindow = { CT = [40, 0] }\n", "window: CT: the width is at least 1"),
        ('table = "a.csv"\n', r"`table` needs a section \[pixels\]"),
        ("[pixels]\nsizes = 4\n", "unknown key 'sizes'; did you mean 'size'"),
    ],
)
def test_wrong_settings_are_errors(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "i.toml").write_text(text)
    with pytest.raises(RecordError, match=message):
        make_sources([tmp_path / "i.toml"])


def test_images_without_an_extension_are_read_and_other_files_listed(tmp_path: Path) -> None:
    folder = tmp_path / "export"
    folder.mkdir()
    for name in ("a.dcm", "IM0001", "DICOMDIR"):
        dicom(folder / name)
    (folder / "viewer.exe").write_bytes(b"MZ")
    (folder / "readme").write_bytes(b"")
    batch = combine_batches(read_dicom([folder]))
    assert sorted({Path(s).name for s in batch.events["source"].to_pylist()}) == ["IM0001", "a.dcm"]
    fields = ["field", "value", "reason"]
    assert batch.rejected.select(fields).to_pylist() == [
        dict(zip(fields, row, strict=True))
        for row in (
            ("fileName", "DICOMDIR", "is no DICOM image by its name and first bytes"),
            ("fileName", "readme", "is no DICOM image by its name and first bytes"),
            ("fileName", "viewer.exe", "is no DICOM image by its name and first bytes"),
        )
    ]
    (folder / "a.dcm").unlink()
    assert combine_batches(read_dicom([folder])).events.num_rows == 1
    (folder / "IM0001").unlink()
    with pytest.raises(RecordError, match=r"export: no file ends in \.dcm"):
        list(read_dicom([folder]))
