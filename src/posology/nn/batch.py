"""Histories as flat tensors, and batches gathered from them: each patient once per batch."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from posology.domain.history import History
from posology.domain.images import Images, shown_images
from posology.domain.profile import Profile
from posology.nn.ragged import ragged_range, repeat_each

MIN_COPY_ROWS = 64
"""Mean rows per run above which copying runs beats indexing rows; measured on one machine."""


@dataclass(frozen=True, slots=True, eq=False)
class ImageTensors:
    """The arrays of `Images` as tensors."""

    row: Int64[Tensor, " event"]
    frames: Float[Tensor, "frame row column"]
    offsets: Int64[Tensor, " image_plus_one"]


@dataclass(frozen=True, slots=True, eq=False)
class HistoryTensors:
    """The arrays of a History as tensors on one device, values standardised."""

    code: Int64[Tensor, " event"]
    value: Float[Tensor, " event"]
    """Standardised by the profile; NaN where the event has no value."""
    event_offsets: Int64[Tensor, " step_plus_one"]
    gap: Float[Tensor, "step 2"]
    """log(1 + days) since the previous step and since the subject's first dated step."""
    step_offsets: Int64[Tensor, " subject_plus_one"]
    replaced: Int64[Tensor, " replaced_event"] | None = None
    """Events whose code recurs at a later step, ordered by that later step."""
    replaced_offsets: Int64[Tensor, " step_plus_one"] | None = None
    """Step s replaces the events in rows replaced_offsets[s] to replaced_offsets[s + 1]."""
    running_stats: Float[Tensor, "event 2"] | None = None
    """log(1 + count) and mean value of the event's code up to the end of the event's step; the
    mean is NaN where the code has no value."""
    images: ImageTensors | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Some decisions, with each subject's steps up to the subject's last decision in the batch."""

    code: Int64[Tensor, " event"]
    value: Float[Tensor, " event"]
    event_starts: Int64[Tensor, " step"]
    """First event of each step."""
    gap: Float[Tensor, "step 2"]
    steps: Int64[Tensor, " subject"]
    """Number of steps of each subject."""
    decision_subject: Int64[Tensor, " decision"]
    """Row of the decision's subject, in ascending order."""
    decision_step: Int64[Tensor, " decision"]
    """Position of the last visible step among the subject's steps."""
    replaced: Int64[Tensor, " replaced_event"] | None = None
    """Positions in `code` of the events that each step replaces, ordered by step."""
    replaced_starts: Int64[Tensor, " step"] | None = None
    """First row of `replaced` of each step."""
    running_stats: Float[Tensor, "event 2"] | None = None
    """As in `HistoryTensors`."""
    frames: Float[Tensor, "frame row column"] | None = None
    """Of the images that the events show; None where no event shows one."""
    frame_event: Int64[Tensor, " frame"] | None = None
    """Position in `code` of the event that shows the frame, in ascending order."""
    frame_weight: Float[Tensor, " frame"] | None = None
    """1 / number of frames of the image."""


def history_to_tensors(
    history: History, profile: Profile, device: torch.device, track_codes: bool = False
) -> HistoryTensors:
    """Return the history as tensors, its values standardised by the profile.

    track_codes: also compute which events each step replaces and each code's running statistics.
    """
    value = (history.value - profile.center[history.code]) / profile.spread[history.code]
    replaced, bounds, stats = None, None, None
    if track_codes:
        replaced, bounds = _replaced_events(history, len(profile.codes))
        stats = torch.as_tensor(_running_stats(history, value, len(profile.codes)), device=device)
    return HistoryTensors(
        code=torch.as_tensor(history.code.astype(np.int64), device=device),
        value=torch.as_tensor(value.astype(np.float32), device=device),
        event_offsets=torch.as_tensor(history.event_offsets.astype(np.int64), device=device),
        gap=torch.as_tensor(_time_gaps(history.time, history.step_offsets), device=device),
        step_offsets=torch.as_tensor(history.step_offsets.astype(np.int64), device=device),
        replaced=None if replaced is None else torch.as_tensor(replaced, device=device),
        replaced_offsets=None if bounds is None else torch.as_tensor(bounds, device=device),
        running_stats=stats,
        images=_image_tensors(history.images, device),
    )


