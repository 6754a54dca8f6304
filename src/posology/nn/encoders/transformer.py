"""A causal Transformer whose positions are times, not places in a row."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from posology.nn.batch import Batch
from posology.nn.ragged import PaddedBlock, group_by_length

LAYERS, HEADS = 2, 4
"""Our choice."""

PERIODS = (2 * math.pi, 20_000.0)
"""Shortest and longest period of the rotations in days. The shortest turns by 1 a day, as the
paper's by 1 a place; the longest is most of a life, our choice."""


class Transformer(nn.Module):
    """Pre-norm causal self-attention, keys and queries rotated by time.

    Rotary embedding (Su et al. 2021, arXiv:2104.09864, equation 15) with days since the subject's
    first dated step in the place of the position, so a score depends on the gap between two steps.
    """

    def __init__(self, width: int, state: int) -> None:
        super().__init__()
        heads = math.gcd(HEADS, state // 2)
        self.input = nn.Linear(width, state)
        self.layers = nn.ModuleList(_Layer(state, heads) for _ in range(LAYERS))
        self.output_norm = nn.LayerNorm(state)
        pairs = state // heads // 2
        share = torch.arange(pairs) / max(pairs - 1, 1)
        low, high = PERIODS
        self.rate: Tensor
        self.register_buffer("rate", 2 * math.pi / low * (low / high) ** share, persistent=False)

    def forward(self, x: Float[Tensor, "step width"], batch: Batch) -> Float[Tensor, "step state"]:
        """States of all steps, in the order of the steps."""
        angle = torch.expm1(batch.gap[:, 1])[:, None] * self.rate
        turn = (angle.cos()[:, None], angle.sin()[:, None])
        groups = group_by_length(batch.steps)
        h = self.input(x)
        for layer in self.layers:
            h = layer(h, turn, groups)
        return self.output_norm(h)


class _Layer(nn.Module):
    def __init__(self, state: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(state)
        self.qkv = nn.Linear(state, 3 * state, bias=False)
        self.projection = nn.Linear(state, state)
        self.feedforward = nn.Sequential(
            nn.LayerNorm(state),
            nn.Linear(state, 4 * state),
            nn.GELU(),
            nn.Linear(4 * state, state),
        )

    def forward(
        self, h: Float[Tensor, "step state"], turn: tuple[Tensor, Tensor], groups: list[PaddedBlock]
    ) -> Float[Tensor, "step state"]:
        said = self.qkv(self.norm(h)).view(len(h), 3, self.heads, -1)
        rotated = _rotate(said[:, :2].flatten(1, 2), turn)
        flat = torch.cat([rotated.flatten(1), said[:, 2].flatten(1)], 1)
        seen = torch.cat([self._attend(group.pad(flat), group) for group in groups])
        order = torch.cat([group.rows for group in groups])
        h = h + self.projection(torch.zeros_like(seen).index_copy(0, order, seen))
        return h + self.feedforward(h)

    def _attend(
        self, padded: Float[Tensor, "subject longest three_states"], group: PaddedBlock
    ) -> Float[Tensor, "some_step state"]:
        """Causal alone is enough: padding stands after a subject's steps, so none sees it."""
        parts = padded.unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        seen = F.scaled_dot_product_attention(parts[0], parts[1], parts[2], is_causal=True)
        return group.unpad(seen.transpose(1, 2).flatten(2))


def _rotate(
    x: Float[Tensor, "step head each"], turn: tuple[Tensor, Tensor]
) -> Float[Tensor, "step head each"]:
    cos, sin = turn
    pairs = cos.shape[-1]
    a, b, rest = x[..., :pairs], x[..., pairs : 2 * pairs], x[..., 2 * pairs :]
    return torch.cat([a * cos - b * sin, a * sin + b * cos, rest], -1)
