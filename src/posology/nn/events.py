"""Events of a step become one vector: the sum of what each event says."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from posology.nn.batch import Batch


class StepEmbedding(nn.Module):
    """x(step) = sum over events of (E[code] + value * V[code]) + W gap.

    Two embedding bags on flat tensors: no loop and no padding. The order of events within a step
    does not matter.
    """

    def __init__(self, codes: int, width: int, dropout: float) -> None:
        super().__init__()
        self.code = nn.Parameter(torch.randn(codes, width) * 0.1)
        self.value = nn.Parameter(torch.randn(codes, width) * 0.1)
        self.gap = nn.Linear(2, width)
        self.dropout = dropout

    def forward(self, batch: Batch) -> Float[Tensor, "step width"]:
        """One vector a step; events are dropped whole, as if not recorded, while training."""
        ones = torch.ones_like(batch.value)
        kept = F.dropout(ones, self.dropout, self.training) if self.dropout else ones
        said = F.embedding_bag(
            batch.code, self.code, batch.event_starts, mode="sum", per_sample_weights=kept
        )
        measured = F.embedding_bag(
            batch.code,
            self.value,
            batch.event_starts,
            mode="sum",
            per_sample_weights=batch.value * kept,
        )
        return said + measured + self.gap(batch.gap)
