"""Dilated causal convolutions on flat steps, without padding; subjects do not mix."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from posology.nn.batch import Batch

DILATIONS = (1, 2, 4, 8, 16, 32, 64, 128)
"""With two taps per layer the last state sees 256 steps; attention sees the rest. Our choice."""


class CNN(nn.Module):
    """Residual dilated causal convolutions (Bai et al. 2018, arXiv:1803.01271), two taps each.

    y(t) = h(t) + W relu(A norm(h(t)) + B norm(h(t - dilation))); the B term is 0 before the first
    step.
    """

    def __init__(self, width: int, state: int) -> None:
        super().__init__()
        self.input = nn.Linear(width, state)
        self.layers = nn.ModuleList(_Layer(state, dilation) for dilation in DILATIONS)
        self.output_norm = nn.LayerNorm(state)

    def forward(self, x: Float[Tensor, "step width"], batch: Batch) -> Float[Tensor, "step state"]:
        """Return the state of every step, in the order of the steps."""
        first = torch.cumsum(batch.steps, 0) - batch.steps
        position = torch.arange(len(x), device=x.device)
        position = position - torch.repeat_interleave(first, batch.steps)
        longest = int(batch.steps.max())
        h = self.input(x)
        for layer in self.layers:
            h = layer(h, position, longest)
        return self.output_norm(h)


class _Layer(nn.Module):
    def __init__(self, state: int, dilation: int) -> None:
        super().__init__()
        self.dilation = dilation
        self.norm = nn.LayerNorm(state)
        self.current = nn.Linear(state, state)
        self.lagged = nn.Linear(state, state, bias=False)
        self.output = nn.Linear(state, state)

    def forward(
        self, h: Float[Tensor, "step state"], position: Int64[Tensor, " step"], longest: int
    ) -> Float[Tensor, "step state"]:
        x = self.norm(h)
        y = self.current(x)
        if longest > self.dilation:  # otherwise no step has a predecessor that far back
            lagged = torch.cat([torch.zeros_like(x[: self.dilation]), x[: -self.dilation]])
            y = y + self.lagged(lagged * (position >= self.dilation)[:, None])
        return h + self.output(torch.relu(y))
