"""A causal Transformer whose positions are times instead of indices."""

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
"""Shortest and longest period of the rotations in days. The shortest turns by 1 per day, as the
paper's by 1 per position; the longest is most of a lifetime, our choice."""


class Transformer(nn.Module):
    """Pre-norm causal self-attention, keys and queries rotated by time.

    Rotary embedding (Su et al. 2021, arXiv:2104.09864, equation 15) with days since the subject's
    first dated step as the position, so that a score depends on the time between two steps.
    """

    def __init__(self, width: int, state: int) -> None:
        super().__init__()
        heads = math.gcd(HEADS, state // 2)
        self.input = nn.Linear(width, state)
        self.layers = nn.ModuleList(_Layer(state, heads) for _ in range(LAYERS))
        self.output_norm = nn.LayerNorm(state)
        pairs = state // heads // 2
        fraction = torch.arange(pairs) / max(pairs - 1, 1)
        low, high = PERIODS
        self.rate: Tensor
        self.register_buffer("rate", 2 * math.pi / low * (low / high) ** fraction, persistent=False)

    def forward(self, x: Float[Tensor, "step width"], batch: Batch) -> Float[Tensor, "step state"]:
        """Return the state of every step, in the order of the steps."""
        angle = torch.expm1(batch.gap[:, 1])[:, None] * self.rate
        rotation = (angle.cos()[:, None], angle.sin()[:, None])
        groups = group_by_length(batch.steps)
        h = self.input(x)
        for layer in self.layers:
            h = layer(h, rotation, groups)
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
        self,
        h: Float[Tensor, "step state"],
        rotation: tuple[Tensor, Tensor],
        groups: list[PaddedBlock],
    ) -> Float[Tensor, "step state"]:
        qkv = self.qkv(self.norm(h)).view(len(h), 3, self.heads, -1)
        rotated = _rotate(qkv[:, :2].flatten(1, 2), rotation)
        flat = torch.cat([rotated.flatten(1), qkv[:, 2].flatten(1)], 1)
        attended = torch.cat([self._attend(group.pad(flat), group) for group in groups])
        order = torch.cat([group.rows for group in groups])
        h = h + self.projection(torch.zeros_like(attended).index_copy(0, order, attended))
        return h + self.feedforward(h)

    def _attend(
        self, padded: Float[Tensor, "subject longest three_states"], group: PaddedBlock
    ) -> Float[Tensor, "some_step state"]:
        """Causal masking suffices: padding follows a subject's steps, so that no step sees it."""
        parts = padded.unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        attended = F.scaled_dot_product_attention(parts[0], parts[1], parts[2], is_causal=True)
        return group.unpad(attended.transpose(1, 2).flatten(2))


def _rotate(
    x: Float[Tensor, "step head each"], rotation: tuple[Tensor, Tensor]
) -> Float[Tensor, "step head each"]:
    cos, sin = rotation
    pairs = cos.shape[-1]
    a, b, rest = x[..., :pairs], x[..., pairs : 2 * pairs], x[..., 2 * pairs :]
    return torch.cat([a * cos - b * sin, a * sin + b * cos, rest], -1)
