"""Images as vectors: an ONNX model of your own, run at ingest on this machine's processor."""

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from posology.errors import RecordError, describe_install
from posology.records.batching import code_part
from posology.records.schema import Event
from posology.records.sources.imaging.pixels import PixelError

MAX_DIMENSIONS = 4096
"""Numbers of a vector that are read (own choice): each becomes an event."""


@dataclass(frozen=True, slots=True)
class EncoderSettings:
    """Which model encodes an image, and how it wants the grey from 0 to 1 scaled."""

    model: str
    """The ONNX file, relative to the settings file. Its one input has 32-bit numbers: images x
    channels (1 or 3) x rows x columns. Its first output is the vector."""
    name: str = ""
    """Its name in the codes of events; by default that of the file."""
    mean: tuple[float, ...] = (0.0,)
    """Is subtracted from the grey: one number, or one for each channel."""
    std: tuple[float, ...] = (1.0,)
    """The grey is then divided by it: one number, or one for each channel."""
    keep_pixels: bool = False
    """Whether the folder keeps the array of each image, too."""


@dataclass(frozen=True, slots=True)
class Encoder:
    """A model that is ready to encode."""

    name: str
    """With the first 12 digits of the hash, so that vectors of two versions never mix."""
    sha256: str
    session: Any
    mean: np.ndarray
    """One for each channel: channel, 1, 1."""
    std: np.ndarray

    def encode(self, image: np.ndarray) -> list[float]:
        """The vector of an image (frame, row, column, from 0 to 1): the mean over its frames.

        PixelError if the model fails on it or gives a number that is not finite.
        """
        name, total = self.session.get_inputs()[0].name, np.zeros(0)
        for frame in image:
            given = (np.repeat(frame[None], len(self.mean), 0) - self.mean) / self.std
            try:
                output = self.session.run(None, {name: given[None].astype(np.float32)})[0]
            except _runtime_errors() as error:
                raise PixelError(f"the encoder fails on it ({str(error)[:120]})") from error
            vector = np.asarray(output, np.float64).ravel()
            total = vector if len(total) == 0 else total + vector
        mean = total / len(image)
        if not np.isfinite(mean).all():
            raise PixelError("the encoder gives a number that is not finite")
        return mean.tolist()

    def events(self, header: Event, image: np.ndarray) -> list[Event]:
        """`EMBEDDING//name@hash//0007` for each number of the vector, at the image's time."""
        return [
            Event(f"EMBEDDING//{self.name}//{i:04d}", header.time, number)
            for i, number in enumerate(self.encode(image))
        ]


def load_encoder(path: Path, settings: EncoderSettings, size: int) -> Encoder:
    """The model, tried on a black image of `size` x `size`; RecordError says what does not fit."""
    content = _read(path)
    session = _session(path, content)
    channels = _check_input(path, session, settings, size)
    digest = hashlib.sha256(content).hexdigest()
    name = code_part(settings.name or path.stem)
    scale = [
        np.broadcast_to(np.asarray(numbers, np.float32), channels).reshape(channels, 1, 1)
        for numbers in (settings.mean, settings.std)
    ]
    encoder = Encoder(f"{name}@{digest[:12]}", digest, session, *scale)
    try:
        dimensions = len(encoder.encode(np.zeros((1, size, size), np.float16)))
    except PixelError as error:
        raise RecordError(f"{path}: of a black image: {error}") from error
    if not 1 <= dimensions <= MAX_DIMENSIONS:
        raise RecordError(
            f"{path}: its first output has {dimensions:,} numbers; an encoder gives from 1 to "
            f"{MAX_DIMENSIONS:,}, such as the layer before the last"
        )
    return encoder


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise RecordError(f"{path}: the encoder cannot be read: {error.strerror}") from error


def _session(path: Path, content: bytes) -> Any:
    """The model of exactly these bytes, on one core, so that a run repeats to the bit."""
    try:
        import onnxruntime
    except ImportError as error:
        raise RecordError(
            f"{path}: an encoder needs one more package: {describe_install('onnx')}"
        ) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except _runtime_errors() as error:
        raise RecordError(
            f"{path}: is not an ONNX model that can be run ({str(error)[:200]}); save it as one "
            "file, with its weights inside"
        ) from error


def _check_input(path: Path, session: Any, settings: EncoderSettings, size: int) -> int:
    """The number of channels; RecordError if the input does not fit the images or the settings."""
    inputs = session.get_inputs()
    shape = inputs[0].shape if len(inputs) == 1 else []
    several = len(shape) == 4 and isinstance(shape[0], int) and shape[0] != 1
    if len(shape) != 4 or several or inputs[0].type != "tensor(float)":
        stated = "; ".join(f"{each.type} of {each.shape}" for each in inputs)
        raise RecordError(
            f"{path}: takes {stated}; an encoder takes one tensor(float) of 1 image x 1 or 3 "
            "channels x rows x columns"
        )
    for stated in shape[2:]:
        if isinstance(stated, int) and stated != size:
            raise RecordError(
                f"{path}: takes images of {shape[2]} x {shape[3]}, and [pixels] makes them "
                f"{size} x {size}: set size = {shape[2]}"
            )
    fixed = isinstance(shape[1], int)
    channels = shape[1] if fixed else max(len(settings.mean), len(settings.std))
    if channels not in (1, 3):
        raise RecordError(f"{path}: takes images of {channels} channels; 1 and 3 are known")
    for key, numbers in (("mean", settings.mean), ("std", settings.std)):
        valid = all(math.isfinite(number) and (key == "mean" or number > 0) for number in numbers)
        if len(numbers) not in (1, channels) or not valid:
            raise RecordError(
                f"{path}: encoder: {key} is one number or {channels}, one for each channel"
                f"{' and above 0' if key == 'std' else ''}, not {list(numbers)}"
            )
    return channels


def _runtime_errors() -> tuple[type[Exception], ...]:
    """What onnxruntime raises; its errors have no base of their own."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    kinds = (kind for kind in vars(state).values() if isinstance(kind, type))
    return (*(k for k in kinds if issubclass(k, Exception)), RuntimeError, ValueError)
