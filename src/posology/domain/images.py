"""The arrays of a history's image events: which event shows which image."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float16, Int32, Int64

IMAGE = "IMAGE"
"""Family of the codes of events that show an image."""
NO_IMAGE = -1


@dataclass(frozen=True, slots=True, eq=False)
class Images:
    """Images of one size, of one or several frames, and the image of each event of a history."""

    row: Int32[np.ndarray, " event"]
    """The event's image, NO_IMAGE where it has none."""
    frames: Float16[np.ndarray, "frame row column"]
    """Grey from 0 (black) to 1; the frames of an image follow one another."""
    offsets: Int64[np.ndarray, " image_plus_one"]
    """Frames of image i are rows offsets[i] to offsets[i + 1]."""


def take_image_rows(
    images: Images | None, event: Int64[np.ndarray, " kept"] | slice
) -> Images | None:
    """The images of some events, in their order; the arrays stay as they are."""
    return None if images is None else replace(images, row=images.row[event])


def insert_without_image(
    images: Images | None, position: Int64[np.ndarray, " added"]
) -> Images | None:
    """The images after events without one were inserted before these positions."""
    if images is None:
        return None
    return replace(images, row=np.insert(images.row, position, np.int32(NO_IMAGE)))


def join_images(first: Images | None, second: Images | None) -> Images | None:
    """The images of two parts of one cohort, the events of `first` before those of `second`."""
    if first is None or second is None:
        assert first is second, "parts of one cohort both have images, or neither has"
        return None
    assert first.frames is second.frames, "parts of one cohort share the arrays"
    return replace(first, row=np.concatenate([first.row, second.row]))


def shown_images(images: Images) -> Images:
    """The same without the arrays that no event shows."""
    used, row = np.unique(images.row[images.row >= 0], return_inverse=True)
    counts = np.diff(images.offsets)[used]
    bounds = zip(images.offsets[used].tolist(), images.offsets[used + 1].tolist(), strict=True)
    wanted = [images.frames[start:stop] for start, stop in bounds]
    small = images.row.copy()
    small[images.row >= 0] = row
    return Images(
        small,
        np.concatenate([images.frames[:0], *wanted]),
        np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
    )
