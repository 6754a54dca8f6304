"""Causal attention: each decision looks back over the states up to its last visible step."""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from posology.nn.batch import ragged_range


class Attended(NamedTuple):
    """What a decision looked at; rows of `weight` are its visible steps, decision by decision."""

    context: Float[Tensor, "decision state"]
    weight: Float[Tensor, " visible"]
    """Sums to 1 over a decision's visible steps."""
    owner: Int64[Tensor, " visible"]
    """Row of the decision."""


class Attention(nn.Module):
    """Scaled dot-product attention (Vaswani et al. 2017, equation 1); the last state asks."""

    def __init__(self, state: int) -> None:
        super().__init__()
        self.query = nn.Linear(state, state, bias=False)
        self.key = nn.Linear(state, state, bias=False)

    def forward(
        self,
        states: Float[Tensor, "step state"],
        first: Int64[Tensor, " decision"],
        last: Int64[Tensor, " decision"],
    ) -> Attended:
        """Attend from each decision's last visible step over its subject's steps first..last."""
        counts = last - first + 1
        owner = torch.repeat_interleave(torch.arange(len(last), device=states.device), counts)
        step = ragged_range(first, counts)
        asked = self.query(states[last])[owner]
        score = (asked * self.key(states)[step]).sum(-1) / math.sqrt(states.shape[1])
        weight = _softmax_by(score, owner, len(last))
        context = states.new_zeros(len(last), states.shape[1])
        context = context.index_add(0, owner, states[step] * weight[:, None])
        return Attended(context, weight, owner)


def _softmax_by(
    score: Float[Tensor, " visible"], owner: Int64[Tensor, " visible"], owners: int
) -> Float[Tensor, " visible"]:
    top = score.new_full((owners,), -torch.inf).scatter_reduce(0, owner, score, "amax")
    weight = torch.exp(score - top.detach()[owner])
    return weight / weight.new_zeros(owners).index_add(0, owner, weight)[owner]
