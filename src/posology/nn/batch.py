"""A batch is a gather on flat tensors: each patient once, however many decisions they have."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from posology.domain.history import History
from posology.domain.profile import Profile
from posology.nn.ragged import ragged_range


@dataclass(frozen=True, slots=True, eq=False)
class Resident:
    """A History's arrays as tensors on one device, its numbers standardised."""

    code: Int64[Tensor, " event"]
    value: Float[Tensor, " event"]
    """Standardised by the profile; NaN where the event has no number."""
    event_offsets: Int64[Tensor, " step_plus_one"]
    gap: Float[Tensor, "step 2"]
    """log(1 + days) since the previous step and since the subject's first dated one."""
    step_offsets: Int64[Tensor, " subject_plus_one"]
    until: Int64[Tensor, " event"]
    """Row of the step at which the subject's next event of the same code stands; past the
    subject's last step where none does."""
    share: Float[Tensor, " event"]
    """1 over how many events of the same code its step has."""


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Some decisions, with the steps of their subjects up to each subject's last decision here."""

    code: Int64[Tensor, " event"]
    value: Float[Tensor, " event"]
    event_starts: Int64[Tensor, " step"]
    """First event of each step."""
    until: Int64[Tensor, " event"]
    """Row of the step here that tells the same code anew; past the last step where none does."""
    share: Float[Tensor, " event"]
    gap: Float[Tensor, "step 2"]
    steps: Int64[Tensor, " subject"]
    """How many steps each subject has here."""
    decision_subject: Int64[Tensor, " decision"]
    decision_step: Int64[Tensor, " decision"]
    """Position of the last visible step among its subject's steps."""


def resident(history: History, profile: Profile, device: torch.device) -> Resident:
    """A History ready to gather from, its numbers standardised by the profile."""
    value = (history.value - profile.center[history.code]) / profile.spread[history.code]
    until, share = _told_anew(history)
    return Resident(
        code=torch.as_tensor(history.code.astype(np.int64), device=device),
        value=torch.as_tensor(value.astype(np.float32), device=device),
        event_offsets=torch.as_tensor(history.event_offsets.astype(np.int64), device=device),
        gap=torch.as_tensor(_gaps(history.time, history.step_offsets), device=device),
        step_offsets=torch.as_tensor(history.step_offsets.astype(np.int64), device=device),
        until=torch.as_tensor(until, device=device),
        share=torch.as_tensor(share, device=device),
    )


def gather(
    source: Resident, subject: Int64[Tensor, " decision"], last_step: Int64[Tensor, " decision"]
) -> Batch:
    """The decisions' batch.

    subject: row of each decision's subject; last_step: its last visible step, a row of `gap`.
    Nothing after a subject's last visible step is gathered.
    """
    subjects, decision_subject = torch.unique(subject, return_inverse=True)
    first = source.step_offsets[subjects]
    position = last_step - first[decision_subject]
    steps = torch.zeros_like(subjects).scatter_reduce_(0, decision_subject, position + 1, "amax")
    step = ragged_range(first, steps)
    starts = source.event_offsets[step]
    counts = source.event_offsets[step + 1] - starts
    event = ragged_range(starts, counts)
    # A step's row there becomes its row here; what is told anew later than is seen, never is.
    run = torch.repeat_interleave(torch.arange(len(steps), device=steps.device), steps)
    own = run.repeat_interleave(counts)
    opens = torch.cumsum(steps, 0) - steps
    position_anew = source.until[event] - first[own]
    until = torch.where(position_anew < steps[own], position_anew + opens[own], len(step))
    return Batch(
        code=source.code[event],
        value=source.value[event],
        event_starts=torch.cumsum(counts, 0) - counts,
        until=until,
        share=source.share[event],
        gap=source.gap[step],
        steps=steps,
        decision_subject=decision_subject,
        decision_step=position,
    )


def cut(cost: Int64[np.ndarray, " row"], most: int, budget: int) -> list[slice]:
    """Runs of rows, each of at most `most` rows that together cost at most `budget`.

    A row that costs more stands alone.
    """
    spent = np.concatenate([[0], np.cumsum(cost)])
    runs, start = [], 0
    while start < len(cost):
        fits = int(np.searchsorted(spent, spent[start] + budget, side="right")) - 1
        stop = min(start + most, max(fits, start + 1))
        runs.append(slice(start, stop))
        start = stop
    return runs


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


def _told_anew(history: History) -> tuple[np.ndarray, np.ndarray]:
    """`until` and `share` of every event."""
    steps, codes = len(history.time), int(history.code.max(initial=0)) + 1
    step = np.repeat(np.arange(steps), np.diff(history.event_offsets))
    subject = np.searchsorted(history.step_offsets, step, side="right") - 1
    key = subject * codes + history.code
    order = np.lexsort((step, key))
    same = key[order][1:] == key[order][:-1]
    opens = np.append(True, ~same | (np.diff(step[order]) > 0))[: len(order)]
    group = np.cumsum(opens) - 1
    starts = np.flatnonzero(opens)
    # The next group's step, where that is the same subject's same code.
    after = np.full(len(starts), steps, dtype=np.int64)
    if len(starts) > 1:
        follows = key[order][starts[1:]] == key[order][starts[:-1]]
        after[:-1][follows] = step[order][starts[1:]][follows]
    until = np.empty(len(order), np.int64)
    share = np.empty(len(order), np.float32)
    until[order] = after[group]
    share[order] = 1.0 / np.bincount(group)[group]
    return until, share
