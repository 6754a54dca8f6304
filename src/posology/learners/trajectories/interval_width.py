"""Widen or narrow prediction intervals so that they cover on validation patients, by horizon.

Split conformal prediction with a score relative to the interval's own half-width (Papadopoulos et
al. 2002; Lei et al. 2018, JASA 113:1094): intervals keep their shape and get one factor a horizon.
Patients, not visits, are the unit: each patient counts once, however many visits there are.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

from posology.domain.outcome_trajectories import PlannedOutcomes

COVERAGE = 0.90
FEWEST_CHECKED = 20
"""Patients in each half, below which a coverage says nothing."""


@dataclass(frozen=True, slots=True)
class CoverageCheck:
    """How often intervals held what was observed, in patients who did not set their width."""

    patients: int
    covered: tuple[float, ...]
    """Share after each step; each patient counts once."""


def check_coverage(
    predicted: PlannedOutcomes,
    observed: Float64[np.ndarray, "plan horizon"],
    subject: Int64[np.ndarray, " plan"],
    rng: np.random.Generator,
) -> CoverageCheck | None:
    """Each half of the patients with intervals as wide as the other half needs.

    None where there are too few. `predicted`: intervals before any factor.
    """
    patients = np.unique(subject)
    if len(patients) < 2 * FEWEST_CHECKED:
        return None
    first = np.isin(subject, rng.permutation(patients)[: len(patients) // 2])
    inside = np.empty(observed.shape)
    for judged in (first, ~first):
        others = width_factors(_at(predicted, ~judged), observed[~judged], subject[~judged])
        own = scale_intervals(_at(predicted, judged), others)
        inside[judged] = (own.low <= observed[judged]) & (observed[judged] <= own.high)
    _, patient, visits = np.unique(subject, return_inverse=True, return_counts=True)
    covered = np.average(inside, axis=0, weights=1 / visits[patient])
    return CoverageCheck(len(patients), tuple(float(share) for share in covered))


def _at(predicted: PlannedOutcomes, rows: Bool[np.ndarray, " plan"]) -> PlannedOutcomes:
    return PlannedOutcomes(predicted.mean[rows], predicted.low[rows], predicted.high[rows])


def width_factors(
    predicted: PlannedOutcomes,
    observed: Float64[np.ndarray, "plan horizon"],
    subject: Int64[np.ndarray, " plan"],
    coverage: float = COVERAGE,
) -> Float64[np.ndarray, " horizon"]:
    """Factor of the half-width, by horizon, at which the intervals cover."""
    p = predicted
    below, above = p.mean - p.low, p.high - p.mean
    side = np.where(observed < p.mean, below, above)
    score = np.abs(observed - p.mean) / np.maximum(side, 1e-12 * (1 + np.abs(p.mean)))
    _, patient, visits = np.unique(subject, return_inverse=True, return_counts=True)
    weight = 1 / visits[patient]
    level = min(1.0, coverage * (1 + 1 / len(visits)))
    factors = np.empty(score.shape[1])
    for horizon in range(score.shape[1]):
        order = np.argsort(score[:, horizon])
        share = np.cumsum(weight[order]) / weight.sum()
        last = min(int(np.searchsorted(share, level)), len(order) - 1)
        factors[horizon] = score[order[last], horizon]
    return factors


def scale_intervals(
    predicted: PlannedOutcomes, factors: Float64[np.ndarray, " horizon"]
) -> PlannedOutcomes:
    """The intervals with their half-widths times the factor of each horizon."""
    p = predicted
    f = factors[: p.mean.shape[1]]
    return PlannedOutcomes(p.mean, p.mean - f * (p.mean - p.low), p.mean + f * (p.high - p.mean))
