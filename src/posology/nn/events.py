"""Events of a step become one vector: the sum of what each event says."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional as F

from posology.nn.batch import Batch

KNOTS = (-0.7, 0.0, 0.7)
"""Where a number's effect may bend, in standard deviations from the training mean: about the
quartiles and the middle of a normal distribution. Our choice, by cross-validation on IWPC."""


class StepEmbedding(nn.Module):
    """x(step) = W gap + sum over events of E[code] + v V[code] + sum_k max(v - knot_k, 0) U_k[code]

    Embedding bags on flat tensors: no loop and no padding. A number acts piecewise linearly, as in
    Gorishniy et al. 2022 (arXiv:2203.05556, section 3.2). Order within a step does not matter.
    """

    def __init__(self, codes: int, width: int, dropout: float) -> None:
        super().__init__()
        self.code = nn.Parameter(torch.randn(codes, width) * 0.1)
        self.value = nn.Parameter(torch.randn(codes, width) * 0.1)
        self.bends = nn.Parameter(torch.randn(len(KNOTS), codes, width) * 0.03)
        self.gap = nn.Linear(2, width)
        self.dropout = dropout

    def forward(self, batch: Batch) -> Float[Tensor, "step width"]:
        """One vector a step; events are dropped whole, as if not recorded, while training."""
        kept = F.dropout(torch.ones_like(batch.value), self.dropout, self.training)
        x = self.gap(batch.gap) + _sum(self.code, batch.code, batch.event_starts, kept)
        row = torch.nonzero(~batch.value.isnan())[:, 0]
        if len(row) == 0:
            return x
        v, code, kept = batch.value[row], batch.code[row], kept[row]
        starts = torch.searchsorted(row, batch.event_starts)
        x = x + _sum(self.value, code, starts, v * kept)
        for knot, bend in zip(KNOTS, self.bends, strict=True):
            x = x + _sum(bend, code, starts, torch.relu(v - knot) * kept)
        return x


def _sum(
    table: Float[Tensor, "code width"],
    code: Int64[Tensor, " event"],
    starts: Int64[Tensor, " step"],
    weight: Float[Tensor, " event"],
) -> Float[Tensor, "step width"]:
    """Weighted sum of the table's rows over each step's events."""
    return F.embedding_bag(code, table, starts, mode="sum", per_sample_weights=weight)
