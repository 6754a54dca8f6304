"""Each patient's dose-response curve, and the best dose that the data support.

A varying-coefficient network (nn/varying_coefficients.py); an ensemble gives the curve's band. The
best dose is searched where similar patients received doses (causal/dose_support.py) and within the
dose limits.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float64, Int64

from posology.causal.dose_support import DoseSupport, fit_dose_support, supported_dose_range
from posology.causal.trial import FOLDS
from posology.domain.formulary import DoseRange, is_in_range
from posology.nn.varying_coefficients import SHAPES, VaryingCoefficients

Covariates = Float64[np.ndarray, "decision feature"]
Column = Float64[np.ndarray, " decision"]

BLOCK_SIZE = 2048
"""Patients whose curves are computed at once."""
CAUTION = 1.0
"""Standard deviations between members to subtract from a dose's expected outcome: where data are
sparse, members disagree, and a dose that only seems better is not chosen. By benchmarks.dose."""
MIN_SCHEDULE_STEPS = 20
"""Minimum steps of the learning rate cycle, so that it has a rise."""


@dataclass(frozen=True, slots=True)
class DoseResponseSettings:
    """Sizes and rates are our choice, measured on simulators/dose_curves.py."""

    shape: str = "free"
    """`free`, `unimodal` or `increasing` (nn/varying_coefficients.py): prior knowledge."""
    members: int = 8
    width: int = 64
    epochs: int = 100
    batch: int = 128
    learning_rate: float = 4e-3
    """Maximum of the one-cycle schedule (Smith 2018, arXiv:1803.09820)."""
    weight_decay: float = 0.3
    seed: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class DoseResponse:
    """Fitted curves; doses and outcomes in their original units."""

    network: VaryingCoefficients
    center: Float64[np.ndarray, " feature"]
    spread: Float64[np.ndarray, " feature"]
    outcome_center: float
    outcome_spread: float
    support: DoseSupport


@dataclass(frozen=True, slots=True, eq=False)
class OptimalDoses:
    """The best dose within the support and the dose limits, before rounding."""

    dose: Column
    """NaN where no dose lies within both: then has_no_dose is recommended."""
    by_member: Float64[np.ndarray, "decision member"]
    """The best dose of each ensemble member; their spread shows the uncertainty."""
    support_low: Column
    support_high: Column
    """Similar patients received doses between `support_low` and `support_high`."""
    expected_outcome: Column
    """Expected outcome at the dose, minus the harm where it is modelled."""
    expected_harm: Column
    """Expected harm at the dose; 0 where it is not modelled."""
    member_std: Column
    """Standard deviation of the expected outcome between ensemble members."""
    is_at_edge: Bool[np.ndarray, " decision"]
    """Whether a better dose may lie outside the support."""


def fit_dose_response(
    X: Covariates,  # noqa: N803
    dose: Column,
    outcome: Column,
    settings: DoseResponseSettings,
    subject: Int64[np.ndarray, " decision"] | None = None,
) -> DoseResponse:
    """Fit the curves to one dose and outcome per decision; higher outcomes are better.

    Args:
        X: covariates.
        dose: doses given.
        outcome: outcomes after them.
        settings: of the network and the curves.
        subject: whose decision each is, so that the supported range is fitted on other patients
            than those it is checked on; None: every decision is of another patient.
    """
    if settings.shape not in SHAPES:
        raise ValueError(f"shape {settings.shape!r}: choose one of {', '.join(SHAPES)}")
    rng = np.random.default_rng(settings.seed)
    row = np.unique(np.arange(len(X)) if subject is None else subject, return_inverse=True)[1]
    fold = (rng.permutation(row.max() + 1) % FOLDS)[row]
    support = fit_dose_support(X, dose, fold)
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
    """Expected outcome of each dose for each patient, by each ensemble member."""
    Z = np.nan_to_num((X - response.center) / response.spread)
    scaled_doses = torch.as_tensor(_share(response.support, doses), dtype=torch.float32)
    members = response.network.linear.shape[0]
    predicted = []
    with torch.no_grad():
        for start in range(0, len(Z), BLOCK_SIZE):
            block = torch.as_tensor(Z[start : start + BLOCK_SIZE], dtype=torch.float32)
            predicted.append(
                response.network(block.expand(members, -1, -1), scaled_doses[None, None]).numpy()
            )
    scaled = np.concatenate(predicted, axis=1).astype(np.float64)
    return scaled * response.outcome_spread + response.outcome_center


def lower_curve(
    members: Float64[np.ndarray, "member decision dose"], shape: str
) -> Float64[np.ndarray, "decision dose"]:
    """The mean curve, minus the disagreement of members where the shape is free.

    A declared shape ties the curve's ends to its middle; a lower bound there would only shift the
    best dose.
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
    """The dose that maximises the lower curve, on `steps` + 1 evenly spaced doses.

    Args:
        harm_response: harm by dose in the outcome's unit, subtracted from the outcome.
    """
    support = response.support
    doses = np.linspace(support.dose_low, support.dose_high, steps + 1)
    members = predict_curves(response, X, doses)
    harms = (
        np.zeros_like(members) if harm_response is None else predict_curves(harm_response, X, doses)
    )
    members = members - harms
    mean, lower = members.mean(axis=0), lower_curve(members, response.network.shape)
    low, high = supported_dose_range(support, X)
    supported = (doses >= low[:, None]) & (doses <= high[:, None])
    allowed = supported if limits is None else supported & is_in_range(doses, limits)
    has_no_dose = ~allowed.any(axis=1)
    row, best = np.arange(len(X)), np.where(allowed, lower, -np.inf).argmax(axis=1)
    best_outside = np.where(supported, -np.inf, mean).max(axis=1)
    each = doses[np.where(allowed, members, -np.inf).argmax(axis=2)].T
    return OptimalDoses(
        dose=np.where(has_no_dose, np.nan, doses[best]),
        by_member=np.where(allowed.any(axis=1, keepdims=True), each, np.nan),
        support_low=low,
        support_high=high,
        expected_outcome=np.where(has_no_dose, np.nan, mean[row, best]),
        expected_harm=np.where(has_no_dose, np.nan, harms.mean(axis=0)[row, best]),
        member_std=np.where(has_no_dose, np.nan, members[:, row, best].std(axis=0)),
        is_at_edge=has_no_dose | (best_outside > mean[row, best]),
    )


def _share(support: DoseSupport, dose: np.ndarray) -> np.ndarray:
    return (dose - support.dose_low) / (support.dose_high - support.dose_low)


def _trained(
    X: Covariates,  # noqa: N803
    dose: Column,
    outcome: Column,
    settings: DoseResponseSettings,
) -> VaryingCoefficients:
    """Minimise squared error; every member sees the patients in its own random order."""
    device = torch.device("cpu")
    generator = torch.Generator(device).manual_seed(settings.seed)
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
            [torch.randperm(len(x), generator=generator) for _ in range(settings.members)]
        )
        for rows in order[:, : batches * batch].split(batch, dim=1):
            predicted = network(x[rows], d[rows][..., None])[..., 0]
            loss = ((predicted - y[rows]) ** 2).mean(dim=1).sum()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    return network.eval()
