"""Two intervals of the right dose: one to plan for, and a wider one to be ready for.

*Be ready for* covers the patients of every band of the right dose (low, medium, high) equally
often: a dose y is kept if its score is below the quantile of the scores of y's own band, and the
interval is the hull of what is kept. Intervals that are calibrated over all patients, or over
groups of the predicted dose, miss most of those who truly need much. *Plan for* is narrower: split
conformal on the square-root scale within thirds of the predicted dose, cut to the wider interval.
"""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from jaxtyping import Float64, Int64

from posology.advice.uncertainty.thresholds import (
    Groups,
    Inside,
    Thresholds,
    conformal_quantile,
    fit_margins,
    fit_thresholds,
    largest,
    needed_inside,
    thresholds_of,
    with_margin,
)

Dose = Float64[np.ndarray, " decision"]
BandProbability = Float64[np.ndarray, "decision band"]

COVERAGE = 0.80
"""Nominal share of patients whose right dose lies in an interval; our choice."""
BAND_WEIGHT = 0.1
"""Weight of the probability of a dose's band in its score; our choice, by cross-validation inside
IWPC: with 0, intervals are wider; with 0.3, small groups are covered less."""
_LEAST_PROBABILITY = 1e-3
_THIRDS = 3
_NOTHING = Thresholds((None,) * _THIRDS, (0,) * _THIRDS, ())


@dataclass(frozen=True, slots=True)
class DoseBand:
    """Right doses from `low` to `high`: a class of the study, or a third of the patients."""

    low: float
    high: float
    has_high: bool = True
    """Whether `high` itself belongs to this band, and not to the next one."""


@dataclass(frozen=True, slots=True, eq=False)
class DosePredictions:
    """What a policy said of patients that it did not learn from."""

    dose: Dose
    """Above 0; NaN where none was given."""
    band_probability: BandProbability | None
    """P(the right dose lies in each band); None if the policy predicts none."""
    groups: Groups

    def __len__(self) -> int:
        return len(self.dose)


@dataclass(frozen=True, slots=True)
class DoseIntervals:
    """The thresholds of both intervals, and the bands of the right dose."""

    coverage: float
    bands: tuple[DoseBand, ...]
    """In order."""
    spread: float
    """Standard deviation of the logarithm of right over predicted dose."""
    band_weight: float
    ready: Thresholds
    """Score of a dose within its band: z^2 / 2 minus the weighted log-probability of the band."""
    plan_cuts: tuple[float, ...]
    """Predicted doses that cut the patients into thirds."""
    plan: Thresholds
    """Distance on the square-root scale, by third of the predicted dose."""
    patients: int
    """Number of patients that the thresholds are from."""


@dataclass(frozen=True, slots=True, eq=False)
class IntervalBounds:
    """Both intervals of each decision, in the dose's unit."""

    plan_low: Dose
    plan_high: Dose
    ready_low: Dose
    ready_high: Dose


def fit_dose_intervals(
    predicted: DosePredictions,
    right: Dose,
    bands: tuple[DoseBand, ...],
    coverage: float = COVERAGE,
) -> DoseIntervals | None:
    """Both intervals from patients not used for fitting; None if too few right doses are known."""
    known = (predicted.dose > 0) & (right > 0)  # False for NaN
    predicted, right = _select(predicted, known), right[known]
    if conformal_quantile(right, coverage) is None:
        return None
    bands = bands or _thirds_as_bands(right)
    error = np.log(right) - np.log(predicted.dose)
    spread = float(max(np.sqrt(np.mean(error**2)), 1e-6))
    weight = 0.0 if predicted.band_probability is None else BAND_WEIGHT
    band = band_of(right, bands)
    support = _log_support(predicted, weight, len(bands))
    scores = (error / spread) ** 2 / 2 - support[np.arange(len(right)), band]
    ready = fit_thresholds(scores, band, len(bands), coverage)
    cuts = tuple(np.quantile(predicted.dose, np.arange(1, _THIRDS) / _THIRDS).tolist())
    found = DoseIntervals(coverage, bands, spread, weight, ready, cuts, _NOTHING, len(right))
    found = _without_excess(found, predicted, right, band)
    found = _with_ready_margins(found, predicted, right)
    low, high = _ready_bounds(found, predicted)
    distance = np.abs(np.sqrt(right) - np.sqrt(predicted.dose))
    reach = np.where((low <= right) & (right <= high), distance, np.inf)
    third = np.searchsorted(np.array(cuts), predicted.dose).astype(np.int64)
    found = replace(found, plan=fit_thresholds(reach, third, _THIRDS, coverage))
    return _with_plan_margins(found, predicted, right)


def _without_excess(
    found: DoseIntervals, predicted: DosePredictions, right: Dose, band: Int64[np.ndarray, " _"]
) -> DoseIntervals:
    """Lower thresholds where the hull with other bands covers a band more often than it should.

    The band with most patients first; enough of its patients stay inside for the next one.
    """
    by_size = np.argsort(-np.bincount(band, minlength=len(found.bands)), kind="stable")
    for number in by_size.tolist():
        found = _lowered(found, predicted, right, number, band == number)
    return found


