"""What an option does at a dose: a curve of the dose for each option, decision and member."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from posology.nn.batch import Batch
from posology.nn.ensemble import MemberLinear
from posology.nn.known import LastKnown

Levels = tuple[tuple[float, ...], ...]
"""Doses of each option that were seen, lowest first; (1.0,) where it has none."""
COEFFICIENTS = 6
"""Level, slope and bend of the logit, then of the margin."""

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

    How well a patient will do whatever is given comes from the network; how options and doses
    differ is linear in what is known, and held small by a prior.
    """

    def __init__(self, codes: int, hidden: int, levels: Levels, members: int) -> None:
        super().__init__()
        self.shape = (len(levels), COEFFICIENTS)
        self.alike = MemberLinear(hidden, 2, members)
        import os
        self.more = MemberLinear(hidden, 2 * len(levels), members) if os.environ.get("MORE") else None
        if self.more is not None:
            nn.init.zeros_(self.more.weight)
        self.average = nn.Parameter(torch.zeros(self.shape))
        self.effects = LastKnown(codes, len(levels) * COEFFICIENTS)
        self.scale = nn.Parameter(torch.ones(len(levels)))
        self.register_buffer("shifts", _shifts(levels), persistent=False)

    def forward(
        self, hidden: Float[Tensor, "decision member hidden"], batch: Batch
    ) -> Float[Tensor, "decision member treatment coefficient"]:
        """The curves' coefficients."""
        own = self.average + self.effects(batch).reshape(-1, 1, *self.shape)
        logit, margin = self.alike(hidden)[..., None, None].unbind(2)
        if self.more is not None:
            more = self.more(hidden)
            more = more.reshape(*more.shape[:2], -1, 2)[..., None]
            logit, margin = logit + more[..., 0, :], margin + more[..., 1, :]
        nothing = torch.zeros_like(logit).expand(-1, -1, logit.shape[2], 2)
        return own + torch.cat([logit, nothing, margin, nothing], 3)

    def at(
        self,
        curve: Float[Tensor, "decision member treatment coefficient"],
        shift: Shift,
    ) -> tuple[Logits, Logits]:
        """The logit, and the margin in its own units, of every option at a dose of each."""
        s = shift[:, None, :]
        margin = curve[..., 3] + curve[..., 4] * s + curve[..., 5] * s * s
        logit = curve[..., 0] + curve[..., 1] * s + curve[..., 2] * s * s
        return logit + self.scale * margin, margin

    def best(
        self, curve: Float[Tensor, "decision member treatment coefficient"]
    ) -> tuple[Logits, Logits, Int64[Tensor, "decision treatment"]]:
        """The same at the dose of each option that the members' mean finds best, and its row."""
        every = [self.at(curve, shift.expand(len(curve), -1)) for shift in self.shifts.T]
        p = torch.stack([torch.sigmoid(logit).mean(1) for logit, _ in every], -1)
        chosen = p.argmax(-1)
        shift = self.shifts.expand(len(curve), -1, -1).gather(2, chosen[..., None])[..., 0]
        return *self.at(curve, shift), chosen


def _shifts(levels: Levels) -> Float[Tensor, "treatment level"]:
    """Of every level; an option with fewer repeats its last."""
    most = max(len(doses) for doses in levels)
    log = [torch.tensor(doses).log2() for doses in levels]
    return torch.stack([torch.cat([x, x[-1:].expand(most - len(x))]) - x.mean() for x in log])


def middle(doses: tuple[float, ...]) -> float:
    """log2 of the dose from which an option's shifts are counted."""
    return float(torch.tensor(doses).log2().mean())
