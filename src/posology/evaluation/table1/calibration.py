"""Whether a stated probability is as frequent as it says."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64

from posology.evaluation.classification import (
    Best,
    Effectiveness,
    Scores,
    Weights,
    unit_weights,
    weighted_mean,
)
from posology.evaluation.significance import REPLICATES, Interval, Subjects, bootstrap_interval

Probability = Float64[np.ndarray, " decision"]
Happened = Bool[np.ndarray, " decision"]

BINS = 10
_EDGE = 1e-6  # probabilities of exactly 0 or 1 have no log-odds
_STEPS = 50  # Newton converges in under 10 wherever a finite answer exists


@dataclass(frozen=True, slots=True)
class CalibrationBin:
    """Decisions of alike stated probability; their observed share with Wilson's 95 % interval."""

    predicted: float
    observed: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True)
class Calibration:
    """One option's calibration; slope 1 and intercept 0 are perfect."""

    treatment: int
    bins: tuple[CalibrationBin, ...]
    ece: Interval
    slope: Interval
    """Below 1: the probabilities are too extreme."""
    intercept: Interval
    """Calibration in the large: above 0, the probabilities are too low on the whole."""


def reliability_bins(
    probability: Probability, happened: Happened, bins: int = BINS
) -> tuple[CalibrationBin, ...]:
    """Observed share in bins of equal width; empty bins are left out."""
    row = _bin(probability, bins)
    found = []
    for b in np.unique(row):
        inside = row == b
        n, hits = int(inside.sum()), int(happened[inside].sum())
        low, high = wilson(hits, n)
        found.append(CalibrationBin(float(probability[inside].mean()), hits / n, low, high, n))
    return tuple(found)


def wilson(hits: int, n: int) -> tuple[float, float]:
    """Wilson's 95 % score interval of a share (J Am Stat Assoc 1927;22:209)."""
    z2 = 1.959964**2
    share = hits / n
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = np.sqrt(z2 * (share * (1 - share) / n + z2 / (4 * n * n))) / (1 + z2 / n)
    return max(0.0, float(middle - half)), min(1.0, float(middle + half))


def expected_calibration_error(
    probability: Probability,
    happened: Happened,
    weights: Weights | None = None,
    bins: int = BINS,
) -> Scores:
    """Expected calibration error: mean gap of stated and observed, weighted by bin size."""
    w = unit_weights(len(probability)) if weights is None else weights
    one_hot = (_bin(probability, bins)[:, None] == np.arange(bins)).astype(float)
    gap = w @ (one_hot * (probability - happened)[:, None])
    return np.abs(gap).sum(axis=1) / w.sum(axis=1)


def brier(effectiveness: Effectiveness, best: Best, weights: Weights | None = None) -> Scores:
    """Squared distance to the truth summed over options (Brier 1950), 0 to 2."""
    truth = best[:, None] == np.arange(effectiveness.shape[1])
    return weighted_mean(((effectiveness - truth) ** 2).sum(axis=1), best >= 0, weights)


def calibration_slope(
    probability: Probability, happened: Happened, weights: Weights | None = None
) -> Scores:
    """Slope of the logistic recalibration (Cox, Biometrika 1958;45:562); NaN where none exists."""
    return _recalibrate(probability, happened, weights, with_slope=True)[1]


def calibration_intercept(
    probability: Probability, happened: Happened, weights: Weights | None = None
) -> Scores:
    """Shift of the log-odds at slope 1 (Van Calster 2019, doi:10.1186/s12916-019-1466-7)."""
    return _recalibrate(probability, happened, weights, with_slope=False)[0]


def assess_calibration(
    effectiveness: Effectiveness,
    best: Best,
    subject: Subjects,
    rng: np.random.Generator,
    replicates: int = REPLICATES // 4,
) -> tuple[Calibration, ...]:
    """Each option's curve and figures over the decisions whose best option is known."""
    known = best >= 0
    of = subject[known]
    found = []
    for k in range(effectiveness.shape[1]):
        p, hit = effectiveness[known, k], best[known] == k
        if hit.all() or not hit.any():
            continue
        spans = [
            bootstrap_interval(lambda w, f=f, p=p, hit=hit: f(p, hit, w), of, rng, replicates)
            for f in (expected_calibration_error, calibration_slope, calibration_intercept)
        ]
        found.append(Calibration(k, reliability_bins(p, hit), *spans))
    return tuple(found)


def _bin(probability: Probability, bins: int) -> np.ndarray:
    return np.clip((probability * bins).astype(int), 0, bins - 1)


def _recalibrate(
    probability: Probability, happened: Happened, weights: Weights | None, with_slope: bool
) -> tuple[Scores, Scores]:
    """Newton's method for all replicates at once; a fit that runs away is NaN."""
    w = unit_weights(len(probability)) if weights is None else weights
    clipped = np.clip(probability, _EDGE, 1 - _EDGE)
    x = np.log(clipped / (1 - clipped))
    a, b = np.zeros(len(w)), np.ones(len(w))
    stepped = np.full(len(w), np.inf)
    for _ in range(_STEPS):
        p = 1 / (1 + np.exp(-np.clip(a[:, None] + b[:, None] * x, -35, 35)))
        off, bend = w * (happened - p), w * p * (1 - p)
        g0, h00 = off.sum(axis=1), bend.sum(axis=1)
        if with_slope:
            g1, h01, h11 = off @ x, bend @ x, bend @ x**2
            det = h00 * h11 - h01**2
            ok = det > 1e-9 * np.maximum(h00 * h11, 1e-300)
            safe = np.where(ok, det, 1.0)
            da = np.where(ok, (h11 * g0 - h01 * g1) / safe, np.nan)
            db = np.where(ok, (h00 * g1 - h01 * g0) / safe, np.nan)
        else:
            da, db = np.where(h00 > 0, g0 / np.where(h00 > 0, h00, 1.0), np.nan), np.zeros(len(w))
        da, db = np.clip(da, -5, 5), np.clip(db, -5, 5)
        a, b, stepped = a + da, b + db, np.abs(da) + np.abs(db)
        if not (stepped > 1e-9).any():
            break
    settled = stepped <= 1e-6
    return np.where(settled, a, np.nan), np.where(settled, b, np.nan)
