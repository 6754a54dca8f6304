"""How much: each patient's curve of outcome against dose, and the best dose the data can speak of.

Varying coefficients (nn/varying_coefficients.py), an ensemble for the curve's band. A dose is
looked for only where patients like this one were given doses (causal/dose_support.py) and inside
hard limits.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float64

from posology.causal.dose_support import DoseSupport, fit_dose_support, supported_dose_range
from posology.causal.trial import FOLDS
from posology.domain.formulary import DoseRange, is_in_range
from posology.nn.varying_coefficients import SHAPES, VaryingCoefficients

Covariates = Float64[np.ndarray, "decision feature"]
Column = Float64[np.ndarray, " decision"]

BLOCK_SIZE = 2048
"""Patients whose curves are drawn at once."""
CAUTION = 1.0
"""Standard deviations between members that a dose's expected outcome is held down by: where data
end members disagree, and a dose that only looks better there is not taken. By benchmarks.dose."""
MIN_SCHEDULE_STEPS = 20
"""Steps below which the cycle of learning rates has no rise to speak of."""


@dataclass(frozen=True, slots=True)
class DoseResponseSettings:
    """Sizes and rates are our choice, by measurement on simulators/dose_curves.py."""

    shape: str = "free"
    """`unimodal` or `increasing` (nn/varying_coefficients.py) where the study knows it of the
    outcome."""
    members: int = 8
    width: int = 64
    epochs: int = 100
    batch: int = 128
    learning_rate: float = 4e-3
    """Highest learning rate of one cycle (Smith 2018, arXiv:1803.09820)."""
    weight_decay: float = 0.3
    seed: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class DoseResponse:
    """Fitted curves; doses and outcomes in their own units."""

    network: VaryingCoefficients
    center: Float64[np.ndarray, " feature"]
    spread: Float64[np.ndarray, " feature"]
    outcome_center: float
    outcome_spread: float
    support: DoseSupport


@dataclass(frozen=True, slots=True, eq=False)
class OptimalDoses:
    """The best dose inside the support and the hard limits, before rounding."""

    dose: Column
    """NaN where no dose lies inside both: then nothing is recommended."""
    by_member: Float64[np.ndarray, "decision member"]
    """The dose that each member of the ensemble would give: how far they disagree."""
    support_low: Column
    support_high: Column
    """Between `low` and `high` patients like this one were given doses."""
    expected_outcome: Column
    """Of the outcome, less the harm where that is modelled."""
    expected_harm: Column
    """Expected, at the dose; 0 where none is modelled."""
    member_std: Column
    """Standard deviation of the expected outcome over the ensemble's members."""
    is_at_edge: Bool[np.ndarray, " decision"]
    """A better dose may lie beyond what the data can speak of."""


