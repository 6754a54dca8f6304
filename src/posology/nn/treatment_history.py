"""What earlier courses of each option came to, as far as a decision may know."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from posology.nn.batch import Batch
from posology.nn.last_observation import step_of_row

COLUMNS_PER_TREATMENT = 5
"""Columns an option that `courses` gives."""


@dataclass(frozen=True, slots=True)
class TreatmentCodes:
    """Which codes of the vocabulary tell of courses."""

    option: tuple[int, ...] = ()
    """Of each code, the option whose giving it is; -1 for none."""
    outcome: tuple[int, ...] = ()
    """Codes of the number that tells how effective an option was."""
    stopped: tuple[int, ...] = ()
    """Codes that end a course because it was not tolerated."""


def summarize_treatments(
    batch: Batch, past: TreatmentCodes, options: int
) -> Float[Tensor, "decision column"]:
    """For each option, kind by kind, with n courses begun so far:

    how far the outcome's number fell while it was taken, and what it was when courses began (both
    standardised, summed, over n + 1); stops, and n itself, over n + 1; and whether it is being
    taken. Over n + 1, so that one noisy course says less than many alike.
    """
    steps, device = len(batch.gap), batch.gap.device
    first = torch.repeat_interleave(torch.cumsum(batch.steps, 0) - batch.steps, batch.steps)
    step = step_of_row(batch.event_starts, steps, len(batch.code))
    none = torch.full((steps,), -1, device=device)
    option = torch.tensor(past.option, dtype=torch.int64, device=device)[batch.code]
    given = none.scatter_reduce(0, step, option, "amax")
    taken = _at(given, _latest(given >= 0, first), -1.0).long()
    told, number = _number(batch, step, past.outcome)
    level = _at(number, _latest(told, first), 0.0)
    rows = torch.arange(steps, device=device)
    follows = rows > first
    before = torch.where(follows, torch.roll(taken, 1), -1)
    known = torch.roll(_latest(told, first) >= 0, 1) & follows & told
    fall = torch.where(known, torch.roll(level, 1) - number, 0.0)
    stops = torch.zeros_like(number).index_add(0, step, _among(batch.code, past.stopped))
    one = torch.eye(options + 1, dtype=torch.float64, device=device)[:, :options]
    during, begun = one[before], one[given]
    parts = (during * fall[:, None], begun * level[:, None], during * stops[:, None], begun)
    total = torch.cumsum(
        torch.cat([torch.zeros_like(one[:1].repeat(1, 4)), torch.cat(parts, 1)]), 0
    )
    opens = (torch.cumsum(batch.steps, 0) - batch.steps)[batch.decision_subject]
    last = opens + batch.decision_step
    sums = (total[last + 1] - total[opens]).reshape(len(last), 4, options)
    so_far = sums / (sums[:, 3:] + 1)
    return torch.cat([so_far.flatten(1), one[taken[last]]], 1)


def _number(
    batch: Batch, step: Int64[Tensor, " event"], codes: tuple[int, ...]
) -> tuple[Bool[Tensor, " step"], Float[Tensor, " step"]]:
    """Whether the outcome's number is told at each step, and its mean there."""
    nothing = torch.zeros(len(batch.gap), dtype=torch.float64, device=batch.gap.device)
    there = _among(batch.code, codes) * ~batch.value.isnan()
    count = nothing.index_add(0, step, there)
    total = nothing.index_add(0, step, there * torch.nan_to_num(batch.value.double()))
    return count > 0, total / count.clamp_min(1)


def _among(code: Int64[Tensor, " event"], codes: tuple[int, ...]) -> Float[Tensor, " event"]:
    return torch.isin(code, torch.tensor(codes, dtype=torch.int64, device=code.device)).double()


def _at(said: Tensor, step: Int64[Tensor, " step"], otherwise: float) -> Float[Tensor, " step"]:
    """What was said at each of these steps; `otherwise` for step -1."""
    if len(said) == 0:
        return said
    return torch.where(step >= 0, said[step.clamp_min(0)], otherwise)


def _latest(there: Bool[Tensor, " step"], first: Int64[Tensor, " step"]) -> Int64[Tensor, " step"]:
    """The last step so far of the same subject at which it was there; -1 where none was."""
    at = torch.where(there, torch.arange(len(there), device=there.device), -1)
    latest = torch.cummax(at, 0).values if len(at) else at
    return torch.where(latest >= first, latest, -1)
