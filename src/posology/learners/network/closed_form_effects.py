"""The differences between options, solved exactly once the network has learned.

Descent finds what patients differ in anyway. How options differ is little beside that, and linear
in what is last known: it is solved from what the network leaves of each outcome, and the data say
how much each column may matter (`relevance`).
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from posology.learners.network.tensors import CohortTensors, iterate_batches
from posology.learners.outcome_models.logistic import scale
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
"""Codes above which what descent taught is left: 100 of them and five options make 2,400 weights,
and the time grows with the third power. Our choice."""


class Offsets(NamedTuple):
    """One row a decision: what is known, and what the network says whatever is given."""

    columns: Float64[np.ndarray, "decision column"]
    logit: Float64[np.ndarray, " decision"]
    margin: Float64[np.ndarray, " decision"]
    """Standardised."""


def solve_effects(network: Network, learn: CohortTensors) -> None:
    """Put the solved differences in the place of those the network was taught, for good.

    Where no margin is known there is nothing to solve from.
    """
    curves = network.curves
    assert curves is not None
    options = curves.shape[0]
    known = _given(learn, learn.targets.target_distance)
    if len(known.row) == 0 or len(curves.effects.code) > MAX_CODES:
        return
    left = _left(network, curves, learn)
    center, spread = scale(left.columns)
    X = (left.columns - center) / spread
    rest = replace(known, target=known.target - left.margin[known.row])
    told = fit_treatment_interactions(X[known.row], rest, options)
    known = _given(learn, learn.targets.effective)
    said = left.margin[known.row] + predict_treated(told, X[known.row], known)
    both = np.column_stack([left.logit[known.row], said])
    weights, level, slope = fit_logistic_by_option(both, known, options)
    with torch.no_grad():
        _install(curves, told, center, spread)
        _read_off(curves, weights, level, slope)


def _left(network: Network, curves: DoseCurves, learn: CohortTensors) -> Offsets:
    rows = []
    with torch.no_grad():
        for batch, _ in iterate_batches(learn):
            alike = curves.shared(network.trunk(network.encode(batch)[0])).mean(1)
            known = last_observation_columns(batch, len(curves.effects.code))
            tried = summarize_treatments(batch, curves.treatment_codes, curves.shape[0])
            rows.append(torch.cat([alike.double(), known, tried], 1))
    table = torch.cat(rows).cpu().numpy()
    return Offsets(table[:, 2:], table[:, 0], table[:, 1])


def _given(learn: CohortTensors, target: Tensor) -> TreatedDecisions:
    """The decisions whose target is known of the option given."""
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


def _install(
    curves: DoseCurves, told: TreatmentInteractions, center: np.ndarray, spread: np.ndarray
) -> None:
    """The margin's differences; the logit's are read off the margin."""
    weights = told.weights / spread[:, None]
    level = told.intercept - center @ weights
    parts = (*curves.effects.parameters(), curves.history)
    own = torch.as_tensor(weights, dtype=torch.float32).split([len(part) for part in parts])
    for part, found in zip(parts, own, strict=True):
        part[:, 0::2] = 0.0
        part[:, 1::2] = found.to(part.device)
    curve = np.stack([level, told.slope, told.curvature], axis=1)
    curves.average[:, 3:] = torch.as_tensor(curve, dtype=torch.float32)


def _read_off(
    curves: DoseCurves, weights: np.ndarray, level: np.ndarray, slope: np.ndarray
) -> None:
    """weights: of the logit that is said whatever is given, and of the margin."""
    curves.shared.weight[:, :, 0] *= float(weights[0])
    curves.shared.bias[:, 0] *= float(weights[0])
    curves.scale.fill_(float(weights[1]))
    curve = np.stack([level, slope, np.zeros_like(level)], axis=1)
    curves.average[:, :3] = torch.as_tensor(curve, dtype=torch.float32)