def _image_tensors(images: Images | None, device: torch.device) -> ImageTensors | None:
    """The images that events of the history show."""
    if images is None:
        return None
    small = shown_images(images)
    return ImageTensors(
        row=torch.as_tensor(small.row.astype(np.int64), device=device),
        frames=torch.as_tensor(small.frames, device=device),
        offsets=torch.as_tensor(small.offsets, device=device),
    )


def gather_batch(
    source: HistoryTensors,
    subject: Int64[Tensor, " decision"],
    last_step: Int64[Tensor, " decision"],
) -> Batch:
    """Return the batch of the decisions, without any step after the last visible one.

    Consecutive decisions of a subject share the subject's steps.
    subject: row of each decision's subject in `source`; last_step: its last visible step, a row
    of `source.gap`.
    """
    if len(subject) == 1 and source.replaced is None:
        return _gather_one(source, subject, last_step)
    subjects, decision_subject = torch.unique_consecutive(subject, return_inverse=True)
    first = source.step_offsets[subjects]
    position = last_step - first[decision_subject]
    steps = torch.zeros_like(subjects).scatter_reduce_(0, decision_subject, position + 1, "amax")
    # The steps and events of a subject are contiguous, in the source and in the batch.
    starts, ends = source.event_offsets[first], source.event_offsets[first + steps]
    before = torch.cumsum(ends - starts, 0) - (ends - starts)
    moved = repeat_each(before - starts, steps)
    arrays = (source.code, source.value)
    code, value, *stats = _take_runs(
        arrays if source.running_stats is None else (*arrays, source.running_stats), starts, ends
    )
    gap, event_starts = _take_runs((source.gap, source.event_offsets), first, first + steps)
    replaced, replaced_starts = None, None
    if source.replaced is not None and source.replaced_offsets is not None:
        step = ragged_range(first, steps)
        begins = source.replaced_offsets[step]
        counts = source.replaced_offsets[step + 1] - begins
        replaced = source.replaced[ragged_range(begins, counts)]
        replaced = replaced + repeat_each(moved, counts)
        replaced_starts = torch.cumsum(counts, 0) - counts
    shown = {}
    if source.images is not None:
        (image_row,) = _take_runs((source.images.row,), starts, ends)
        shown = _gather_frames(source.images, image_row)
    return Batch(
        code=code,
        value=value,
        event_starts=event_starts.add_(moved),
        gap=gap,
        steps=steps,
        decision_subject=decision_subject,
        decision_step=position,
        replaced=replaced,
        replaced_starts=replaced_starts,
        running_stats=stats[0] if stats else None,
        **shown,
    )


def _gather_one(
    source: HistoryTensors, subject: Int64[Tensor, " 1"], last_step: Int64[Tensor, " 1"]
) -> Batch:
    """Return the batch of a single decision: its events and steps are slices of the source."""
    first, end = int(source.step_offsets[int(subject)]), int(last_step) + 1
    starts = source.event_offsets[first : end + 1]
    events = slice(int(starts[0]), int(starts[-1]))
    images = source.images
    shown = {} if images is None else _gather_frames(images, images.row[events])
    return Batch(
        code=source.code[events],
        value=source.value[events],
        event_starts=starts[:-1] - events.start,
        gap=source.gap[first:end],
        steps=last_step - first + 1,
        decision_subject=torch.zeros_like(subject),
        decision_step=last_step - first,
        **shown,
    )


def _gather_frames(images: ImageTensors, row: Int64[Tensor, " event"]) -> dict[str, Tensor]:
    """The fields of a batch that say what its events show; none if they show nothing."""
    event = torch.nonzero(row >= 0)[:, 0]
    if not len(event):
        return {}
    image = row[event]
    begins = images.offsets[image]
    counts = images.offsets[image + 1] - begins
    return {
        "frames": images.frames.index_select(0, ragged_range(begins, counts)),
        "frame_event": torch.repeat_interleave(event, counts),
        "frame_weight": torch.repeat_interleave(1.0 / counts, counts),
    }


def _take_runs(
    arrays: tuple[Tensor, ...], starts: Int64[Tensor, " run"], ends: Int64[Tensor, " run"]
) -> list[Tensor]:
    """Return the rows of the runs, concatenated; on a CPU long runs are copied as blocks."""
    total = int((ends - starts).sum())
    if starts.device.type != "cpu" or total < MIN_COPY_ROWS * len(starts):
        rows = ragged_range(starts, ends - starts)
        return [array.index_select(0, rows) for array in arrays]
    spans = list(zip(starts.tolist(), ends.tolist(), strict=True))
    return [
        torch.from_numpy(np.concatenate([whole[a:b] for a, b in spans]))
        for whole in (array.numpy() for array in arrays)
    ]


