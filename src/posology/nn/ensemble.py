"""Layers of an ensemble whose members share weights up to a scale each."""

import itertools

import torch
from jaxtyping import Float
from torch import Tensor, nn


class EnsembleLinear(nn.Module):
    """y_k = s_k * (W (r_k * x_k)) + b_k, with W shared by all members k.

    BatchEnsemble (Wen et al. 2020, arXiv:2002.06715, equation 2); initialised as TabM does
    (Gorishniy et al. 2025, arXiv:2410.24210, section 3.3): only the first layer's r differ.
    """

    def __init__(self, inputs: int, outputs: int, members: int, diverse: bool) -> None:
        super().__init__()
        self.shared = nn.Linear(inputs, outputs, bias=False)
        signs = torch.randint(0, 2, (members, inputs)).float() * 2 - 1
        self.scale_in = nn.Parameter(signs if diverse else torch.ones(members, inputs))
        self.scale_out = nn.Parameter(torch.ones(members, outputs))
        bound = inputs**-0.5
        self.bias = nn.Parameter(torch.empty(members, outputs).uniform_(-bound, bound))

    def forward(
        self, x: Float[Tensor, "decision member inputs"]
    ) -> Float[Tensor, "decision member outputs"]:
        """Return one output per member."""
        return self.shared(x * self.scale_in) * self.scale_out + self.bias


class MemberLinear(nn.Module):
    """A separate linear head for every member."""

    def __init__(self, inputs: int, outputs: int, members: int) -> None:
        super().__init__()
        bound = inputs**-0.5
        self.weight = nn.Parameter(torch.empty(members, inputs, outputs).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.zeros(members, outputs))

    def forward(
        self, x: Float[Tensor, "decision member inputs"]
    ) -> Float[Tensor, "decision member outputs"]:
        """Return one output per member."""
        return torch.baddbmm(self.bias[:, None], x.transpose(0, 1), self.weight).transpose(0, 1)


def apply_heads(
    x: Float[Tensor, "decision member inputs"], heads: list[MemberLinear]
) -> tuple[Float[Tensor, "decision member _"], ...]:
    """Return the outputs of several heads, computed in one product."""
    weight = torch.cat([head.weight for head in heads], 2)
    bias = torch.cat([head.bias for head in heads], 1)
    outputs = torch.baddbmm(bias[:, None], x.transpose(0, 1), weight).transpose(0, 1)
    return outputs.split([head.bias.shape[1] for head in heads], 2)


class Trunk(nn.Module):
    """Shared hidden layers from the profile vector to each member's hidden vector."""

    def __init__(self, inputs: int, hidden: int, layers: int, members: int, dropout: float) -> None:
        super().__init__()
        self.members = members
        sizes = [inputs] + [hidden] * layers
        self.layers = nn.ModuleList(
            EnsembleLinear(a, b, members, diverse=index == 0)
            for index, (a, b) in enumerate(itertools.pairwise(sizes))
        )
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, z: Float[Tensor, "decision inputs"]
    ) -> Float[Tensor, "decision member hidden"]:
        """Return the hidden vector of each member."""
        x = z[:, None, :].expand(-1, self.members, -1)
        for layer in self.layers:
            x = self.dropout(torch.relu(layer(x)))
        return x
