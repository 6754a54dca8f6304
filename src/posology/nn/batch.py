"""A batch is a gather on flat tensors: each patient once, however many decisions they have."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from posology.domain.history import History
from posology.domain.profile import Profile
from posology.nn.ragged import ragged_range, repeat_each

MIN_COPY_ROWS = 64
"""Rows a run from which copying each run is faster than an index a row; measured on one machine."""


@dataclass(frozen=True, slots=True, eq=False)
class HistoryTensors:
    """A History's arrays as tensors on one device, its numbers standardised."""

    code: Int64[Tensor, " event"]
    value: Float[Tensor, " event"]
    """Standardised by the profile; NaN where the event has no number."""
    event_offsets: Int64[Tensor, " step_plus_one"]
    gap: Float[Tensor, "step 2"]
    """log(1 + days) since the previous step and since the subject's first dated one."""
    step_offsets: Int64[Tensor, " subject_plus_one"]
    replaced: Int64[Tensor, " replaced_event"] | None = None
    """Events whose code comes again later, in order of the step at which it does."""
    replaced_offsets: Int64[Tensor, " step_plus_one"] | None = None
    """Those replaced at step s are rows replaced_offsets[s] to replaced_offsets[s + 1]."""
    running_stats: Float[Tensor, "event 2"] | None = None
    """Of the event's code, to the end of the event's step: log(1 + how often it came), and the mean
    of its numbers, NaN where it had none."""


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Some decisions, with the steps of their subjects up to each subject's last decision here."""

    code: Int64[Tensor, " event"]
    value: Float[Tensor, " event"]
    event_starts: Int64[Tensor, " step"]
    """First event of each step."""
    gap: Float[Tensor, "step 2"]
    steps: Int64[Tensor, " subject"]
    """How many steps each subject has here."""
    decision_subject: Int64[Tensor, " decision"]
    """Never falls."""
    decision_step: Int64[Tensor, " decision"]
    """Position of the last visible step among its subject's steps."""
    replaced: Int64[Tensor, " replaced_event"] | None = None
    """Positions in `code` of the events that each step replaces, step by step."""
    replaced_starts: Int64[Tensor, " step"] | None = None
    """First of `replaced` of each step."""
    running_stats: Float[Tensor, "event 2"] | None = None
    """See `Resident`."""


def history_to_tensors(
    history: History, profile: Profile, device: torch.device, track_codes: bool = False
) -> HistoryTensors:
    """A History ready to gather from, its numbers standardised by the profile.

    carried: whether batches are to say which events each step replaces, and what each event's
    code said so far.
    """
    value = (history.value - profile.center[history.code]) / profile.spread[history.code]
    replaced, bounds, so_far = None, None, None
    if track_codes:
        replaced, bounds = _replaced(history, len(profile.codes))
        so_far = torch.as_tensor(_so_far(history, value, len(profile.codes)), device=device)
    return HistoryTensors(
        code=torch.as_tensor(history.code.astype(np.int64), device=device),
        value=torch.as_tensor(value.astype(np.float32), device=device),
        event_offsets=torch.as_tensor(history.event_offsets.astype(np.int64), device=device),
        gap=torch.as_tensor(_gaps(history.time, history.step_offsets), device=device),
        step_offsets=torch.as_tensor(history.step_offsets.astype(np.int64), device=device),
        replaced=None if replaced is None else torch.as_tensor(replaced, device=device),
        replaced_offsets=None if bounds is None else torch.as_tensor(bounds, device=device),
        running_stats=so_far,
    )


def gather_batch(
    source: HistoryTensors,
    subject: Int64[Tensor, " decision"],
    last_step: Int64[Tensor, " decision"],
) -> Batch:
    """The decisions' batch.

    subject: row of each decision's subject; last_step: its last visible step, a row of `gap`.
    Nothing after a subject's last visible step is gathered. Decisions that follow one another
    share their subject's steps.
    """
    subjects, decision_subject = torch.unique_consecutive(subject, return_inverse=True)
    first = source.step_offsets[subjects]
    position = last_step - first[decision_subject]
    steps = torch.zeros_like(subjects).scatter_reduce_(0, decision_subject, position + 1, "amax")
    # A subject's steps and events stand together, in the source as in the batch.
    starts, ends = source.event_offsets[first], source.event_offsets[first + steps]
    before = torch.cumsum(ends - starts, 0) - (ends - starts)
    moved = repeat_each(before - starts, steps)
    arrays = (source.code, source.value)
    code, value, *so_far = _runs(
        arrays if source.running_stats is None else (*arrays, source.running_stats), starts, ends
    )
    gap, event_starts = _runs((source.gap, source.event_offsets), first, first + steps)
    replaced, replaced_starts = None, None
    if source.replaced is not None and source.replaced_offsets is not None:
        step = ragged_range(first, steps)
        begins = source.replaced_offsets[step]
        gone = source.replaced_offsets[step + 1] - begins
        replaced = source.replaced[ragged_range(begins, gone)]
        replaced = replaced + repeat_each(moved, gone)
        replaced_starts = torch.cumsum(gone, 0) - gone
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
        running_stats=so_far[0] if so_far else None,
    )


