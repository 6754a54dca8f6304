"""What is known of a patient at each decision: the last event of every code, however old."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional as F

from posology.nn.batch import Batch

FADES = 182.6
"""Days in which news grows old by a factor e: what is being taken is told from what once was. Our
choice."""


class LastKnown(nn.Module):
    """y(decision) = sum over codes known of E[code] + v V[code] + exp(-age / half a year) S[code]

    v and the age are the last event's; where its step has several, each counts. Linear, so that a
    small effect can be told from little data. One pass: each event is added at its step, taken
    away where its code is told anew, and summed along the patient, in double precision so that
    other patients of the batch change nothing.
    """

    def __init__(self, codes: int, width: int) -> None:
        super().__init__()
        self.code = nn.Parameter(torch.zeros(codes, width))
        self.value = nn.Parameter(torch.zeros(codes, width))
        self.recent = nn.Parameter(torch.zeros(codes, width))

    def forward(self, batch: Batch) -> Float[Tensor, "decision width"]:
        """One vector a decision."""
        told = torch.nan_to_num(batch.value)[:, None]
        said = F.embedding(batch.code, self.code) + told * F.embedding(batch.code, self.value)
        return latest(batch, said, F.embedding(batch.code, self.recent))

    def size(self) -> Float[Tensor, ""]:
        """Sum of the squares of all effects."""
        return self.code.square().sum() + self.value.square().sum() + self.recent.square().sum()


def latest(
    batch: Batch,
    said: Float[Tensor, "event width"],
    recent: Float[Tensor, "event width"] | None = None,
) -> Float[Tensor, "decision width"]:
    """Sum over the last events of every code of what each says, and of what it says while new."""
    assert batch.replaced is not None
    assert batch.replaced_starts is not None
    count = batch.gap.shape[0]
    new = _owners(batch.event_starts, count, len(batch.code))
    old = _owners(batch.replaced_starts, count, len(batch.replaced))
    told = said.double()
    change = told.new_zeros(count, told.shape[1])
    change = change.index_add(0, new, told).index_add(0, old, -told[batch.replaced])
    total = torch.cumsum(torch.cat([torch.zeros_like(change[:1]), change]), 0)
    first = (torch.cumsum(batch.steps, 0) - batch.steps)[batch.decision_subject]
    last = first + batch.decision_step
    found = total[last + 1] - total[first]
    if recent is not None:
        age = torch.expm1(batch.gap[:, 1].double()) / FADES
        left = torch.exp(age[new[batch.replaced]] - age[old])[:, None]
        fresh = recent.double()
        change = fresh.new_zeros(count, fresh.shape[1]).index_add(0, new, fresh)
        change = change.index_add(0, old, -left * fresh[batch.replaced])
        found = found + _fading(change, age, batch.steps)[last]
    return found.float()


def _fading(
    change: Float[Tensor, "step width"],
    age: Float[Tensor, " step"],
    steps: Int64[Tensor, " subject"],
) -> Float[Tensor, "step width"]:
    """y(step) = exp(age before - age) y(step before) + change(step) along each subject.

    By doubling (Hillis and Steele 1986, doi:10.1145/7902.7903): no factor is above 1, as a sum of
    exp(age) over a life would lose every digit, and its gradient with it.
    """
    kept = torch.exp(torch.cat([age[:1], age[:-1]]) - age)
    kept[torch.cumsum(steps, 0) - steps] = 0.0
    y, left, apart = change, kept[:, None], 1
    while apart < int(steps.max()):
        y = torch.cat([y[:apart], y[apart:] + left[apart:] * y[:-apart]])
        left = torch.cat([torch.zeros_like(left[:apart]), left[apart:] * left[:-apart]])
        apart *= 2
    return y


def _owners(starts: Int64[Tensor, " step"], steps: int, rows: int) -> Int64[Tensor, " row"]:
    """The step of each row, of rows that stand step by step."""
    ends = torch.cat([starts[1:], starts.new_tensor([rows])])
    return torch.repeat_interleave(torch.arange(steps, device=starts.device), ends - starts)
