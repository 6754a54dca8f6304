"""What an option does at a dose: a curve of the dose for each option, decision and member."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from posology.nn.batch import Batch
from posology.nn.ensemble import MemberLinear
from posology.nn.last_observation import LastObservationEffects
from posology.nn.treatment_history import (
    COLUMNS_PER_TREATMENT,
    TreatmentCodes,
    summarize_treatments,
)

DoseLevels = tuple[tuple[float, ...], ...]
"""Doses of each option that were seen, lowest first; (1.0,) where it has none."""
COEFFICIENTS = 6
"""Level, slope and bend of the logit, then of the margin."""

Logits = Float[Tensor, "decision member treatment"]
LogDose = Float[Tensor, "decision treatment"]
"""log2 of a dose over the middle of the option's levels; 0 where the dose is not known."""


class DoseCurves(nn.Module):
    """logit(d) = level + slope s + bend s^2 + scale * margin(d), s = log2(d / middle dose).

    The margin is by how much the outcome's number clears what effective means; it has a curve of
    its own, and learns from every number what the logit learns from yes or no alone. An effect
    that levels off with the logarithm of the dose is the Emax model's middle (Thomas 2006,
    doi:10.1080/10543400600860469, section 2). Levels vary with the patient, slopes with the option
    alone: a slope of each patient's own would make the best of several noisy doses look good.

    How well a patient will do whatever is given is learned freely; how options differ is a sum of
    what is last known, code by code, and of what earlier courses of each option came to, held small
    by a prior: differences are few beside what patients differ in anyway (Hahn, Murray and Carvalho
    2020, doi:10.1214/19-BA1195, section 4).
    Once the rest is learned they are solved anew (`learners.solved`).
    """

    shifts: Tensor
    """Of every option's levels."""

    def __init__(self, past: TreatmentCodes, hidden: int, levels: DoseLevels, members: int) -> None:
        super().__init__()
        self.treatment_codes = past
        self.shape = (len(levels), COEFFICIENTS)
        self.shared = MemberLinear(hidden, 2, members)
        self.average = nn.Parameter(torch.zeros(self.shape))
        self.effects = LastObservationEffects(len(past.option), len(levels) * 2)
        self.history = nn.Parameter(
            torch.zeros(COLUMNS_PER_TREATMENT * len(levels), len(levels) * 2)
        )
        self.scale = nn.Parameter(torch.ones(len(levels)))
        self.register_buffer("shifts", _shifts(levels), persistent=False)

    def forward(
        self, hidden: Float[Tensor, "decision member hidden"], batch: Batch
    ) -> Float[Tensor, "decision member treatment coefficient"]:
        """The curves' coefficients."""
        logit, margin = self.shared(hidden)[:, :, None, :].unbind(3)
        courses_so_far = summarize_treatments(
            batch, self.treatment_codes, len(self.history) // COLUMNS_PER_TREATMENT
        ).float()
        own = self.effects(batch) + courses_so_far @ self.history
        own_logit, own_margin = own.reshape(len(hidden), 1, -1, 2).unbind(3)
        logit, margin = logit + own_logit, margin + own_margin
        nothing = torch.zeros_like(logit)
        levels = torch.stack([logit, nothing, nothing, margin, nothing, nothing], 3)
        return self.average + levels

    def squared_norm(self) -> Float[Tensor, ""]:
        """Sum of the squares of all differences between options."""
        return self.effects.squared_norm() + self.history.square().sum()

    def evaluate(
        self,
        curve: Float[Tensor, "decision member treatment coefficient"],
        shift: LogDose,
    ) -> tuple[Logits, Logits]:
        """The logit, and the margin in its own units, of every option at a dose of each."""
        s = shift[:, None, :]
        margin = curve[..., 3] + curve[..., 4] * s + curve[..., 5] * s * s
        logit = curve[..., 0] + curve[..., 1] * s + curve[..., 2] * s * s
        return logit + self.scale * margin, margin

    def evaluate_best(
        self, curve: Float[Tensor, "decision member treatment coefficient"]
    ) -> tuple[Logits, Logits, Int64[Tensor, "decision treatment"]]:
        """The same at the dose of each option that the members' mean finds best, and its row."""
        every = [self.evaluate(curve, shift.expand(len(curve), -1)) for shift in self.shifts.T]
        p = torch.stack([torch.sigmoid(logit).mean(1) for logit, _ in every], -1)
        chosen = p.argmax(-1)
        shift = self.shifts.expand(len(curve), -1, -1).gather(2, chosen[..., None])[..., 0]
        return *self.evaluate(curve, shift), chosen


def _shifts(levels: DoseLevels) -> Float[Tensor, "treatment level"]:
    """Of every level; an option with fewer repeats its last."""
    most = max(len(doses) for doses in levels)
    log = [torch.tensor(doses).log2() for doses in levels]
    return torch.stack([torch.cat([x, x[-1:].expand(most - len(x))]) - x.mean() for x in log])


def mean_log_dose(doses: tuple[float, ...]) -> float:
    """log2 of the dose from which an option's shifts are counted."""
    return float(torch.tensor(doses).log2().mean())
