"""Calibration: whether predicted probabilities match observed frequencies."""

from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import Bool, Float64, Int64

from posology.evaluation.classification import Best, Effectiveness
from posology.evaluation.intervals import (
    REPLICATES,
    Interval,
    Scores,
    Subjects,
    Weights,
    clustered_interval,
    clustered_wilson_interval,
    unit_weights,
)

Probability = Float64[np.ndarray, " decision"]
Observed = Bool[np.ndarray, " decision"]

BINS = 10
_EDGE = 1e-6  # probabilities of exactly 0 or 1 have no log-odds
_MAX_STEPS = 50  # Newton converges in under 10 wherever a finite solution exists


@dataclass(frozen=True, slots=True)
class CalibrationBin:
    """Decisions of similar predicted probability; the observed share has Wilson's interval.

    Several decisions of a patient, or of a held-out site, count for less in it.
    """

    predicted: float
    observed: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True)
class Calibration:
    """Calibration of one option's probabilities; slope 1 and intercept 0 are perfect."""

    treatment: int
    bins: tuple[CalibrationBin, ...]
    ece: Interval
    slope: Interval
    """Below 1 if the probabilities are too extreme."""
    intercept: Interval
    """Calibration in the large: above 0 if the probabilities are too low on average."""


def reliability_bins(
    probability: Probability,
    observed: Observed,
    cluster: Int64[np.ndarray, " decision"] | None = None,
    bins: int = BINS,
) -> tuple[CalibrationBin, ...]:
    """Observed share of the event in bins of equal width; empty bins are left out.

    Args:
        probability: predicted.
        observed: whether the event occurred.
        cluster: patient or site of each decision; by default each is of another patient.
        bins: number of bins.
    """
    bin_of = _bin_index(probability, bins)
    of_cluster = np.arange(len(probability)) if cluster is None else cluster
    rows = []
    for b in np.unique(bin_of):
        inside = bin_of == b
        n, events = int(inside.sum()), int(observed[inside].sum())
        low, high = clustered_wilson_interval(observed[inside], of_cluster[inside])
        rows.append(CalibrationBin(float(probability[inside].mean()), events / n, low, high, n))
    return tuple(rows)


def expected_calibration_error(
    probability: Probability,
    observed: Observed,
    weights: Weights | None = None,
    bins: int = BINS,
) -> Scores:
    """Mean gap between predicted and observed share, weighted by bin size (ECE)."""
    w = unit_weights(len(probability)) if weights is None else weights
    one_hot = (_bin_index(probability, bins)[:, None] == np.arange(bins)).astype(float)
    gap = w @ (one_hot * (probability - observed)[:, None])
    return np.abs(gap).sum(axis=1) / w.sum(axis=1)


def calibration_slope(
    probability: Probability, observed: Observed, weights: Weights | None = None
) -> Scores:
    """Slope of the logistic recalibration (Cox, Biometrika 1958;45:562); NaN if it has none."""
    return _recalibrate(probability, observed, weights, with_slope=True)[1]


def calibration_intercept(
    probability: Probability, observed: Observed, weights: Weights | None = None
) -> Scores:
    """Shift of the log-odds at slope 1 (Van Calster 2019, doi:10.1186/s12916-019-1466-7)."""
    return _recalibrate(probability, observed, weights, with_slope=False)[0]


def assess_calibration(
    effectiveness: Effectiveness,
    best: Best,
    subject: Subjects,
    rng: np.random.Generator,
    replicates: int = REPLICATES // 4,
    site: Int64[np.ndarray, " decision"] | None = None,
) -> tuple[Calibration, ...]:
    """Each option's calibration over the decisions whose best option is known.

    Args:
        effectiveness: predicted probability of each option.
        best: the best option, -1 where it is unknown.
        subject: of each decision.
        rng: of the resamples.
        replicates: number of resamples.
        site: of each decision, if whole sites were held out; intervals are then over sites.
    """
    known = best >= 0
    known_subject, known_site = subject[known], None if site is None else site[known]
    cluster = known_subject if known_site is None else known_site
    rows = []
    for k in range(effectiveness.shape[1]):
        p, is_best = effectiveness[known, k], best[known] == k
        if is_best.all() or not is_best.any():
            continue
        estimates = [
            clustered_interval(
                partial(statistic, p, is_best), known_subject, known_site, rng, replicates
            )
            for statistic in (expected_calibration_error, calibration_slope, calibration_intercept)
        ]
        rows.append(Calibration(k, reliability_bins(p, is_best, cluster), *estimates))
    return tuple(rows)


def _bin_index(probability: Probability, bins: int) -> Int64[np.ndarray, " decision"]:
    return np.clip((probability * bins).astype(np.int64), 0, bins - 1)


def _recalibrate(
    probability: Probability, observed: Observed, weights: Weights | None, with_slope: bool
) -> tuple[Scores, Scores]:
    """Intercept and slope by Newton's method, all replicates at once; NaN where it diverges."""
    from scipy.special import expit, logit

    w = unit_weights(len(probability)) if weights is None else weights
    x = logit(np.clip(probability, _EDGE, 1 - _EDGE))
    a, b = np.zeros(len(w)), np.ones(len(w))
    last_step = np.full(len(w), np.inf)
    for _ in range(_MAX_STEPS):
        p = expit(np.clip(a[:, None] + b[:, None] * x, -35, 35))
        residual, variance = w * (observed - p), w * p * (1 - p)
        g0, h00 = residual.sum(axis=1), variance.sum(axis=1)  # gradient and Hessian
        if with_slope:
            g1, h01, h11 = residual @ x, variance @ x, variance @ x**2
            det = h00 * h11 - h01**2
            is_regular = det > 1e-9 * np.maximum(h00 * h11, 1e-300)
            safe = np.where(is_regular, det, 1.0)
            da = np.where(is_regular, (h11 * g0 - h01 * g1) / safe, np.nan)
            db = np.where(is_regular, (h00 * g1 - h01 * g0) / safe, np.nan)
        else:
            da, db = np.where(h00 > 0, g0 / np.where(h00 > 0, h00, 1.0), np.nan), np.zeros(len(w))
        da, db = np.clip(da, -5, 5), np.clip(db, -5, 5)
        a, b, last_step = a + da, b + db, np.abs(da) + np.abs(db)
        if not (last_step > 1e-9).any():
            break
    has_converged = last_step <= 1e-6
    return np.where(has_converged, a, np.nan), np.where(has_converged, b, np.nan)
