"""Embedding of a step: the sum of its events' embeddings."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional as F

from posology.nn.batch import Batch
from posology.nn.embedding_bags import sum_embeddings
from posology.nn.image_encoder import ImageEncoder, add_frames, add_replaced_frames

KNOTS = (-0.7, 0.0, 0.7)
"""Knots of a value's piecewise linear effect, in standard deviations from the training mean: about
the quartiles and the median of a normal distribution. Our choice, by cross-validation on IWPC."""


class StepEmbedding(nn.Module):
    """x(step) = W gap + sum over events of E[code] + v V[code] + sum_k max(v - knot_k, 0) U_k[code]

    and, of events that show an image, what the image encoder makes of it.

    Embedding bags on flat tensors: no loop and no padding. A value's effect is piecewise linear, as
    in Gorishniy et al. 2022 (arXiv:2203.05556, section 3.2). The order within a step has no effect.
    """

    def __init__(self, codes: int, width: int, dropout: float, images: bool = False) -> None:
        super().__init__()
        self.code = nn.Parameter(torch.randn(codes, width) * 0.1)
        self.value = nn.Parameter(torch.randn(codes, width) * 0.1)
        self.bends = nn.Parameter(torch.randn(len(KNOTS), codes, width) * 0.03)
        self.gap = nn.Linear(2, width)
        self.dropout = dropout
        self.images = ImageEncoder(width) if images else None

    def event_weights(self, batch: Batch) -> Float[Tensor, " event"]:
        """Return a weight per event; in training some events are dropped, as if not recorded."""
        return F.dropout(torch.ones_like(batch.value), self.dropout, self.training)

    def image_vectors(
        self, batch: Batch, weight: Float[Tensor, " event"]
    ) -> Float[Tensor, "frame width"] | None:
        """Return what each frame adds to its event's step; None where no event shows an image."""
        if self.images is None or batch.frame_event is None:
            return None
        return self.images(batch) * weight[batch.frame_event][:, None]

    def forward(
        self,
        batch: Batch,
        weight: Float[Tensor, " event"],
        shown: Float[Tensor, "frame width"] | None = None,
    ) -> Float[Tensor, "step width"]:
        """Return one vector per step; weight: from `event_weights`; shown: `image_vectors`."""
        events = (batch.code, batch.value, weight)
        x = self._add_events(self.gap(batch.gap), events, batch.event_starts)
        return x if shown is None else add_frames(x, shown, batch)

    def summarize_history(
        self,
        x: Float[Tensor, "step width"],
        batch: Batch,
        weight: Float[Tensor, " event"],
        shown: Float[Tensor, "frame width"] | None = None,
    ) -> Float[Tensor, "step two_widths"]:
        """Return, up to each step, the sum over the last events of every code and the mean step.

        Both are linear in the events: each step adds its own and subtracts those it replaces.
        x: the output of `forward`.
        """
        assert batch.replaced is not None
        assert batch.replaced_starts is not None
        new = x - self.gap(batch.gap)
        rows = batch.replaced
        replaced = (batch.code[rows], batch.value[rows], weight[rows])
        old = self._add_events(torch.zeros_like(x), replaced, batch.replaced_starts)
        if shown is not None:
            old = add_replaced_frames(old, shown, batch)
        last = torch.cumsum(batch.steps, 0)
        first = torch.repeat_interleave(last - batch.steps, batch.steps)
        count = torch.arange(1, len(x) + 1, device=x.device) - first
        # Double precision, so that what earlier subjects add and subtract cancels exactly.
        changes = torch.cat([new - old, new], 1).double()
        total = torch.cumsum(torch.cat([torch.zeros_like(changes[:1]), changes]), 0)
        so_far = (total[1:] - total[first]).to(x.dtype)
        latest, every = so_far.chunk(2, 1)
        return torch.cat([latest, every / count[:, None]], 1)

    def _add_events(
        self,
        x: Float[Tensor, "step width"],
        events: tuple[Tensor, Tensor, Tensor],
        event_starts: Int64[Tensor, " step"],
    ) -> Float[Tensor, "step width"]:
        """Add the embeddings of each step's events (code, value, weight) to x."""
        code, value, weight = events
        x = x + sum_embeddings((self.code,), code, event_starts, (weight,))
        row = torch.nonzero(~value.isnan())[:, 0]
        if len(row) == 0:
            return x
        v, code, weight = value[row], code[row], weight[row]
        starts = torch.searchsorted(row, event_starts)
        weights = (v * weight, *(torch.relu(v - knot) * weight for knot in KNOTS))
        return x + sum_embeddings((self.value, *self.bends.unbind()), code, starts, weights)