def _runs(
    arrays: tuple[Tensor, ...], starts: Int64[Tensor, " run"], ends: Int64[Tensor, " run"]
) -> list[Tensor]:
    """Runs of the arrays' rows, one after the other; on a CPU long ones are copied as they lie."""
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
    """Runs of rows, each of at most `most` rows that together cost at most `budget`.

    A row that costs more stands alone.
    """
    spent = np.concatenate([[0], np.cumsum(cost)])
    runs, start = [], 0
    while start < len(cost):
        fits = int(np.searchsorted(spent, spent[start] + budget, side="right")) - 1
        stop = min(start + max_rows, max(fits, start + 1))
        runs.append(slice(start, stop))
        start = stop
    return runs


def _replaced(
    history: History, codes: int
) -> tuple[Int64[np.ndarray, " replaced_event"], Int64[np.ndarray, " step_plus_one"]]:
    """Events whose code the same subject has again at a later step, by that step."""
    step = np.repeat(np.arange(len(history.time)), np.diff(history.event_offsets))
    owner = np.repeat(np.arange(len(history.subject_id)), np.diff(history.step_offsets))
    key = owner[step] * codes + history.code
    order = np.argsort(key, kind="stable")
    key, when = key[order], step[order]
    opens = np.flatnonzero(np.append(True, (np.diff(key) != 0) | (np.diff(when) != 0)))
    again = np.append(key[opens[1:]] == key[opens[:-1]], False)[: len(opens)]
    ends = np.append(opens[1:], len(key))
    after = np.where(again, when[np.minimum(ends, len(when) - 1)], -1) if len(when) else opens
    replaced_at = np.repeat(after, ends - opens)
    kept = replaced_at >= 0
    event, at = order[kept], replaced_at[kept]
    by_step = np.lexsort((event, at))
    counts = np.bincount(at, minlength=len(history.time))
    return event[by_step], np.concatenate([[0], np.cumsum(counts)])


def _so_far(
    history: History, value: Float[np.ndarray, " event"], codes: int
) -> Float[np.ndarray, "event 2"]:
    """Of each event's code: log(1 + how often it came) and the mean of its numbers, to the end of
    the event's step."""
    step = np.repeat(np.arange(len(history.time)), np.diff(history.event_offsets))
    owner = np.repeat(np.arange(len(history.subject_id)), np.diff(history.step_offsets))
    key = owner[step] * codes + history.code
    order = np.argsort(key, kind="stable")
    key, step, known = key[order], step[order], ~np.isnan(value[order])
    # In double, as what other subjects' numbers added must leave no trace.
    total = np.append(0.0, np.cumsum(np.where(known, value[order].astype(np.float64), 0.0)))
    numbers = np.append(0, np.cumsum(known))
    begins = np.searchsorted(key, key, side="left")
    place = key * (len(history.time) + 1) + step  # rows stand in order of it
    ends = np.searchsorted(place, place, side="right")
    valued = numbers[ends] - numbers[begins]
    mean = np.where(valued > 0, (total[ends] - total[begins]) / np.maximum(valued, 1), np.nan)
    so_far = np.empty((len(value), 2), dtype=np.float32)
    so_far[order] = np.stack([np.log1p(ends - begins), mean], 1)
    return so_far


def _gaps(time: np.ndarray, step_offsets: np.ndarray) -> np.ndarray:
    """Days since the previous dated step and since the first dated one, as log(1 + days)."""
    gaps = np.zeros((len(time), 2), dtype=np.float32)
    if len(time) == 0:
        return gaps
    first = np.zeros(len(time), dtype=bool)
    starts = step_offsets[:-1]
    first[starts[starts < len(time)]] = True
    owner = np.repeat(np.arange(len(starts)), np.diff(step_offsets))
    dated = ~np.isnan(time)
    since_previous = np.diff(time, prepend=np.nan)
    since_previous[first | ~dated | np.isnan(since_previous)] = 0.0
    earliest = np.full(len(starts), np.inf)
    np.minimum.at(earliest, owner[dated], time[dated])
    since_first = np.where(dated, time - np.where(np.isinf(earliest), 0.0, earliest)[owner], 0.0)
    gaps[:, 0] = np.log1p(np.maximum(since_previous, 0.0))
    gaps[:, 1] = np.log1p(np.maximum(since_first, 0.0))
    return gaps
