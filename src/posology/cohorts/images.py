"""Attach the arrays of events folders to the image events of a history."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from jaxtyping import Int32, Int64

from posology.domain.codes import vocabulary_rows
from posology.domain.history import History
from posology.domain.images import IMAGE, NO_IMAGE, Images
from posology.domain.profile import Profile
from posology.domain.study import Study
from posology.errors import RecordError, StudyError
from posology.records.io.image_store import IMAGES, PREFIX, read_images
from posology.records.meds_dataset import open_events

_NO_TIME = np.iinfo(np.int64).min
_COLUMNS = ("subject_id", "time", "code", "text_value")


def attach_images(
    history: History, profile: Profile, study: Study, places: Sequence[Path]
) -> History:
    """The history with the arrays of its image events; as it is if the study reads none.

    places: folders that `posology ingest` wrote, whose files name the array of each event.
    StudyError if there is nothing to read; RecordError if an array is missing or of another size.
    """
    if not study.profile.images:
        return history
    rows = profile.rows((IMAGE,))
    if not rows:
        raise StudyError(
            f"study {study.name}: [profile] images = true, but no training patient has an event "
            f"{IMAGE}//...; add {IMAGE} to `families`, or remove `images`."
        )
    folders = [place for place in places if (place / IMAGES).is_dir()]
    if not folders:
        named = ", ".join(map(str, places))
        raise StudyError(
            f"study {study.name}: [profile] images = true needs the folder of events whose "
            f"`{IMAGES}/` posology ingest wrote, and {named} has none; ingest with [pixels]."
        )
    parts = [_image_events(folder) for folder in folders]
    shown = _in_order(parts)
    names, name = np.unique(shown["text_value"].to_pylist(), return_inverse=True)
    row_of = vocabulary_rows(profile.codes)
    code = np.array([row_of.get(c, -1) for c in shown["code"].to_pylist()], dtype=np.int64)
    row = match_events(history, rows, (shown["subject_id"].to_numpy(), code, name))
    _check_all_shown(history, rows, row)
    wanted, small = np.unique(row[row >= 0], return_inverse=True)
    named = [set(part["text_value"].to_pylist()) for part in parts]
    frames, offsets = _read_arrays(folders, named, [str(text) for text in names[wanted]])
    row[row >= 0] = small
    return replace(history, images=Images(row, frames, offsets))


def match_events(
    history: History,
    rows: frozenset[int],
    shown: tuple[Int64[np.ndarray, " shown"], Int64[np.ndarray, " shown"], np.ndarray],
) -> Int32[np.ndarray, " event"]:
    """The image of each event of the history, NO_IMAGE where it has none.

    shown: subject, vocabulary row and image of each event of the records, in time order. A history
    may lack the oldest of them (`look_back_days`): the last of a code belongs to the last.
    """
    found = np.full(len(history.code), NO_IMAGE, np.int32)
    event = np.flatnonzero(np.isin(history.code, sorted(rows)))
    step = np.searchsorted(history.event_offsets, event, side="right") - 1
    subject = history.subject_id[np.searchsorted(history.step_offsets, step, side="right") - 1]
    place = _from_last(subject, history.code[event].astype(np.int64))
    known = _from_last(shown[0], shown[1])
    image_of = {key: int(image) for key, image in zip(known, shown[2], strict=True)}
    found[event] = [image_of.get(key, NO_IMAGE) for key in place]
    return found


def _check_all_shown(
    history: History, rows: frozenset[int], row: Int32[np.ndarray, " event"]
) -> None:
    """Raise RecordError if an image event has no array."""
    is_image = np.isin(history.code, sorted(rows))
    lacking = int((is_image & (row == NO_IMAGE)).sum())
    if lacking:
        raise RecordError(
            f"{lacking} of {int(is_image.sum())} image events name no array in the records; "
            "ingest them with [pixels]."
        )


def _from_last(
    subject: Int64[np.ndarray, " event"], code: Int64[np.ndarray, " event"]
) -> list[tuple[int, int, int]]:
    """Subject, code and place among the subject's events of the code, counted from the last."""
    counts: dict[tuple[int, int], int] = {}
    keys = []
    for pair in zip(subject[::-1].tolist(), code[::-1].tolist(), strict=True):
        counts[pair] = counts.get(pair, -1) + 1
        keys.append((*pair, counts[pair]))
    return keys[::-1]


def _image_events(events: Path) -> pa.Table:
    """The events of the folder that name an array."""
    parts = []
    for path in sorted((events / "data").rglob("*.parquet")):
        open_events(path).close()
        wanted = pc.starts_with(pc.field("text_value"), PREFIX)
        parts.append(pq.read_table(path, columns=[*_COLUMNS], filters=wanted))
    return pa.concat_tables(parts)


def _in_order(parts: Sequence[pa.Table]) -> pa.Table:
    """Image events by subject and time, those without one first; one of several folders is one."""
    whole = parts[0]
    if len(parts) > 1:
        joined = pa.concat_tables(parts, promote_options="default")
        whole = joined.group_by([*_COLUMNS], use_threads=False).aggregate([])
    time = whole["time"].cast(pa.timestamp("us")).cast(pa.int64()).fill_null(_NO_TIME)
    return whole.take(np.lexsort((time.to_numpy(), whole["subject_id"].to_numpy())))


def _read_arrays(
    folders: Sequence[Path], named: Sequence[set[str]], names: list[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Frames of all images, and where each image begins; each from a folder that names it."""
    found: dict[str, np.ndarray] = {}
    for folder, own in zip(folders, named, strict=True):
        of_folder = [name for name in names if name in own and name not in found]
        found |= dict(zip(of_folder, read_images(folder, of_folder), strict=True))
    arrays = [found[name] for name in names]
    sizes = {array.shape[1:] for array in arrays}
    if len(sizes) > 1:
        words = " and ".join(f"{a} x {b}" for a, b in sorted(sizes))
        raise RecordError(
            f"{', '.join(map(str, folders))}: has images of {words}; ingest all of them with one "
            "`size` in [pixels]."
        )
    counts = [len(array) for array in arrays]
    frames = np.concatenate(arrays) if arrays else np.zeros((0, 1, 1))
    return frames.astype(np.float16), np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
