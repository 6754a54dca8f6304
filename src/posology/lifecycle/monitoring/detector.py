"""All monitors together: time-uniform evidence of a change, with a stated rate of false alarms.

Each monitor bets against "the mean score is within its limits" (Waudby-Smith and Ramdas 2024,
JRSS-B 86:1): a month with scores x multiplies a bet by e = prod(1 + lambda (x - limit)), whose
expectation is at most 1 for any distribution within the limits, at any number of patients. Bets of
several sizes and both directions are averaged, since the size of a change is not known.

A change may begin in any month, so every month starts a new bet, and their values are summed. This
is the Shiryaev-Roberts e-detector (Shin, Ramdas and Rinaldo 2024, NEJSDS): R = e (R + 1), month by
month. The weighted mean R of all monitors' detectors is again one, whatever their dependence. An
alarm is R >= 1,000, after which R starts from 0.

False alarms: without a change R grows by at most 1 a month on average, and an alarm takes at least
1,000 from it. So R + 1,000 (alarms so far) - (months so far) is a supermartingale from 0, R is not
negative, and the expected number of alarms in any number of months is at most a thousandth of it,
restarts included. It holds if the reference's intervals hold, which fails once in 1,000 references.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64
from scipy.special import logsumexp

from posology.lifecycle.monitoring.monitor import (
    KINDS,
    REFERENCE_ERROR,
    Limits,
    Monitor,
    change_odds,
    find_limits,
    score_variance,
)

MONTHS_PER_FALSE_ALARM = 1000
ALTERNATIVES = (1.1, 1.3, 1.6, 2.0, 3.0, 6.0)
"""Factors of the odds beyond the limit that the bets are sized for."""
MOST_STAKED = 0.95
"""Largest part of a bet's value that one decision can lose."""
ABOVE, BELOW = 0, 1
"""The two directions of a change."""


@dataclass(frozen=True, slots=True, eq=False)
class Detector:
    """The bets of all monitors."""

    monitors: tuple[Monitor, ...]
    limits: tuple[Limits, ...]
    log_factor: Float64[np.ndarray, "monitor direction bet score"]
    """Logarithm of the factor of a bet by one decision with each score; 0 beyond the scores."""
    log_weight: Float64[np.ndarray, "monitor direction bet"]
    """Logarithm of each bet's part of the whole, over 1,000; they sum to at most a
    thousandth."""


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """What the months showed; an alarm at 1."""

    total: Float64[np.ndarray, " month"]
    """Evidence of all monitors together at the end of each month."""
    by_monitor: Float64[np.ndarray, "month monitor direction"]
    """Each one's part of it."""
    is_alarm: Bool[np.ndarray, " month"]


def make_detector(monitors: Sequence[Monitor]) -> Detector:
    """The bets of some monitors; ValueError without any."""
    if not monitors:
        raise ValueError("a detector needs at least one monitor")
    parts = _parts(monitors)
    limits = tuple(
        find_limits(monitor, REFERENCE_ERROR * part)
        for monitor, part in zip(monitors, parts, strict=True)
    )
    shape = (len(monitors), 2, len(ALTERNATIVES))
    log_factor = np.zeros((*shape, max(len(monitor.score.values) for monitor in monitors)))
    is_used = np.zeros(shape, dtype=bool)
    for row, (monitor, limit) in enumerate(zip(monitors, limits, strict=True)):
        scores = np.array(monitor.score.values)
        for direction in (ABOVE, BELOW):
            stakes = _stakes(monitor, limit, direction)
            gain = scores - limit.high if direction == ABOVE else limit.low - scores
            log_factor[row, direction, :, : len(scores)] = np.log1p(stakes[:, None] * gain)
            is_used[row, direction] = stakes > 0
    bets = np.maximum(is_used.sum(axis=(1, 2)), 1)
    weight = is_used * (parts / bets)[:, None, None]
    with np.errstate(divide="ignore"):
        log_weight = np.log(weight / MONTHS_PER_FALSE_ALARM)
    return Detector(tuple(monitors), limits, log_factor, log_weight)


def weigh_months(
    detector: Detector, counts: Float64[np.ndarray, "month monitor score"]
) -> Evidence:
    """The evidence month by month from the decisions with each score of each month.

    counts: as `stack_counts` makes them. A month without scores of a monitor leaves it as it was.
    """
    log_e = np.einsum("tmk,mdbk->tmdb", counts, detector.log_factor, optimize=True)
    is_seen = counts.sum(axis=2) > 0
    months, monitors = is_seen.shape
    by_monitor, is_alarm = np.zeros((months, monitors, 2)), np.zeros(months, dtype=bool)
    value = np.full(detector.log_weight.shape, -np.inf)
    for month in range(months):
        started = np.where(is_seen[month][:, None, None], np.logaddexp(value, 0.0), value)
        value = started + log_e[month]
        part = logsumexp(value + detector.log_weight, axis=2)
        by_monitor[month] = np.exp(np.minimum(part, _MOST))
        is_alarm[month] = logsumexp(part) >= 0
        if is_alarm[month]:
            value = np.full_like(value, -np.inf)
    return Evidence(by_monitor.sum(axis=(1, 2)), by_monitor, is_alarm)


_MOST = 600.0
"""Largest logarithm of evidence that is kept: a number must hold the sum."""


def stack_counts(
    detector: Detector, months: Sequence[Sequence[Sequence[float]]]
) -> Float64[np.ndarray, "month monitor score"]:
    """Counts of each month and monitor, in the order of the detector, as one array."""
    counts = np.zeros((len(months), len(detector.monitors), detector.log_factor.shape[3]))
    for month, rows in enumerate(months):
        for row, values in enumerate(rows):
            counts[month, row, : len(values)] = values
    return counts


def name_alarm(part: Float64[np.ndarray, " monitor"]) -> list[int]:
    """The fewest monitors without which there would be no alarm, the strongest first.

    part: evidence of each monitor in the month of the alarm.
    """
    order = np.argsort(-part, kind="stable")
    left = np.cumsum(part[order][::-1])[::-1]  # evidence of this monitor and all weaker ones
    return [int(row) for row in order[left >= 1.0]]


def _stakes(monitor: Monitor, limits: Limits, direction: int) -> Float64[np.ndarray, " bet"]:
    """Stakes that grow fastest at each alternative; 0 where there is nothing beyond the limit."""
    edge = limits.high if direction == ABOVE else limits.low
    room = edge if direction == ABOVE else 1 - edge  # what one decision can lose at a stake of 1
    if (monitor.is_only_lower and direction == ABOVE) or not 0 < edge < 1:
        return np.zeros(len(ALTERNATIVES))
    factors = ALTERNATIVES if direction == ABOVE else tuple(1 / x for x in ALTERNATIVES)
    distance = np.array([abs(change_odds(edge, factor) - edge) for factor in factors])
    variance = edge * (1 - edge) if monitor.variance is None else score_variance(monitor)
    return np.minimum(distance / max(variance, 1e-12), MOST_STAKED / room)


def _parts(monitors: Sequence[Monitor]) -> Float64[np.ndarray, " monitor"]:
    """Part of each monitor in both errors: equal among kinds, and among the monitors of a kind."""
    kind = np.array([KINDS.index(monitor.kind) for monitor in monitors])
    sizes = np.bincount(kind)
    return 1 / (np.count_nonzero(sizes) * sizes[kind])