def fit_dose_response(
    X: Covariates,  # noqa: N803
    dose: Column,
    outcome: Column,
    settings: DoseResponseSettings,
) -> DoseResponse:
    """Learn the curves of patients who were given one dose each; higher outcomes are better."""
    if settings.shape not in SHAPES:
        raise ValueError(f"shape {settings.shape!r}: choose one of {', '.join(SHAPES)}")
    rng = np.random.default_rng(settings.seed)
    support = fit_dose_support(X, dose, rng.permutation(len(X)) % FOLDS)
    known = ~np.isnan(X)
    center = np.where(known, X, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    spread = np.sqrt(np.where(known, (X - center) ** 2, 0.0).mean(axis=0))
    spread = np.where(spread > 1e-9, spread, 1.0)
    level, size = float(outcome.mean()), float(outcome.std())
    network = _trained(
        np.nan_to_num((X - center) / spread),
        _share(support, dose),
        (outcome - level) / size,
        settings,
    )
    return DoseResponse(network, center, spread, level, size, support)


def predict_curves(
    response: DoseResponse,
    X: Covariates,  # noqa: N803
    doses: Float64[np.ndarray, " dose"],
) -> Float64[np.ndarray, "member decision dose"]:
    """Expected outcome of each dose for each patient, by each member."""
    Z = np.nan_to_num((X - response.center) / response.spread)
    asked = torch.as_tensor(_share(response.support, doses), dtype=torch.float32)
    members = response.network.linear.shape[0]
    said = []
    with torch.no_grad():
        for start in range(0, len(Z), BLOCK_SIZE):
            block = torch.as_tensor(Z[start : start + BLOCK_SIZE], dtype=torch.float32)
            said.append(response.network(block.expand(members, -1, -1), asked[None, None]).numpy())
    scaled = np.concatenate(said, axis=1).astype(np.float64)
    return scaled * response.outcome_spread + response.outcome_center


def lower_curve(
    members: Float64[np.ndarray, "member decision dose"], shape: str
) -> Float64[np.ndarray, "decision dose"]:
    """The mean curve; of a free one, held down where members disagree.

    A declared shape ties the curve's ends to its middle: caution there only moves the best dose.
    """
    mean = members.mean(axis=0)
    return mean - CAUTION * members.std(axis=0) if shape == "free" else mean


def find_optimal_doses(
    response: DoseResponse,
    X: Covariates,  # noqa: N803
    limits: DoseRange | None = None,
    harm_response: DoseResponse | None = None,
    steps: int = 100,
) -> OptimalDoses:
    """The dose of the highest cautious curve, among `steps` + 1 evenly spread over those seen.

    Args:
        harm: what doses do beside it, in the outcome's unit, which is taken off.
    """
    support = response.support
    doses = np.linspace(support.dose_low, support.dose_high, steps + 1)
    members = predict_curves(response, X, doses)
    harms = (
        np.zeros_like(members) if harm_response is None else predict_curves(harm_response, X, doses)
    )
    members = members - harms
    mean, careful = members.mean(axis=0), lower_curve(members, response.network.shape)
    low, high = supported_dose_range(support, X)
    spoken = (doses >= low[:, None]) & (doses <= high[:, None])
    allowed = spoken if limits is None else spoken & is_in_range(doses, limits)
    none = ~allowed.any(axis=1)
    row, best = np.arange(len(X)), np.where(allowed, careful, -np.inf).argmax(axis=1)
    beyond = np.where(spoken, -np.inf, mean).max(axis=1)
    each = doses[np.where(allowed, members, -np.inf).argmax(axis=2)].T
    return OptimalDoses(
        dose=np.where(none, np.nan, doses[best]),
        by_member=np.where(allowed.any(axis=1, keepdims=True), each, np.nan),
        support_low=low,
        support_high=high,
        expected_outcome=np.where(none, np.nan, mean[row, best]),
        expected_harm=np.where(none, np.nan, harms.mean(axis=0)[row, best]),
        member_std=np.where(none, np.nan, members[:, row, best].std(axis=0)),
        is_at_edge=none | (beyond > mean[row, best]),
    )


def _share(support: DoseSupport, dose: np.ndarray) -> np.ndarray:
    return (dose - support.dose_low) / (support.dose_high - support.dose_low)


def _trained(
    X: Covariates,  # noqa: N803
    dose: Column,
    outcome: Column,
    settings: DoseResponseSettings,
) -> VaryingCoefficients:
    """Squared error; every member sees the patients in an order of its own."""
    device = torch.device("cpu")
    chance = torch.Generator(device).manual_seed(settings.seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        network = VaryingCoefficients(X.shape[1], settings.width, settings.members, settings.shape)
    x, d, y = (torch.as_tensor(a, dtype=torch.float32) for a in (X, dose, outcome))
    batch = min(settings.batch, len(x))
    batches = len(x) // batch
    optimiser = torch.optim.AdamW(network.parameters(), weight_decay=settings.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser,
        settings.learning_rate,
        total_steps=max(settings.epochs * batches, MIN_SCHEDULE_STEPS),
        pct_start=0.1,
    )
    for _ in range(settings.epochs):
        order = torch.stack(
            [torch.randperm(len(x), generator=chance) for _ in range(settings.members)]
        )
        for rows in order[:, : batches * batch].split(batch, dim=1):
            said = network(x[rows], d[rows][..., None])[..., 0]
            loss = ((said - y[rows]) ** 2).mean(dim=1).sum()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    return network.eval()
