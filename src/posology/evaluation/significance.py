"""Could it be chance: bootstrap over subjects, McNemar's test, Holm's correction."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int64

from posology.evaluation.classification import Scores, Weights, unit_weights

Statistic = Callable[[Weights], Scores]
Subjects = Int64[np.ndarray, " decision"]

REPLICATES = 2000
"""Enough for the tails of a 95 % interval (Efron and Tibshirani 1993, section 14.3: over 1,000)."""
LEVEL = 0.95
_CELLS = 2_000_000  # weights held at once: 16 MB


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Difference:
    """First minus second, on the same subjects."""

    value: float
    low: float
    high: float
    p: float
    """Two-sided."""


def resample_weights(
    subject: Subjects, replicates: int, rng: np.random.Generator
) -> Iterator[Weights]:
    """Draws of subjects with replacement, as how often each decision was drawn; in blocks.

    All decisions of a subject are drawn together.
    """
    present, row = np.unique(subject, return_inverse=True)
    S = len(present)
    block = max(1, _CELLS // max(len(subject), 1))
    for start in range(0, replicates, block):
        size = min(block, replicates - start)
        draws = rng.integers(0, S, (size, S)) + S * np.arange(size)[:, None]
        counts = np.bincount(draws.ravel(), minlength=size * S).reshape(size, S)
        yield counts[:, row].astype(np.float64)


def bootstrap_replicates(
    statistic: Statistic, subject: Subjects, rng: np.random.Generator, replicates: int = REPLICATES
) -> Scores:
    """The statistic of each resample of subjects."""
    return np.concatenate([statistic(w) for w in resample_weights(subject, replicates, rng)])


def percentile_interval(value: float, replicates: Scores) -> Interval:
    """The middle 95 % of the replicates; undefined replicates are left out."""
    known = replicates[~np.isnan(replicates)]
    if not len(known):
        return Interval(value, float("nan"), float("nan"))
    low, high = np.quantile(known, ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    return Interval(value, float(low), float(high))


def bca(statistic: Statistic, subject: Subjects, replicates: Scores) -> Interval:
    """Bias-corrected and accelerated interval (Efron 1987, doi:10.2307/2289144).

    Costs one more evaluation a subject, for the jackknife.
    """
    from scipy.stats import norm

    value = float(statistic(unit_weights(len(subject)))[0])
    known = replicates[~np.isnan(replicates)]
    share = ((known < value).mean() + (known <= value).mean()) / 2
    if not 0 < share < 1:  # every replicate on one side: the correction is undefined
        return percentile_interval(value, replicates)
    jackknife = np.concatenate([statistic(w) for w in _left_out(subject)])
    pull = jackknife.mean() - jackknife
    scale = 6 * (pull**2).sum() ** 1.5
    acceleration = (pull**3).sum() / scale if scale > 0 else 0.0
    z = norm.ppf(share) + norm.ppf([(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    levels = norm.cdf(norm.ppf(share) + z / (1 - acceleration * z))
    low, high = np.quantile(known, levels)
    return Interval(value, float(low), float(high))


def _left_out(subject: Subjects) -> Iterator[Weights]:
    present, row = np.unique(subject, return_inverse=True)
    block = max(1, _CELLS // max(len(subject), 1))
    for start in range(0, len(present), block):
        left = np.arange(start, min(start + block, len(present)))
        yield (row[None, :] != left[:, None]).astype(np.float64)


def bootstrap_interval(
    statistic: Statistic, subject: Subjects, rng: np.random.Generator, replicates: int = REPLICATES
) -> Interval:
    """The statistic with its percentile interval over subjects."""
    value = float(statistic(unit_weights(len(subject)))[0])
    return percentile_interval(value, bootstrap_replicates(statistic, subject, rng, replicates))


def paired_difference(value: float, first: Scores, second: Scores) -> Difference:
    """Difference of two statistics computed on the *same* resamples.

    p is the interval inverted: twice the smaller share of replicates on one side of 0, never below
    2 / (replicates + 1) (Davison and Hinkley 1997, section 4.4). `value` is the observed
    difference.
    """
    difference = first - second
    known = difference[~np.isnan(difference)]
    if not len(known) or np.isnan(value):
        nan = float("nan")
        return Difference(value, nan, nan, nan)
    tails = [(known <= 0).sum(), (known >= 0).sum()]
    p = min(1.0, 2 * (min(tails) + 1) / (len(known) + 1))
    span = percentile_interval(value, difference)
    return Difference(value, span.low, span.high, float(p))


def mcnemar_p_value(
    first: Bool[np.ndarray, " decision"], second: Bool[np.ndarray, " decision"], mid_p: bool = True
) -> float:
    """Two-sided p that both are right equally often, from the decisions where they differ.

    Exact binomial, with the mid-p correction by default, which keeps the error rate nearer to its
    nominal level (Fagerland and others 2013, doi:10.1186/1471-2288-13-91). Decisions must be of
    different subjects.
    """
    from scipy.stats import binom

    wins, losses = int((first & ~second).sum()), int((second & ~first).sum())
    total, smaller = wins + losses, min(wins, losses)
    if wins == losses:
        return 1.0
    p = 2 * binom.cdf(smaller, total, 0.5)
    return float(min(1.0, p - binom.pmf(smaller, total, 0.5) if mid_p else p))


def holm_adjust(p: Sequence[float]) -> tuple[float, ...]:
    """Holm's step-down correction (Scand J Statist 1979;6:65); NaN stays NaN and is not counted."""
    values = np.asarray(p, dtype=float)
    adjusted = np.full(len(values), np.nan)
    order = [i for i in np.argsort(values, kind="stable") if not np.isnan(values[i])]
    highest = 0.0
    for rank, index in enumerate(order):
        highest = max(highest, min(1.0, (len(order) - rank) * values[index]))
        adjusted[index] = highest
    return tuple(float(a) for a in adjusted)
