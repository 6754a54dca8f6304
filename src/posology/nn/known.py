"""What is known of a patient at each decision: the last event of every code, however old."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional as F

from posology.nn.batch import Batch

FADES = 182.6
"""Days in which news grows old by a factor e: what is being taken is told from what once was. Our
choice."""


DECADE = 3652.5
"""Days. What began long ago is told by how long ago: the patient's age, a disease's duration."""


class LastKnown(nn.Module):
    """y(decision) = sum over codes known of
    E[code] + v V[code] + exp(-age / half a year) S[code] + age / decade L[code]

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
        self.long = nn.Parameter(torch.zeros(codes, width))

    def forward(self, batch: Batch) -> Float[Tensor, "decision width"]:
        """One vector a decision."""
        assert batch.replaced is not None
        assert batch.replaced_starts is not None
        count = batch.gap.shape[0]
        new = owners(batch.event_starts, count, len(batch.code))
        old = owners(batch.replaced_starts, count, len(batch.replaced))
        day = torch.expm1(batch.gap[:, 1].double())
        age, decades = day / FADES, day / DECADE
        told = torch.nan_to_num(batch.value)[:, None]
        said = F.embedding(batch.code, self.code) + told * F.embedding(batch.code, self.value)
        recent = F.embedding(batch.code, self.recent).double() * torch.exp(age)[new, None]
        long = F.embedding(batch.code, self.long).double()
        said = said.double() - long * decades[new, None]
        added = torch.cat([said, recent, long], 1)
        change = added.new_zeros(count, added.shape[1])
        change = change.index_add(0, new, added).index_add(0, old, -added[batch.replaced])
        total = torch.cumsum(torch.cat([torch.zeros_like(change[:1]), change]), 0)
        first = (torch.cumsum(batch.steps, 0) - batch.steps)[batch.decision_subject]
        last = first + batch.decision_step
        fixed, fading, growing = (total[last + 1] - total[first]).chunk(3, 1)
        now = torch.exp(-age)[last, None] * fading + decades[last, None] * growing
        return (fixed + now).float()

    def size(self) -> Float[Tensor, ""]:
        """Sum of the squares of all effects."""
        return torch.stack([part.square().sum() for part in self.parameters()]).sum()


def columns(batch: Batch, codes: int) -> Float[Tensor, "decision column"]:
    """What a LastKnown weighs, itself: presence, number, recency and age of every code, in order.

    Memory grows with the vocabulary.
    """
    assert batch.replaced is not None
    assert batch.replaced_starts is not None
    steps = batch.gap.shape[0]
    new = owners(batch.event_starts, steps, len(batch.code))
    old = owners(batch.replaced_starts, steps, len(batch.replaced))
    day = torch.expm1(batch.gap[:, 1].double())
    told = torch.nan_to_num(batch.value.double())
    said = (torch.ones_like(told), told, torch.exp(day / FADES)[new], -day[new] / DECADE)
    place = torch.cat([new * codes + batch.code, old * codes + batch.code[batch.replaced]])
    first = (torch.cumsum(batch.steps, 0) - batch.steps)[batch.decision_subject]
    last = first + batch.decision_step

    def known(amount: Tensor) -> Tensor:
        change = amount.new_zeros((steps + 1) * codes)
        change.index_add_(0, place + codes, torch.cat([amount, -amount[batch.replaced]]))
        total = torch.cumsum(change.view(steps + 1, codes), 0)
        return total[last + 1] - total[first]

    present, number, fading, growing = map(known, said)
    recent = torch.exp(-day[last, None] / FADES) * fading
    return torch.cat([present, number, recent, growing + day[last, None] / DECADE * present], 1)


def owners(starts: Int64[Tensor, " step"], steps: int, rows: int) -> Int64[Tensor, " row"]:
    """The step of each row, of rows that stand step by step."""
    ends = torch.cat([starts[1:], starts.new_tensor([rows])])
    return torch.repeat_interleave(torch.arange(steps, device=starts.device), ends - starts)