def _lowered(
    found: DoseIntervals, predicted: DosePredictions, right: Dose, number: int, here: Inside
) -> DoseIntervals:
    """The lowest threshold of one band at which enough of its own patients are covered."""
    limit, needed = found.ready.parts[number], needed_inside(int(here.sum()), found.coverage)
    if limit is None:
        return found

    def lowered(less: float) -> DoseIntervals:
        parts = (*found.ready.parts[:number], limit - less, *found.ready.parts[number + 1 :])
        return replace(found, ready=replace(found.ready, parts=parts))

    def is_enough(less: float) -> bool:
        low, high = _ready_bounds(lowered(less), predicted)
        return bool(((low <= right) & (right <= high))[here].sum() >= needed)

    return lowered(largest(is_enough))


def _with_ready_margins(
    found: DoseIntervals, predicted: DosePredictions, right: Dose
) -> DoseIntervals:
    """The wide interval, with a margin for each group that it covers too rarely."""

    def inside(margin: float) -> Inside:
        low, high = _ready_bounds(replace(found, ready=with_margin(found.ready, margin)), predicted)
        return (low <= right) & (right <= high)

    margins = fit_margins(predicted.groups, found.coverage, inside)
    return replace(found, ready=replace(found.ready, groups=margins))


def _with_plan_margins(
    found: DoseIntervals, predicted: DosePredictions, right: Dose
) -> DoseIntervals:
    """The narrow interval, with a margin for each group that it covers too rarely."""

    def inside(margin: float) -> Inside:
        widened = replace(found, plan=with_margin(found.plan, margin))
        bounds = dose_intervals(widened, predicted)
        return (bounds.plan_low <= right) & (right <= bounds.plan_high)

    margins = fit_margins(predicted.groups, found.coverage, inside)
    return replace(found, plan=replace(found.plan, groups=margins))


def dose_intervals(intervals: DoseIntervals, predicted: DosePredictions) -> IntervalBounds:
    """Both intervals around predicted doses; *plan for* lies within *be ready for*."""
    low, high = _ready_bounds(intervals, predicted)
    third = np.searchsorted(np.array(intervals.plan_cuts), predicted.dose)
    radius = thresholds_of(intervals.plan, predicted.groups)
    own = radius[np.arange(len(third)), third]
    root = np.sqrt(np.maximum(predicted.dose, 0.0))
    return IntervalBounds(
        plan_low=np.clip(np.maximum(root - own, 0.0) ** 2, low, high),
        plan_high=np.clip((root + own) ** 2, low, high),
        ready_low=low,
        ready_high=high,
    )


def band_of(dose: Dose, bands: tuple[DoseBand, ...]) -> Int64[np.ndarray, " decision"]:
    """Number of the band of each dose; a dose between or outside them has the next lower one."""
    number = np.zeros(len(dose), dtype=np.int64)
    for below, above in pairwise(bands):
        is_above = dose > below.high if below.has_high else dose >= above.low
        number += is_above & (dose >= above.low)
    return number


def _ready_bounds(intervals: DoseIntervals, predicted: DosePredictions) -> tuple[Dose, Dose]:
    """Hull over the bands of the doses that are kept."""
    bands = len(intervals.bands)
    kept = thresholds_of(intervals.ready, predicted.groups)
    kept = kept + _log_support(predicted, intervals.band_weight, bands)
    is_kept = kept >= 0
    radius = intervals.spread * np.sqrt(2 * np.clip(kept, 0.0, None))
    dose = np.maximum(predicted.dose, 1e-9)[:, None]
    edges = np.array([(band.low, band.high) for band in intervals.bands])
    with np.errstate(over="ignore"):
        low = np.maximum(dose * np.exp(-radius), edges[:, 0])
        high = np.minimum(dose * np.exp(radius), edges[:, 1])
    is_kept &= low <= high
    nearest = np.clip(predicted.dose, edges[0, 0], edges[-1, 1])
    is_empty = ~is_kept.any(axis=1)
    least = np.where(is_kept, low, np.inf).min(axis=1)
    most = np.where(is_kept, high, -np.inf).max(axis=1)
    return np.where(is_empty, nearest, least), np.where(is_empty, nearest, most)


def _log_support(predicted: DosePredictions, weight: float, bands: int) -> BandProbability:
    """Weighted log-probability of each band; 0 where the policy predicts none."""
    probability = predicted.band_probability
    if probability is None or weight == 0:
        return np.zeros((len(predicted), bands))
    return weight * np.log(np.clip(probability, _LEAST_PROBABILITY, 1.0))


def _thirds_as_bands(right: Dose) -> tuple[DoseBand, ...]:
    """Thirds of the right doses, for studies without classes of the dose.

    The outer ends lie beyond all doses of a bell of logarithms with this middle third, and tell of
    no single patient.
    """
    cuts = np.quantile(right, np.arange(1, _THIRDS) / _THIRDS)
    reach = 2 * (cuts[-1] / cuts[0]) ** 4
    edges = [cuts[0] / reach, *cuts, cuts[-1] * reach]
    return tuple(DoseBand(float(low), float(high)) for low, high in pairwise(edges))


def _select(predicted: DosePredictions, keep: np.ndarray) -> DosePredictions:
    probability = predicted.band_probability
    names, members = predicted.groups
    return DosePredictions(
        predicted.dose[keep],
        None if probability is None else probability[keep],
        (names, members[keep]),
    )
