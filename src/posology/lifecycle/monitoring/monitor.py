"""One monitor: a score of each decision, its distribution in the reference, and its limits.

A score takes a few values in [0, 1], so that a month is a handful of counts. The mean of the score
is what is watched. What is allowed is stated in two steps: a confidence interval of the mean in the
population that the reference was drawn from, since the reference is a sample too, and around it a
tolerance, since a drift without consequence need not alarm.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import rel_entr

from posology.lifecycle.monitoring.scores import Score

INPUTS, MISSINGNESS, BEHAVIOUR = "inputs", "missingness", "behaviour"
OUTCOMES, CALIBRATION, VALUE = "outcomes", "calibration", "value"
KINDS = (INPUTS, MISSINGNESS, BEHAVIOUR, OUTCOMES, CALIBRATION, VALUE)
"""What is watched; every kind has an equal part in the rate of false alarms."""

TOLERANCE = 1.25
"""Factor by which the odds of a mean score may change: a share of 50 % may become 44 or 56 %, one
of 5 % 4 or 6.2 %, and a normal input may shift by 0.2 standard deviations. Our choice."""
OUTCOME_TOLERANCE = 1.1
"""The same of outcomes, calibration and value: a rate of 65 % may fall to 62.8 %, and predictions
may be wrong by 5 in 100 on average. Our choice."""
REFERENCE_ERROR = 0.001
"""Probability that any of the confidence intervals of the reference misses its mean."""
RANK_VARIANCE, RESIDUAL_VARIANCE = 1 / 12, 1 / 16
"""Of the sampling error of a mean rank (uniform), and of a mean residual, whose range given its
prediction is half of [0, 1] (Hoeffding's lemma)."""


@dataclass(frozen=True, slots=True)
class Monitor:
    """A score and its reference."""

    name: str
    """What it watches, in words."""
    kind: str
    """One of KINDS."""
    score: Score
    counts: tuple[int, ...]
    """Decisions of the reference with each of the score's values."""
    patients: int
    """Patients of the reference with a score."""
    variance: float | None = None
    """Sub-Gaussian variance of the mean score of one patient; None of a share, whose interval is
    Chernoff's."""
    tolerance: float = TOLERANCE
    """Factor by which the odds of the mean may change."""
    is_only_lower: bool = False
    """Whether only a fall matters."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Where the mean score may lie."""

    reference: float
    low: float
    high: float


def find_limits(monitor: Monitor, error: float) -> Limits:
    """The limits of a monitor.

    Args:
        error: probability with which the reference's interval may miss its mean.
    """
    mean, _ = _moments(monitor)
    if monitor.variance is None:
        low, high = _chernoff_interval(mean, monitor.patients, error)
    else:
        reach = float(np.sqrt(2 * monitor.variance * np.log(2 / error) / monitor.patients))
        low, high = max(mean - reach, 0.0), min(mean + reach, 1.0)
    factor = monitor.tolerance
    return Limits(mean, change_odds(low, 1 / factor), change_odds(high, factor))


def change_odds(share: float, factor: float) -> float:
    """The share whose odds are this many times as large."""
    return factor * share / (1 - share + factor * share)


def score_variance(monitor: Monitor) -> float:
    """Variance of the score in the reference."""
    return _moments(monitor)[1]


def _moments(monitor: Monitor) -> tuple[float, float]:
    """Mean and variance of the score in the reference."""
    counts, values = np.array(monitor.counts, dtype=np.float64), np.array(monitor.score.values)
    mean = float(counts @ values / counts.sum())
    return mean, float(counts @ (values - mean) ** 2 / counts.sum())


def _chernoff_interval(share: float, n: int, error: float) -> tuple[float, float]:
    """Means m with n KL(share, m) <= log(2 / error): valid at any n, for any score in [0, 1]."""
    limit = float(np.log(2 / error)) / n
    return _solve(share, 0.0, limit), _solve(share, 1.0, limit)


def _solve(share: float, end: float, limit: float) -> float:
    """The mean between the share and an end at which the divergence reaches the limit."""
    inside, outside = share, end
    for _ in range(50):
        middle = (inside + outside) / 2
        divergence = rel_entr(share, middle) + rel_entr(1 - share, 1 - middle)
        inside, outside = (middle, outside) if divergence <= limit else (inside, middle)
    return outside
