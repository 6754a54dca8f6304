"""Pixels of an image as a small array: rescaled, windowed, one grey scale, one size.

The order of DICOM PS3.3 C.11: modality transformation, then window, then presentation (MONOCHROME1
is shown inverted).
"""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

MAX_BYTES = 2_000_000_000
"""Bytes of the pixels of an image that is read (own choice): they are held in memory."""
GREY = ("MONOCHROME1", "MONOCHROME2")


class PixelError(ValueError):
    """Why the pixels of an image are not read."""


@dataclass(frozen=True, slots=True)
class PixelSettings:
    """How an image becomes a small array."""

    size: int = 64
    """Rows and columns of the array; the longer side fills it, the shorter is padded with 0."""
    frames: int = 16
    """At most so many frames, evenly spaced from the first to the last."""
    window: dict[str, tuple[float, float]] = field(default_factory=dict)
    """Centre and width by modality, such as `CT = [40, 400]`; by default the image's own, and
    without one from its least to its greatest value."""


def read_dicom_pixels(path: Path, settings: PixelSettings) -> np.ndarray | None:
    """Frame, row, column, from 0 (black) to 1; None if the file has no pixels.

    PixelError names what cannot be read: colour, compression without a decoder, damage, text.
    """
    import pydicom

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        image = pydicom.dcmread(path)
        if not any(name in image for name in ("PixelData", "FloatPixelData")):
            return None
        _check_kind(image)
        pixels = _decode(image)
        pixels = pixels if image.get("NumberOfFrames") or pixels.ndim == 3 else pixels[None]
        pixels = pixels if pixels.ndim == 3 else pixels[None]
        chosen = _spread(len(pixels), settings.frames)
        rescaled = _finite(np.stack([_rescale(image, at, pixels[at]) for at in chosen]))
        grey = _window(image, chosen, rescaled, settings)
    if image.PhotometricInterpretation == "MONOCHROME1":
        grey = 1.0 - grey
    return shrink(grey, settings.size)


def read_picture(path: Path, settings: PixelSettings, modality: str) -> np.ndarray:
    """The same of a PNG or TIFF file, whose numbers are on the scale of its type."""
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as picture:
                if picture.mode not in ("1", "L", "I", "I;16", "I;16B", "F"):
                    raise PixelError(f"is a colour image ({picture.mode}); only grey is read")
                chosen, frames = _spread(getattr(picture, "n_frames", 1), settings.frames), []
                for at in chosen:
                    picture.seek(at)
                    frames.append(np.asarray(picture))
    except PixelError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise PixelError("has more pixels than are read") from error
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, EOFError) as error:
        raise PixelError(f"is damaged or no PNG or TIFF ({type(error).__name__})") from error
    if len({frame.shape for frame in frames}) != 1:
        raise PixelError("has frames of different sizes")
    stored = np.stack(frames)
    values = _finite(stored.astype(np.float32))
    if modality in settings.window:
        grey = _linear(values, *settings.window[modality])
    elif stored.dtype in (np.uint8, np.uint16):
        grey = values / np.iinfo(stored.dtype).max
    else:
        grey = _whole_range(values)
    return shrink(grey, settings.size)


def shrink(frames: np.ndarray, size: int) -> np.ndarray:
    """The frames in a square of `size`: means over areas, centred, padded with 0; as float16."""
    from PIL import Image

    count, rows, columns = frames.shape
    scale = size / max(rows, columns)
    height, width = max(1, round(rows * scale)), max(1, round(columns * scale))
    top, left = (size - height) // 2, (size - width) // 2
    small = np.zeros((count, size, size), np.float16)
    for number, frame in enumerate(frames):
        picture = Image.fromarray(np.ascontiguousarray(frame, np.float32))
        resized = np.asarray(picture.resize((width, height), Image.Resampling.BOX))
        small[number, top : top + height, left : left + width] = resized
    return small


def _check_kind(image: Any) -> None:
    """Raise PixelError at an image that is not read, before its pixels are decoded."""
    kind = str(image.get("PhotometricInterpretation") or "unknown")
    if kind not in GREY or int(image.get("SamplesPerPixel") or 1) != 1:
        raise PixelError(f"is a colour image ({kind}); only {' and '.join(GREY)} are read")
    if str(image.get("BurnedInAnnotation") or "").upper() == "YES":
        raise PixelError("has text burned into its pixels, which may name the patient")
    numbers = (image.get(name) for name in ("Rows", "Columns", "BitsAllocated"))
    frames = int(image.get("NumberOfFrames") or 1)
    if math.prod(int(n or 0) for n in numbers) * frames / 8 > MAX_BYTES:
        raise PixelError(f"has more than {MAX_BYTES:,} bytes of pixels")


