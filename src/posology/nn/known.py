"""What is known of a patient at each decision: the last event of every code, however old."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from posology.nn.batch import Batch

FADES = 182.6
"""Days in which news grows old by a factor e: what is being taken is told from what once was. Our
choice."""


class LastKnown(nn.Module):
    """y(decision) = sum over codes known of E[code] + v V[code] + exp(-age / half a year) S[code]

    v and the age are the last event's; where its step has several, their mean. Linear, so that a
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
        count, device = batch.gap.shape[0], batch.gap.device
        owner = torch.repeat_interleave(torch.arange(count, device=device), _counts(batch))
        age = torch.expm1(batch.gap[:, 1].double()) / FADES
        told = torch.nan_to_num(batch.value)
        said = F.embedding(batch.code, self.code) + told[:, None] * F.embedding(
            batch.code, self.value
        )
        ages = F.embedding(batch.code, self.recent)
        share = batch.share.double()[:, None]
        added = torch.cat([share * said, share * ages * torch.exp(age)[owner, None]], 1)
        change = added.new_zeros(count + 1, added.shape[1])
        change = change.index_add(0, owner, added).index_add(0, batch.until, -added)
        total = torch.cumsum(change[:-1], 0)
        first = torch.cumsum(batch.steps, 0) - batch.steps
        before = torch.cat([total.new_zeros(1, total.shape[1]), total])[first]
        last = first[batch.decision_subject] + batch.decision_step
        now = total[last] - before[batch.decision_subject]
        fixed, fading = now.chunk(2, 1)
        return (fixed + torch.exp(-age)[last, None] * fading).float()

    def size(self) -> Float[Tensor, ""]:
        """Sum of the squares of all effects."""
        return self.code.square().sum() + self.value.square().sum() + self.recent.square().sum()


def _counts(batch: Batch) -> Tensor:
    ends = torch.cat([batch.event_starts[1:], batch.event_starts.new_tensor([len(batch.code)])])
    return ends - batch.event_starts
