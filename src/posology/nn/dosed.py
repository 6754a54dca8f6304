"""What an option does at a dose: a curve of the dose for each option, decision and member."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from posology.nn.ensemble import MemberLinear

Levels = tuple[tuple[float, ...], ...]
"""Doses of each option that were seen, lowest first; (1.0,) where it has none."""
COEFFICIENTS = 5
"""Slope and bend of the logit; level, slope and bend of the margin."""

Logits = Float[Tensor, "decision member treatment"]
Shift = Float[Tensor, "decision treatment"]
"""log2 of a dose over the middle of the option's levels; 0 where the dose is not known."""


class DoseCurves(nn.Module):
    """logit(d) = level + slope s + bend s^2 + scale * margin(d), s = log2(d / middle dose).

    The margin is by how much the outcome's number clears what effective means; it has a curve of
    its own, and learns from every number what the logit learns from yes or no alone. An effect
    that levels off with the logarithm of the dose is the Emax model's middle (Thomas 2006,
    doi:10.1080/10543400600860469, section 2); the coefficients vary with the patient (VCNet, Nie
    et al. 2021, section 3.1).
    """

    def __init__(self, hidden: int, levels: Levels, members: int) -> None:
        super().__init__()
        self.treatments = len(levels)
        self.head = MemberLinear(hidden, self.treatments * COEFFICIENTS, members)
        with torch.no_grad():
            self.head.weight *= 0.3  # curves start out nearly flat
        self.scale = nn.Parameter(torch.ones(self.treatments))
        self.register_buffer("shifts", _shifts(levels), persistent=False)

    def forward(
        self, hidden: Float[Tensor, "decision member hidden"]
    ) -> Float[Tensor, "decision member treatment coefficient"]:
        """The curves' coefficients."""
        said = self.head(hidden)
        return said.reshape(*said.shape[:2], self.treatments, COEFFICIENTS)

    def at(
        self,
        level: Logits,
        curve: Float[Tensor, "decision member treatment coefficient"],
        shift: Shift,
    ) -> tuple[Logits, Logits]:
        """The logit, and the margin in its own units, of every option at a dose of each."""
        s = shift[:, None, :]
        margin = curve[..., 2] + curve[..., 3] * s + curve[..., 4] * s * s
        logit = level + curve[..., 0] * s + curve[..., 1] * s * s
        return logit + self.scale * margin, margin

    def best(
        self, level: Logits, curve: Float[Tensor, "decision member treatment coefficient"]
    ) -> tuple[Logits, Logits, Int64[Tensor, "decision treatment"]]:
        """The same at the dose of each option that the members' mean finds best, and its row."""
        every = [self.at(level, curve, shift.expand(len(level), -1)) for shift in self.shifts.T]
        p = torch.stack([torch.sigmoid(logit).mean(1) for logit, _ in every], -1)
        chosen = p.argmax(-1)
        shift = self.shifts.expand(len(level), -1, -1).gather(2, chosen[..., None])[..., 0]
        return *self.at(level, curve, shift), chosen


def _shifts(levels: Levels) -> Float[Tensor, "treatment level"]:
    """Of every level; an option with fewer repeats its last."""
    most = max(len(doses) for doses in levels)
    log = [torch.tensor(doses).log2() for doses in levels]
    return torch.stack([torch.cat([x, x[-1:].expand(most - len(x))]) - x.mean() for x in log])


def middle(doses: tuple[float, ...]) -> float:
    """log2 of the dose from which an option's shifts are counted."""
    return float(torch.tensor(doses).log2().mean())
