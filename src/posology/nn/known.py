"""What is known of a patient at each decision: the last event of every code, however old."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from posology.nn.batch import Batch

YEAR = 365.25


class LastKnown(nn.Module):
    """y(decision) = sum over codes known of E[code] + v V[code] + (years since it was told) S[code]

    v and the time are the last event's; where its step has several, their mean. Linear, so that a
    small effect can be told from little data. One pass: each event is added at its step, taken
    away where its code is told anew, and summed along the patient, in double precision so that
    other patients of the batch change nothing.
    """

    def __init__(self, codes: int, width: int) -> None:
        super().__init__()
        self.code = nn.Parameter(torch.zeros(codes, width))
        self.value = nn.Parameter(torch.zeros(codes, width))
        self.since = nn.Parameter(torch.zeros(codes, width))

    def forward(self, batch: Batch) -> Float[Tensor, "decision width"]:
        """One vector a decision."""
        count, device = batch.gap.shape[0], batch.gap.device
        owner = torch.repeat_interleave(torch.arange(count, device=device), _counts(batch))
        years = torch.expm1(batch.gap[:, 1].double()) / YEAR
        told = torch.nan_to_num(batch.value)
        said = F.embedding(batch.code, self.code) + told[:, None] * F.embedding(
            batch.code, self.value
        )
        ages = F.embedding(batch.code, self.since)
        share = batch.share.double()[:, None]
        added = torch.cat([share * said, share * ages, share * ages * years[owner, None]], 1)
        change = added.new_zeros(count + 1, added.shape[1])
        change = change.index_add(0, owner, added).index_add(0, batch.until, -added)
        total = torch.cumsum(change[:-1], 0)
        first = torch.cumsum(batch.steps, 0) - batch.steps
        before = torch.cat([total.new_zeros(1, total.shape[1]), total])[first]
        last = first[batch.decision_subject] + batch.decision_step
        now = total[last] - before[batch.decision_subject]
        fixed, sinces, moments = now.chunk(3, 1)
        return (fixed + years[last, None] * sinces - moments).float()

    def size(self) -> Float[Tensor, ""]:
        """Sum of the squares of all effects."""
        return self.code.square().sum() + self.value.square().sum() + self.since.square().sum()


def _counts(batch: Batch) -> Tensor:
    ends = torch.cat([batch.event_starts[1:], batch.event_starts.new_tensor([len(batch.code)])])
    return ends - batch.event_starts
