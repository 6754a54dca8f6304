"""Random histories and batches for tests of `posology.nn`."""

import numpy as np
import torch

from posology.domain.history import History, offsets_from_counts
from posology.domain.profile import Profile
from posology.nn.batch import Batch, gather_batch, history_to_tensors
from posology.nn.network import Network

CPU = torch.device("cpu")
FEW_CODES = 4
"""Vocabulary of `history_with_gaps`."""


def random_history(steps: list[int], events: int = 3, codes: int = 11, seed: int = 0) -> History:
    """A history of subjects with these numbers of steps; the first step has no date."""
    rng = np.random.default_rng(seed)
    total = sum(steps)
    counts = rng.integers(0, 2 * events, total).astype(np.int64)
    time = np.concatenate([[np.nan, *np.cumsum(rng.exponential(30, n - 1))] for n in steps])
    size = int(counts.sum())
    value = rng.normal(size=size).astype(np.float32)
    value[rng.random(size) < 0.5] = np.nan
    return History(
        code=rng.integers(0, codes, size).astype(np.int32),
        value=value,
        event_offsets=offsets_from_counts(counts),
        time=time,
        step_offsets=offsets_from_counts(np.array(steps, dtype=np.int64)),
        subject_id=np.arange(len(steps), dtype=np.int64),
    )


def history_with_gaps(seed: int, subjects: int) -> History:
    """A history of 1 to 6 steps a subject, some without events, over `FEW_CODES` codes."""
    rng = np.random.default_rng(seed)
    steps = rng.integers(1, 7, subjects)
    events = rng.integers(0, 5, steps.sum())
    time = np.concatenate([np.append(np.nan, np.sort(rng.uniform(0, 900, n - 1))) for n in steps])
    count = int(events.sum())
    value = np.where(rng.random(count) < 0.3, np.nan, rng.normal(size=count))
    return History(
        code=rng.integers(0, FEW_CODES, count).astype(np.int32),
        value=value.astype(np.float32),
        event_offsets=offsets_from_counts(events.astype(np.int64)),
        time=time,
        step_offsets=offsets_from_counts(steps.astype(np.int64)),
        subject_id=np.arange(subjects, dtype=np.int64),
    )


def unit_profile(codes: int = 11) -> Profile:
    """A profile that leaves values as they are."""
    names = tuple(f"C//{i}" for i in range(codes))
    return Profile(names, np.zeros(codes, np.float32), np.ones(codes, np.float32))


def batch_of_last_steps(
    history: History, last: np.ndarray, codes: int = FEW_CODES, track_codes: bool = True
) -> Batch:
    """One decision at each of these steps, in ascending order."""
    subject = np.searchsorted(history.step_offsets, last, side="right") - 1
    source = history_to_tensors(history, unit_profile(codes), CPU, track_codes)
    return gather_batch(source, torch.from_numpy(subject), torch.from_numpy(last))


def batch_without_events(steps: torch.Tensor, subject: list[int], last: list[int]) -> Batch:
    """A batch of subjects with these numbers of steps; last: position of the last visible step."""
    total = int(steps.sum())
    nothing = torch.zeros(0)
    return Batch(
        code=nothing.long(),
        value=nothing,
        event_starts=torch.zeros(total).long(),
        gap=torch.zeros(total, 2),
        steps=steps,
        decision_subject=torch.tensor(subject),
        decision_step=torch.tensor(last),
    )


def effectiveness_logits(
    network: Network, history: History, subject: list[int], step: list[int]
) -> torch.Tensor:
    """Logits at a step of each subject."""
    source = history_to_tensors(history, unit_profile(), CPU)
    starts = history.step_offsets
    last = torch.tensor([int(starts[i]) + s for i, s in zip(subject, step, strict=True)])
    with torch.no_grad():
        return network(gather_batch(source, torch.tensor(subject), last)).effectiveness