def _decode(image: Any) -> np.ndarray:
    try:
        return np.asarray(image.pixel_array)
    except (RuntimeError, ValueError, AttributeError, NotImplementedError, TypeError) as error:
        meta = getattr(image, "file_meta", None)
        syntax = getattr(meta, "TransferSyntaxUID", None)
        if syntax is not None and syntax.is_compressed:
            raise PixelError(
                f"is compressed ({syntax.name}) and cannot be decoded here; decompress it first, "
                "or install pylibjpeg"
            ) from error
        raise PixelError(f"has damaged pixels ({str(error)[:120]})") from error


def _spread(count: int, most: int) -> list[int]:
    """Evenly spaced frames from the first to the last, at most so many."""
    if count <= most:
        return list(range(count))
    return [round(at) for at in np.linspace(0, count - 1, most).tolist()]


def _of_frame(image: Any, frame: int, name: str) -> Any:
    """The item that has the frame's attributes of a functional group; the image itself if none."""
    every = image.get("PerFrameFunctionalGroupsSequence") or ()
    shared = image.get("SharedFunctionalGroupsSequence") or ()
    for item in [*every[frame : frame + 1], *shared[:1]]:
        if item.get(name):
            return item.get(name)[0]
    return image


def _rescale(image: Any, frame: int, pixels: np.ndarray) -> np.ndarray:
    """The frame in the unit of its modality, such as Hounsfield units (PS3.3 C.11.1)."""
    if image.get("ModalityLUTSequence"):
        from pydicom.pixels import apply_modality_lut

        return np.asarray(apply_modality_lut(pixels, image), np.float32)
    group = _of_frame(image, frame, "PixelValueTransformationSequence")
    slope, intercept = _number(group, "RescaleSlope", 1.0), _number(group, "RescaleIntercept", 0.0)
    if slope == 0.0:
        raise PixelError("has RescaleSlope 0")
    return pixels.astype(np.float32) * np.float32(slope) + np.float32(intercept)


def _window(
    image: Any, frames: Sequence[int], rescaled: np.ndarray, settings: PixelSettings
) -> np.ndarray:
    """The grey from 0 to 1 of each frame."""
    own = settings.window.get(str(image.get("Modality") or ""))
    if own is not None:
        return _linear(rescaled, *own)
    groups = [_of_frame(image, frame, "FrameVOILUTSequence") for frame in frames]
    if any(group.get("WindowWidth") in (None, "") for group in groups):
        return _whole_range(rescaled)
    return np.stack([_one_window(g, x) for g, x in zip(groups, rescaled, strict=True)])


def _one_window(group: Any, values: np.ndarray) -> np.ndarray:
    """The first window of an image, by its function (PS3.3 C.11.2.1.2 and C.11.2.1.3)."""
    centre, width = _number(group, "WindowCenter", math.nan), _number(group, "WindowWidth", 1.0)
    function = str(group.get("VOILUTFunction") or "LINEAR")
    if math.isnan(centre) or function not in ("LINEAR", "LINEAR_EXACT", "SIGMOID"):
        raise PixelError(f"has a window without a centre or of the function {function}")
    if function == "LINEAR":
        return _linear(values, centre, width)
    if width <= 0:
        raise PixelError(f"has the window width {width:g}")
    if function == "SIGMOID":
        return 1.0 / (1.0 + np.exp(np.clip(-4.0 * (values - centre) / width, -80, 80)))
    return np.clip((values - centre) / width + 0.5, 0.0, 1.0)


def _linear(values: np.ndarray, centre: float, width: float) -> np.ndarray:
    if width < 1:
        raise PixelError(f"has the window width {width:g}")
    if width == 1:  # a threshold
        return (values > centre - 0.5).astype(np.float32)
    return np.clip((values - (centre - 0.5)) / (width - 1) + 0.5, 0.0, 1.0)


def _finite(values: np.ndarray) -> np.ndarray:
    if not np.isfinite(values).all():
        raise PixelError("has numbers that are not finite")
    return values


def _whole_range(values: np.ndarray) -> np.ndarray:
    low, high = float(values.min()), float(values.max())
    return (values - low) / (high - low) if high > low else np.zeros_like(values)


def _number(group: Any, name: str, default: float) -> float:
    """A number of the header, the first if there are several."""
    value = group.get(name)
    if value is None or value == "":
        return default
    try:
        first = value[0] if isinstance(value, Sequence) and not isinstance(value, str) else value
        number = float(first)
    except (TypeError, ValueError, IndexError) as error:
        raise PixelError(f"has a {name} that is not a number") from error
    if not math.isfinite(number):
        raise PixelError(f"has a {name} that is not a number")
    return number
