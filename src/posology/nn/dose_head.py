"""Dose-response curves: the effect of each treatment as a function of its dose."""

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
"""Observed doses of each treatment, ascending; (1.0,) for a treatment without doses."""
COEFFICIENTS = 6
"""Level, slope and bend of the logit, then of the target distance."""

Logits = Float[Tensor, "decision member treatment"]
LogDose = Float[Tensor, "decision treatment"]
"""log2 of a dose relative to the middle of the treatment's levels; 0 where the dose is unknown."""


class DoseCurves(nn.Module):
    """logit(d) = level + slope s + bend s^2 + scale * distance(d), s = log2(d / middle dose).

    The target distance says by how much the outcome's number meets its goal. It has a curve of its
    own, which learns from every number what the logit learns from yes or no alone. An effect that
    levels off with the logarithm of the dose is the middle of the Emax model (Thomas 2006,
    doi:10.1080/10543400600860469, section 2). Levels vary with the patient, slopes only with the
    treatment: patient-specific slopes would make the best of several noisy doses look good.

    The prognosis shared by all treatments is learned freely. How treatments differ is linear in the
    last observation of each code and in the results of earlier treatments, shrunken by a prior:
    treatment effects are small compared with prognosis (Hahn, Murray and Carvalho 2020,
    doi:10.1214/19-BA1195, section 4). After descent these differences are solved in closed form
    (`learners.network.closed_form_effects`).
    """

    log_levels: Tensor
    """log2 of every dose level relative to the middle of its treatment's levels."""

    def __init__(
        self, treatment_codes: TreatmentCodes, hidden: int, levels: DoseLevels, members: int
    ) -> None:
        super().__init__()
        self.treatment_codes = treatment_codes
        self.shape = (len(levels), COEFFICIENTS)
        self.shared = MemberLinear(hidden, 2, members)
        self.average = nn.Parameter(torch.zeros(self.shape))
        self.effects = LastObservationEffects(len(treatment_codes.option), len(levels) * 2)
        self.history = nn.Parameter(
            torch.zeros(COLUMNS_PER_TREATMENT * len(levels), len(levels) * 2)
        )
        self.scale = nn.Parameter(torch.ones(len(levels)))
        self.register_buffer("log_levels", _relative_log_doses(levels), persistent=False)

    def forward(
        self, hidden: Float[Tensor, "decision member hidden"], batch: Batch
    ) -> Float[Tensor, "decision member treatment coefficient"]:
        """Return the coefficients of the curves."""
        logit, distance = self.shared(hidden)[:, :, None, :].unbind(3)
        treatments = len(self.history) // COLUMNS_PER_TREATMENT
        earlier = summarize_treatments(batch, self.treatment_codes, treatments).float()
        own = self.effects(batch) + earlier @ self.history
        own_logit, own_distance = own.reshape(len(hidden), 1, -1, 2).unbind(3)
        logit, distance = logit + own_logit, distance + own_distance
        zero = torch.zeros_like(logit)
        patient = torch.stack([logit, zero, zero, distance, zero, zero], 3)
        return self.average + patient

    def squared_norm(self) -> Float[Tensor, ""]:
        """Return the sum of the squares of all differences between treatments."""
        return self.effects.squared_norm() + self.history.square().sum()

    def evaluate(
        self,
        curve: Float[Tensor, "decision member treatment coefficient"],
        log_dose: LogDose,
    ) -> tuple[Logits, Logits]:
        """Return the logit and the target distance of every treatment at the doses."""
        s = log_dose[:, None, :]
        distance = curve[..., 3] + curve[..., 4] * s + curve[..., 5] * s * s
        logit = curve[..., 0] + curve[..., 1] * s + curve[..., 2] * s * s
        return logit + self.scale * distance, distance

    def evaluate_best(
        self, curve: Float[Tensor, "decision member treatment coefficient"]
    ) -> tuple[Logits, Logits, Int64[Tensor, "decision treatment"]]:
        """Evaluate each treatment at the dose level that the members' mean rates best.

        The third item is that level's row.
        """
        every = [self.evaluate(curve, level.expand(len(curve), -1)) for level in self.log_levels.T]
        p = torch.stack([torch.sigmoid(logit).mean(1) for logit, _ in every], -1)
        best = p.argmax(-1)
        levels = self.log_levels.expand(len(curve), -1, -1)
        log_dose = levels.gather(2, best[..., None])[..., 0]
        return *self.evaluate(curve, log_dose), best


def _relative_log_doses(levels: DoseLevels) -> Float[Tensor, "treatment level"]:
    """Relative log dose of every level; a treatment with fewer levels repeats its last."""
    most = max(len(doses) for doses in levels)
    log = [torch.tensor(doses).log2() for doses in levels]
    return torch.stack([torch.cat([x, x[-1:].expand(most - len(x))]) - x.mean() for x in log])


def mean_log_dose(doses: tuple[float, ...]) -> float:
    """Return the mean of log2 of the doses: the origin of the treatment's relative log dose."""
    return float(torch.tensor(doses).log2().mean())