def split_by_budget(cost: Int64[np.ndarray, " row"], max_rows: int, budget: int) -> list[slice]:
    """Split rows into runs of at most `max_rows` rows and at most `budget` total cost.

    A row that costs more than the budget is a run of its own.
    """
    cumulative = np.concatenate([[0], np.cumsum(cost)])
    runs, start = [], 0
    while start < len(cost):
        fits = int(np.searchsorted(cumulative, cumulative[start] + budget, side="right")) - 1
        stop = min(start + max_rows, max(fits, start + 1))
        runs.append(slice(start, stop))
        start = stop
    return runs


def _replaced_events(
    history: History, codes: int
) -> tuple[Int64[np.ndarray, " replaced_event"], Int64[np.ndarray, " step_plus_one"]]:
    """Events whose code the same subject has again at a later step, and offsets by that step."""
    step = np.repeat(np.arange(len(history.time)), np.diff(history.event_offsets))
    subject = np.repeat(np.arange(len(history.subject_id)), np.diff(history.step_offsets))
    key = subject[step] * codes + history.code
    order = np.argsort(key, kind="stable")
    key, when = key[order], step[order]
    opens = np.flatnonzero(np.append(True, (np.diff(key) != 0) | (np.diff(when) != 0)))
    recurs = np.append(key[opens[1:]] == key[opens[:-1]], False)[: len(opens)]
    ends = np.append(opens[1:], len(key))
    after = np.where(recurs, when[np.minimum(ends, len(when) - 1)], -1) if len(when) else opens
    replaced_at = np.repeat(after, ends - opens)
    is_replaced = replaced_at >= 0
    event, at = order[is_replaced], replaced_at[is_replaced]
    by_step = np.lexsort((event, at))
    counts = np.bincount(at, minlength=len(history.time))
    return event[by_step], np.concatenate([[0], np.cumsum(counts)])


def _running_stats(
    history: History, value: Float[np.ndarray, " event"], codes: int
) -> Float[np.ndarray, "event 2"]:
    """log(1 + count) and mean value of each event's code up to the end of the event's step."""
    step = np.repeat(np.arange(len(history.time)), np.diff(history.event_offsets))
    subject = np.repeat(np.arange(len(history.subject_id)), np.diff(history.step_offsets))
    key = subject[step] * codes + history.code
    order = np.argsort(key, kind="stable")
    key, step, has_value = key[order], step[order], ~np.isnan(value[order])
    # Double precision, so that values of other subjects cancel without a trace.
    total = np.append(0.0, np.cumsum(np.where(has_value, value[order].astype(np.float64), 0.0)))
    values = np.append(0, np.cumsum(has_value))
    begins = np.searchsorted(key, key, side="left")
    place = key * (len(history.time) + 1) + step  # ascending in this order of rows
    ends = np.searchsorted(place, place, side="right")
    count = values[ends] - values[begins]
    mean = np.where(count > 0, (total[ends] - total[begins]) / np.maximum(count, 1), np.nan)
    stats = np.empty((len(value), 2), dtype=np.float32)
    stats[order] = np.stack([np.log1p(ends - begins), mean], 1)
    return stats


def _time_gaps(time: np.ndarray, step_offsets: np.ndarray) -> np.ndarray:
    """log(1 + days) since the previous dated step and since the first dated step."""
    gaps = np.zeros((len(time), 2), dtype=np.float32)
    if len(time) == 0:
        return gaps
    first = np.zeros(len(time), dtype=bool)
    starts = step_offsets[:-1]
    first[starts[starts < len(time)]] = True
    subject = np.repeat(np.arange(len(starts)), np.diff(step_offsets))
    dated = ~np.isnan(time)
    since_previous = np.diff(time, prepend=np.nan)
    since_previous[first | ~dated | np.isnan(since_previous)] = 0.0
    earliest = np.full(len(starts), np.inf)
    np.minimum.at(earliest, subject[dated], time[dated])
    since_first = np.where(dated, time - np.where(np.isinf(earliest), 0.0, earliest)[subject], 0.0)
    gaps[:, 0] = np.log1p(np.maximum(since_previous, 0.0))
    gaps[:, 1] = np.log1p(np.maximum(since_first, 0.0))
    return gaps
