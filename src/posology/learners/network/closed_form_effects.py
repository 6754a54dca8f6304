"""TreatmentInteractions between treatments, solved in closed form after descent.

Descent learns the prognosis. How treatments differ is small compared with it and linear in the last
observations: it is fitted to what the network's prognosis leaves of each outcome, by a regression
that learns the relevance of each column (`outcome_models.ard_ridge`).
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from posology.domain.scaling import mean_and_std
from posology.learners.network.tensors import CohortTensors, iterate_batches
from posology.learners.outcome_models.target_distance import (
    TreatedDecisions,
    fit_logistic_by_option,
)
from posology.learners.outcome_models.treatment_interactions import (
    TreatmentInteractions,
    fit_treatment_interactions,
    predict_treated,
)
from posology.nn.dose_head import DoseCurves
from posology.nn.last_observation import last_observation_columns
from posology.nn.network import Network
from posology.nn.treatment_history import summarize_treatments

MAX_CODES = 100
"""With more codes the differences learned by descent stay: 100 codes and five treatments make 2,400
weights, and the time grows with the third power. Our choice."""


class Prognosis(NamedTuple):
    """Per decision, the regression's columns and what the network predicts for any treatment."""

    columns: Float64[np.ndarray, "decision column"]
    logit: Float64[np.ndarray, " decision"]
    distance: Float64[np.ndarray, " decision"]
    """Standardised target distance."""


def solve_effects(network: Network, learn: CohortTensors) -> None:
    """Replace the learned differences between treatments by the solved ones, in place.

    Nothing changes where no target distance is known or the vocabulary exceeds MAX_CODES.
    """
    curves = network.curves
    assert curves is not None
    treatments = curves.shape[0]
    known = _known_outcomes(learn, learn.targets.target_distance)
    if len(known.row) == 0 or len(curves.effects.code) > MAX_CODES:
        return
    prognosis = _predict_prognosis(network, curves, learn)
    center, spread = mean_and_std(prognosis.columns)
    X = (prognosis.columns - center) / spread
    residual = replace(known, target=known.target - prognosis.distance[known.row])
    effects = fit_treatment_interactions(X[known.row], residual, treatments)
    known = _known_outcomes(learn, learn.targets.effective)
    distance = prognosis.distance[known.row] + predict_treated(effects, X[known.row], known)
    both = np.column_stack([prognosis.logit[known.row], distance])
    weights, level, slope = fit_logistic_by_option(both, known, treatments)
    with torch.no_grad():
        _set_distance_effects(curves, effects, center, spread)
        _set_logit(curves, weights, level, slope)


def _predict_prognosis(network: Network, curves: DoseCurves, learn: CohortTensors) -> Prognosis:
    rows = []
    with torch.no_grad():
        for batch, _ in iterate_batches(learn):
            shared = curves.shared(network.trunk(network.encode(batch)[0])).mean(1)
            last = last_observation_columns(batch, len(curves.effects.code))
            earlier = summarize_treatments(batch, curves.treatment_codes, curves.shape[0])
            rows.append(torch.cat([shared.double(), last, earlier], 1))
    table = torch.cat(rows).cpu().numpy()
    return Prognosis(table[:, 2:], table[:, 0], table[:, 1])


def _known_outcomes(learn: CohortTensors, target: Tensor) -> TreatedDecisions:
    """The decisions whose target is known for the treatment received."""
    targets = learn.targets
    known = (targets.treatment >= 0) & ~target.isnan() & (targets.weight > 0)
    row = torch.nonzero(known)[:, 0].cpu().numpy()
    treatment = targets.treatment.cpu().numpy()[row]
    return TreatedDecisions(
        row=row,
        treatment=treatment,
        shift=targets.log_dose.double().cpu().numpy()[row, treatment],
        target=target.double().cpu().numpy()[row],
        weight=targets.weight.double().cpu().numpy()[row],
    )


def _set_distance_effects(
    curves: DoseCurves, effects: TreatmentInteractions, center: np.ndarray, spread: np.ndarray
) -> None:
    """Set the target distance's effects; the logit's own effects become 0."""
    weights = effects.weights / spread[:, None]
    level = effects.intercept - center @ weights
    parts = (*curves.effects.parameters(), curves.history)
    solved = torch.as_tensor(weights, dtype=torch.float32).split([len(part) for part in parts])
    for part, weight in zip(parts, solved, strict=True):
        part[:, 0::2] = 0.0
        part[:, 1::2] = weight.to(part.device)
    curve = np.stack([level, effects.slope, effects.curvature], axis=1)
    curves.average[:, 3:] = torch.as_tensor(curve, dtype=torch.float32)


def _set_logit(
    curves: DoseCurves, weights: np.ndarray, level: np.ndarray, slope: np.ndarray
) -> None:
    """Set the logit as a linear function of the prognosis' logit and the target distance."""
    curves.shared.weight[:, :, 0] *= float(weights[0])
    curves.shared.bias[:, 0] *= float(weights[0])
    curves.scale.fill_(float(weights[1]))
    curve = np.stack([level, slope, np.zeros_like(level)], axis=1)
    curves.average[:, :3] = torch.as_tensor(curve, dtype=torch.float32)
