"""The images of one patient, for a policy that reads them: files or pixels in a form's events."""

import datetime
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float16

from posology.artifact import Artifact
from posology.cohorts.images import match_events
from posology.domain.codes import vocabulary_rows
from posology.domain.history import History
from posology.domain.images import IMAGE, NO_IMAGE, Images
from posology.domain.policy import Policy
from posology.domain.profile import Profile
from posology.errors import RecordError
from posology.learners.network.policy import NetworkPolicy
from posology.learners.stack.policy import StackedPolicy
from posology.records.sources.imaging.pixels import PixelError, PixelSettings, read_picture

KEY = "image"
"""Key of an event of a form: a file beside the patient's file, or the pixels as lists."""

EventTimes = Callable[[dict[str, Any]], Sequence[datetime.datetime | None]]
"""Of each of a form's events, None of a static one."""
_STATIC = datetime.datetime(1, 1, 1)  # noqa: DTZ001 - MEDS times have no zone
Shown = tuple[str, Float16[np.ndarray, "frame row column"]]
"""The code of an event, and the image that it shows."""


def image_size(policy: Policy) -> int:
    """Rows of the images that a policy reads; 0 if it reads none."""
    members = policy.members if isinstance(policy, StackedPolicy) else (policy,)
    sizes = [m.network.config.image_size for m in members if isinstance(m, NetworkPolicy)]
    return max(sizes, default=0)


def check_image_size(policy: Policy, history: History) -> None:
    """Raise RecordError if images are not of the size that a policy learned from."""
    size = image_size(policy)
    if size and history.images is not None and history.images.frames.shape[1:] != (size, size):
        found = " x ".join(map(str, history.images.frames.shape[1:]))
        raise RecordError(
            f"the records have images of {found}, and the policy learned from images of {size} x "
            f"{size}; ingest them with `size = {size}` in [pixels]."
        )


def take_images(
    model: Artifact, body: Mapping[str, Any], folder: Path | None, times: EventTimes
) -> tuple[dict[str, Any], list[Shown]]:
    """The form without its images, and the images in time order.

    RecordError names the event and the mend.

    Args:
        folder: where files are; None: no file is read.
        times: of the events of a form without images, as the model's history has them.
    """
    size, shown, events = image_size(model.policy), [], []
    given = body.get("events")
    if not isinstance(given, list):
        return {**body}, []
    for number, event in enumerate(given):
        if isinstance(event, dict) and isinstance(event.get("code"), str) and KEY in event:
            place = f"patient: event {number + 1} ({event['code']})"
            array = _read(event[KEY], (size, event["code"]), folder, place)
            shown.append((number, event["code"], array))
            event = {key: value for key, value in event.items() if key != KEY}
        events.append(event)
    without = {**body, "events": events}
    if len(shown) > 1:
        time = times(without)
        shown.sort(key=lambda one: time[one[0]] or _STATIC)
    return without, [(code, array) for _, code, array in shown]


def show_images(history: History, profile: Profile, shown: list[Shown]) -> History:
    """One patient's history with their images; RecordError if an image event has none."""
    rows = profile.rows((IMAGE,))
    row_of = vocabulary_rows(profile.codes)
    code = np.array([row_of.get(code, -1) for code, _ in shown], dtype=np.int64)
    subject = np.full(len(shown), history.subject_id[0])
    row = match_events(history, rows, (subject, code, np.arange(len(shown))))
    lacking = np.isin(history.code, sorted(rows)) & (row == NO_IMAGE)
    if lacking.any():
        name = profile.codes[history.code[lacking][0]]
        raise RecordError(
            f"patient: {name} has no image, and the policy reads it. Give the patient as a form, "
            f'with "{KEY}" in this event of "events": a PNG, TIFF or .npy file beside the form, or '
            "the pixels as lists of numbers from 0 to 1."
        )
    counts = [len(array) for _, array in shown]
    frames = np.concatenate([array for _, array in shown] or [np.zeros((0, 1, 1), np.float16)])
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return replace(history, images=Images(row, frames, offsets))


def _read(
    given: Any, wanted: tuple[int, str], folder: Path | None, place: str
) -> Float16[np.ndarray, "frame row column"]:
    """The image of a file or of numbers, as training had them; wanted: size, code."""
    size, code = wanted
    if isinstance(given, str):
        if folder is None:
            raise RecordError(
                f'{place}: "{KEY}" names a file, which is read beside a patient\'s file only; give '
                "the pixels as lists of numbers from 0 to 1."
            )
        given = _read_file(folder / given, size, code, place)
    try:
        array = np.asarray(given, dtype=np.float16)
    except (TypeError, ValueError) as error:
        raise RecordError(f'{place}: "{KEY}" is neither a file nor lists of numbers.') from error
    array = array[None] if array.ndim == 2 else array
    if array.ndim != 3 or array.shape[1:] != (size, size) or not len(array):
        raise RecordError(
            f"{place}: the image has the shape {' x '.join(map(str, array.shape))}; the policy "
            f"learned from frames of {size} x {size}."
        )
    if not ((array >= 0) & (array <= 1)).all():
        raise RecordError(f"{place}: the image has numbers outside 0 to 1.")
    return array


def _read_file(path: Path, size: int, code: str, place: str) -> np.ndarray:
    try:
        if path.suffix == ".npy":
            return np.load(path, allow_pickle=False)
        modality = code.split("//")[1] if "//" in code else ""
        return read_picture(path, PixelSettings(size), modality)
    except (PixelError, OSError, ValueError) as error:
        raise RecordError(f"{place}: {path.name} cannot be read: it {error}.") from error
