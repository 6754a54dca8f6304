"""Curves whose coefficients vary from patient to patient: many small networks at once."""

from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

SHAPES = ("free", "unimodal", "increasing")
"""Any smooth curve; concave, so with one best dose; never falling."""


class VaryingCoefficients(nn.Module):
    """An ensemble of networks from covariates to the coefficients of a spline of the dose.

    The idea of VCNet (Nie, Ye, Liu and Nicolae 2021, ICLR, section 3.1), with the coefficients
    themselves, instead of all weights, as what varies with the dose.
    """

    def __init__(self, features: int, width: int, members: int, knots: Tensor, shape: str) -> None:
        super().__init__()
        self.shape = shape
        self.knots = nn.Buffer(knots)
        curves = basis(torch.zeros(1), knots, shape).shape[1]
        sizes = (features, width, width, curves + 1)
        self.weights = nn.ParameterList(
            torch.randn(members, i, o) * (2.0 / i) ** 0.5 * (0.3 if o == sizes[-1] else 1.0)
            for i, o in pairwise(sizes)
        )
        self.biases = nn.ParameterList(torch.zeros(members, 1, o) for o in sizes[1:])
        self.straight = nn.Parameter(torch.zeros(members, features, curves + 1))
        if shape != "free":  # softplus(-2) = 0.13: curves start out flat
            nn.init.constant_(self.biases[-1][..., 1:], -2.0)

    def forward(
        self, covariates: Float[Tensor, "member decision feature"], dose: Tensor
    ) -> Float[Tensor, "member decision"]:
        """The outcome of a dose (0 to 1, one a member and decision)."""
        level, weights = self.coefficients(covariates)
        return level + (weights * basis(dose, self.knots, self.shape)).sum(-1)

    def coefficients(
        self, covariates: Float[Tensor, "member decision feature"]
    ) -> tuple[Tensor, Tensor]:
        """The outcome at no dose, and the weight of each spline function."""
        hidden = covariates
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            hidden = torch.baddbmm(bias, hidden, weight)
            if layer < len(self.weights) - 1:
                hidden = nn.functional.silu(hidden)
        hidden = hidden + torch.bmm(covariates, self.straight)
        level, weights = hidden[..., 0], hidden[..., 1:]
        return level, weights if self.shape == "free" else nn.functional.softplus(weights)


def basis(dose: Tensor, knots: Tensor, shape: str) -> Tensor:
    """Functions of a dose of 0 to 1, one more axis; none is constant.

    free: a quadratic spline. unimodal: parabolas that fall on either side of a knot; sums with
    weights above 0 are concave. increasing: ramps between knots; such sums never fall.
    """
    u = dose[..., None]
    if shape == "free":
        return torch.cat([u, u**2, torch.relu(u - knots) ** 2 * 4], -1)
    edges = torch.cat([knots.new_zeros(1), knots, knots.new_ones(1)])
    if shape == "unimodal":
        return -torch.cat([torch.relu(u - edges[:-1]) ** 2, torch.relu(edges[1:] - u) ** 2], -1) * 4
    return ((u - edges[:-1]) / (edges[1:] - edges[:-1])).clamp(0, 1)
