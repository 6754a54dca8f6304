"""Dose-response curves whose coefficients vary with the patient: an ensemble of small networks."""

from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

SHAPES = ("free", "unimodal", "increasing")
"""Any smooth curve; a single best dose, beyond which the outcome falls faster and faster; never
falling."""
KNOTS = (0.2, 0.4, 0.6, 0.8)
"""Knots of the second derivative of a `free` curve, as shares of the observed dose range."""
OFFSETS = (0.0, 0.1, 0.2, 0.3, 0.4)
"""Distances from the best dose at which a `unimodal` curve may start to fall faster."""

Covariates = Float[Tensor, "member decision feature"]
Outcome = Float[Tensor, "member decision dose"]


class VaryingCoefficients(nn.Module):
    """An ensemble of networks from covariates to the coefficients of a spline of the dose.

    After VCNet (Nie, Ye, Liu and Nicolae 2021, ICLR, section 3.1), except that only the spline's
    coefficients vary with the covariates, not all weights.
    """

    def __init__(self, features: int, width: int, members: int, shape: str) -> None:
        super().__init__()
        self.shape = shape
        sizes = (features, width, width, coefficient_count(shape))
        self.weights = nn.ParameterList(
            torch.randn(members, i, o) * (2.0 / i) ** 0.5 for i, o in pairwise(sizes)
        )
        self.biases = nn.ParameterList(torch.zeros(members, 1, o) for o in sizes[1:])
        self.linear = nn.Parameter(torch.zeros(members, features, sizes[-1]))
        with torch.no_grad():
            self.weights[-1] *= 0.3
            if shape != "free":  # softplus(-2) = 0.13: curves start out nearly flat
                self.biases[-1][..., 2:] = -2.0

    def forward(self, covariates: Covariates, dose: Float[Tensor, "*batch dose"]) -> Outcome:
        """Return the outcome at doses from 0 to 1, given per decision or shared by all."""
        hidden = covariates
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            hidden = torch.baddbmm(bias, hidden, weight)
            if layer < len(self.weights) - 1:
                hidden = nn.functional.silu(hidden)
        coefficients = hidden + torch.bmm(covariates, self.linear)
        return evaluate_curve(coefficients, dose, self.shape)


def coefficient_count(shape: str) -> int:
    """Return the number of coefficients of a curve."""
    return 2 + {"free": 1 + len(KNOTS), "unimodal": 2 * len(OFFSETS), "increasing": 5}[shape]


def evaluate_curve(coefficients: Tensor, dose: Tensor, shape: str) -> Tensor:
    """Return the outcome at the doses; the first coefficient of a curve is its level."""
    level, second, rest = coefficients.tensor_split((1, 2), dim=-1)
    if shape == "free":
        u = dose[..., None]
        bends = torch.relu(u - u.new_tensor(KNOTS)) ** 2 * 4
        columns = torch.cat([u**2, bends], -1)
        return level + second * dose + (columns * rest[..., None, :]).sum(-1)
    weights = nn.functional.softplus(rest)[..., None, :]
    if shape == "unimodal":
        away = (dose - torch.sigmoid(second) * 1.2 + 0.1)[..., None]
        offsets = away.new_tensor(OFFSETS)
        falls = torch.cat([torch.relu(away - offsets), torch.relu(-away - offsets)], -1) ** 2 * 8
        return level - (falls * weights).sum(-1)
    edges = torch.linspace(0, 1, 6, dtype=dose.dtype, device=dose.device)
    ramps = ((dose[..., None] - edges[:-1]) * 5).clamp(0, 1)
    return level + second * 0 + (ramps * weights).sum(-1)
