"""Results of earlier courses of each treatment, up to each decision."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from posology.nn.batch import Batch
from posology.nn.ragged import step_of_row

COLUMNS_PER_TREATMENT = 5
"""Columns per treatment of `summarize_treatments`."""


@dataclass(frozen=True, slots=True)
class TreatmentCodes:
    """Codes of the vocabulary that describe courses of treatment."""

    option: tuple[int, ...] = ()
    """For each code, the row of the treatment that it records; -1 for none."""
    outcome: tuple[int, ...] = ()
    """Codes of the number that measures the treatment's effect."""
    stopped: tuple[int, ...] = ()
    """Codes that end a course because it was not tolerated."""


def summarize_treatments(
    batch: Batch, codes: TreatmentCodes, treatments: int
) -> Float[Tensor, "decision column"]:
    """Return five columns per treatment, column by column, with n courses started so far.

    (1) The fall of the outcome's number during the courses and (2) its level at their start, both
    standardised and summed; (3) stops; (4) n itself: each divided by n + 1, so that one noisy
    course weighs less than several consistent ones. (5) Whether the treatment is current.
    """
    steps, device = len(batch.gap), batch.gap.device
    first = torch.repeat_interleave(torch.cumsum(batch.steps, 0) - batch.steps, batch.steps)
    step = step_of_row(batch.event_starts, steps, len(batch.code))
    none = torch.full((steps,), -1, device=device)
    option = torch.tensor(codes.option, dtype=torch.int64, device=device)[batch.code]
    started = none.scatter_reduce(0, step, option, "amax")
    current = _value_at(started, _latest_step(started >= 0, first), -1.0).long()
    measured, number = _outcome_number(batch, step, codes.outcome)
    level = _value_at(number, _latest_step(measured, first), 0.0)
    rows = torch.arange(steps, device=device)
    follows = rows > first
    before = torch.where(follows, torch.roll(current, 1), -1)
    comparable = torch.roll(_latest_step(measured, first) >= 0, 1) & follows & measured
    fall = torch.where(comparable, torch.roll(level, 1) - number, 0.0)
    stops = torch.zeros_like(number).index_add(0, step, _is_in(batch.code, codes.stopped))
    one = torch.eye(treatments + 1, dtype=torch.float64, device=device)[:, :treatments]
    during, begun = one[before], one[started]
    parts = (during * fall[:, None], begun * level[:, None], during * stops[:, None], begun)
    total = torch.cumsum(
        torch.cat([torch.zeros_like(one[:1].repeat(1, 4)), torch.cat(parts, 1)]), 0
    )
    opens = (torch.cumsum(batch.steps, 0) - batch.steps)[batch.decision_subject]
    last = opens + batch.decision_step
    sums = (total[last + 1] - total[opens]).reshape(len(last), 4, treatments)
    shares = sums / (sums[:, 3:] + 1)
    return torch.cat([shares.flatten(1), one[current[last]]], 1)


def _outcome_number(
    batch: Batch, step: Int64[Tensor, " event"], codes: tuple[int, ...]
) -> tuple[Bool[Tensor, " step"], Float[Tensor, " step"]]:
    """Whether the outcome's number is measured at each step, and its mean there."""
    zero = torch.zeros(len(batch.gap), dtype=torch.float64, device=batch.gap.device)
    measured = _is_in(batch.code, codes) * ~batch.value.isnan()
    count = zero.index_add(0, step, measured)
    total = zero.index_add(0, step, measured * torch.nan_to_num(batch.value.double()))
    return count > 0, total / count.clamp_min(1)


def _is_in(code: Int64[Tensor, " event"], codes: tuple[int, ...]) -> Float[Tensor, " event"]:
    return torch.isin(code, torch.tensor(codes, dtype=torch.int64, device=code.device)).double()


def _value_at(
    values: Tensor, step: Int64[Tensor, " step"], default: float
) -> Float[Tensor, " step"]:
    """The value at each of these steps; `default` for step -1."""
    if len(values) == 0:
        return values
    return torch.where(step >= 0, values[step.clamp_min(0)], default)


def _latest_step(
    mask: Bool[Tensor, " step"], first: Int64[Tensor, " step"]
) -> Int64[Tensor, " step"]:
    """The subject's latest step so far where the mask is True; -1 where there is none."""
    at = torch.where(mask, torch.arange(len(mask), device=mask.device), -1)
    latest = torch.cummax(at, 0).values if len(at) else at
    return torch.where(latest >= first, latest, -1)
