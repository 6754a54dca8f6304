"""An ONNX model turns images into vectors at ingest; one that does not fit is refused."""

from pathlib import Path

import numpy as np
import pytest

from posology.errors import RecordError
from posology.records.pipeline.ingest import ingest
from posology.records.pipeline.manifest import read_manifest
from posology.records.sources.imaging.reader import make_sources
from tests.builders.raw_events import events_of
from tests.records.sources.imaging.test_pixels import RAMP, dicom

MODEL = bytes.fromhex(
    "08083a9f010a190a01781201702211476c6f62616c41766572616765506f6f6c0a0f0a01701201662207466c61"
    "7474656e0a120a01660a01770a0162120179220447656d6d1201672a1308010802100122080000803f000000c0"
    "4201772a11080210012208000000000000803f4201625a1c0a017812170a15080112110a0312016e0a02080"
    "10a0208080a02080862140a0179120f0a0d080112090a0312016e0a02080242040a00100d"
)
"""ONNX, made with onnx 1.23: [m, 1 - 2m] of the mean m of n x 1 x 8 x 8 numbers (`x` to `y`)."""
SHA256 = "dfa0d205cb3edefc97b2da50a59703c78eaa8896c7f89b60af31c4e537bd4c0e"


def settings(folder: Path, encoder: str = "", size: int = 8) -> Path:
    """A settings file with an encoder, and its model."""
    (folder / "mean.onnx").write_bytes(MODEL)
    text = f'[pixels]\nsize = {size}\n[encoder]\nmodel = "mean.onnx"\n{encoder}\n'
    (folder / "images.toml").write_text(text)
    return folder / "images.toml"


def test_an_image_becomes_a_vector_at_its_time(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="no onnxruntime: pip install 'posology[onnx]'")
    inputs = [settings(tmp_path), dicom(tmp_path / "a.dcm")]
    counts = ingest(make_sources(inputs), tmp_path / "out")
    events = {row["code"]: row for row in events_of(tmp_path / "out").to_pylist()}
    first, second = (f"EMBEDDING//mean@{SHA256[:12]}//{i:04d}" for i in (0, 1))
    assert events.keys() == {"IMAGING//CT//CHEST", first, second}
    mean = np.float16(RAMP / 63).astype(np.float32).mean()
    assert events[first]["numeric_value"] == pytest.approx(mean, abs=1e-6)
    assert events[second]["numeric_value"] == pytest.approx(1 - 2 * mean, abs=1e-6)
    assert events[first]["time"] == events["IMAGING//CT//CHEST"]["time"]
    assert not (tmp_path / "out" / "images").exists(), "the pixels are not kept"
    assert counts.rejected == {}
    (source,) = read_manifest(tmp_path / "out")["sources"]
    assert source["models"] == {f"mean@{SHA256[:12]}": SHA256}
    assert ingest(make_sources(inputs), tmp_path / "out").skipped, "known by its content"


def test_the_mean_over_frames_is_scaled_as_the_model_wants(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="no onnxruntime: pip install 'posology[onnx]'")
    scaled = "mean = [0.5]\nstd = [0.25]\nkeep_pixels = true\nname = 'my net'"
    frames = np.stack([np.zeros((8, 8)), np.full((8, 8), 60), np.full((8, 8), 30)])
    path = dicom(tmp_path / "a.dcm", frames)
    ingest(make_sources([settings(tmp_path, scaled), path]), tmp_path / "out")
    events = {row["code"]: row["numeric_value"] for row in events_of(tmp_path / "out").to_pylist()}
    assert events[f"EMBEDDING//my_net@{SHA256[:12]}//0000"] == pytest.approx(0, abs=1e-3)
    assert "IMAGE//CT//CHEST" in events


def test_a_number_that_is_not_finite_rejects_the_image_alone(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="no onnxruntime: pip install 'posology[onnx]'")
    tiny = "std = [1e-38]"
    inputs = [
        settings(tmp_path, tiny),
        dicom(tmp_path / "a.dcm"),
        dicom(tmp_path / "b.dcm", RAMP * 0),
    ]
    counts = ingest(make_sources(inputs), tmp_path / "out")
    assert counts.reasons == {"the encoder gives a number that is not finite": 1}


@pytest.mark.parametrize(
    ("encoder", "size", "message"),
    [
        ("", 64, r"takes images of 8 x 8, and \[pixels\] makes them 64 x 64: set size = 8"),
        ("mean = [1, 2, 3]", 8, r"encoder: mean is one number or 1, one for each channel, not"),
        ("std = [0]", 8, "encoder: std is one number or 1, .* and above 0, not"),
        ("kind = 1", 8, "encoder: unknown key 'kind'"),
    ],
)
def test_a_model_that_does_not_fit_is_an_error(
    tmp_path: Path, encoder: str, size: int, message: str
) -> None:
    if "kind" not in encoder:
        pytest.importorskip("onnxruntime", reason="no onnxruntime: pip install 'posology[onnx]'")
    with pytest.raises(RecordError, match=message):
        make_sources([settings(tmp_path, encoder, size)])


def test_a_file_that_is_no_model_is_an_error(tmp_path: Path) -> None:
    path = settings(tmp_path)
    (tmp_path / "mean.onnx").unlink()
    with pytest.raises(RecordError, match=r"mean.onnx: the encoder cannot be read: No such file"):
        make_sources([path])
    pytest.importorskip("onnxruntime", reason="no onnxruntime: pip install 'posology[onnx]'")
    (tmp_path / "mean.onnx").write_bytes(MODEL[:100])
    with pytest.raises(RecordError, match="is not an ONNX model that can be run"):
        make_sources([path])


def test_without_the_package_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "onnxruntime", None)
    with pytest.raises(
        RecordError, match=r'an encoder needs one more package: pip install "\.\[onnx'
    ):
        make_sources([settings(tmp_path)])
    (tmp_path / "images.toml").write_text('[encoder]\nmodel = "mean.onnx"\n')
    with pytest.raises(RecordError, match=r"\[encoder\] needs a section \[pixels\]"):
        make_sources([tmp_path / "images.toml"])
