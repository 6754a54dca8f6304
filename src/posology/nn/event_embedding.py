"""Events of a step become one vector: the sum of what each event says."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional as F

from posology.nn.batch import Batch
from posology.nn.embedding_bags import sum_embeddings

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

    def event_weights(self, batch: Batch) -> Float[Tensor, " event"]:
        """What each event counts for: while training some are dropped, as if not recorded."""
        return F.dropout(torch.ones_like(batch.value), self.dropout, self.training)

    def forward(self, batch: Batch, kept: Float[Tensor, " event"]) -> Float[Tensor, "step width"]:
        """One vector a step."""
        return self._said(self.gap(batch.gap), (batch.code, batch.value, kept), batch.event_starts)

    def summarize_history(
        self, x: Float[Tensor, "step width"], batch: Batch, kept: Float[Tensor, " event"]
    ) -> Float[Tensor, "step two_widths"]:
        """What is known by each step: the sum of the last events of every code so far, and the
        mean over the steps so far of all events.

        Linear in events: each step adds its own and takes away those that its codes replace.
        """
        assert batch.replaced is not None
        assert batch.replaced_starts is not None
        new = x - self.gap(batch.gap)
        rows = batch.replaced
        gone = (batch.code[rows], batch.value[rows], kept[rows])
        old = self._said(torch.zeros_like(x), gone, batch.replaced_starts)
        last = torch.cumsum(batch.steps, 0)
        first = torch.repeat_interleave(last - batch.steps, batch.steps)
        count = torch.arange(1, len(x) + 1, device=x.device) - first
        # In double, as what earlier subjects added and took away must leave no trace.
        sums = torch.cat([new - old, new], 1).double()
        whole = torch.cumsum(torch.cat([torch.zeros_like(sums[:1]), sums]), 0)
        so_far = (whole[1:] - whole[first]).to(x.dtype)
        latest, every = so_far.chunk(2, 1)
        return torch.cat([latest, every / count[:, None]], 1)

    def _said(
        self,
        x: Float[Tensor, "step width"],
        events: tuple[Tensor, Tensor, Tensor],
        event_starts: Int64[Tensor, " step"],
    ) -> Float[Tensor, "step width"]:
        """x and what the events (code, number, weight) of each step add to it."""
        code, value, kept = events
        x = x + sum_embeddings((self.code,), code, event_starts, (kept,))
        row = torch.nonzero(~value.isnan())[:, 0]
        if len(row) == 0:
            return x
        v, code, kept = value[row], code[row], kept[row]
        starts = torch.searchsorted(row, event_starts)
        weights = (v * kept, *(torch.relu(v - knot) * kept for knot in KNOTS))
        return x + sum_embeddings((self.value, *self.bends.unbind()), code, starts, weights)
