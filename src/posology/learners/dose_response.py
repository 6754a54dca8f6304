"""How much: each patient's curve of outcome against dose, and the doses the data can speak of.

Varying coefficients (VCNet, Nie, Ye, Liu and Nicolae 2021, ICLR, section 3.1): the outcome is a
spline of the dose whose coefficients are a function of the covariates, here a small network. An
ensemble gives the curve its band; its doses are looked for inside the conditional support only.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor, nn

from posology.causal.dose_support import Doses, Support, dose_support, fit_support
from posology.domain.formulary import DoseRange

Covariates = Float64[np.ndarray, "decision feature"]
Column = Float64[np.ndarray, " decision"]

KNOTS = (0.2, 0.4, 0.6, 0.8)
"""Where the spline's second derivative may jump, as shares of the doses seen."""
GRID = 101
"""Doses looked at for the best one."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Sizes are our choice, by measurement on simulators/dose.py."""

    members: int = 8
    width: int = 64
    epochs: int = 300
    batch: int = 128
    rate: float = 3e-3
    decay: float = 1e-3
    seed: int = 0
    shape: str = "free"
    """`unimodal` (one best dose) or `increasing` where the study knows it."""


@dataclass(frozen=True, slots=True, eq=False)
class DoseResponse:
    """The fitted curves."""

    members: tuple[nn.Module, ...]
    center: Float64[np.ndarray, " feature"]
    spread: Float64[np.ndarray, " feature"]
    dose_low: float
    dose_high: float
    """The doses seen in training; the spline's own scale."""
    outcome_center: float
    outcome_spread: float
    support: Support


@dataclass(frozen=True, slots=True, eq=False)
class DoseAdvice:
    """The best dose inside the support and the hard limits, before rounding."""

    dose: Column
    low: Column
    """Between `low` and `high` the data can speak; NaN with `dose` where no allowed dose lies."""
    high: Column
    expected: Column
    clamped: np.ndarray
    """Whether a better dose may lie beyond what the data can speak of."""
