"""How every interval is made: bootstrap over subjects, jackknife over sites, Wilson's interval.

A statistic takes `weights`, one row per replicate and one column per decision: how often a resample
drew each decision. It returns one number per replicate, so that thousands of resamples are a few
matrix products. To change an interval (its level, its replicates, its formula), change this file.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

from posology.domain.statistics.wilson import Z_95 as Z_95
from posology.domain.statistics.wilson import wilson_limits

Weights = Float64[np.ndarray, "replicate decision"]
Scores = Float64[np.ndarray, " replicate"]
Subjects = Int64[np.ndarray, " decision"]
Statistic = Callable[[Weights], Scores]

REPLICATES = 2000
"""Enough for the tails of a 95 % interval (Efron and Tibshirani 1993, section 14.3: over 1,000)."""
LEVEL = 0.95
MAX_CLUSTERS = 2000
"""Above so many subjects, random groups of subjects are drawn instead of subjects; our choice.

Groups of independent subjects are as independent as subjects, so that their resamples have the same
variance (random groups: Wolter 2007, Introduction to Variance Estimation, chapter 2). 2,000 of them
estimate a standard error within 1.6 %, which is also the Monte Carlo error of 2,000 replicates.
"""
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


def unit_weights(decisions: int) -> Weights:
    """The weights that count each decision once."""
    return np.ones((1, decisions))


def weighted_mean(
    values: Float64[np.ndarray, " decision"],
    known: Bool[np.ndarray, " decision"],
    weights: Weights | None,
) -> Scores:
    """Mean of the known values; NaN where the known values have no weight."""
    w = unit_weights(len(values)) if weights is None else weights
    w = w[:, known]
    return weighted_ratio(w @ values[known], w.sum(axis=1))


def weighted_ratio(numerator: Scores, denominator: Scores) -> Scores:
    """Ratio of each replicate; NaN where the denominator is not above 0."""
    undefined = np.full(len(numerator), np.nan)
    return np.divide(numerator, denominator, out=undefined, where=denominator > 0)


def resample_weights(
    subject: Subjects, replicates: int, rng: np.random.Generator
) -> Iterator[Weights]:
    """Draw subjects with replacement and yield the weights of their decisions, in blocks.

    All decisions of a subject are drawn together, and above MAX_CLUSTERS subjects all those of a
    random group of subjects.
    """
    cluster = assign_clusters(subject, rng)
    for counts in _draw_counts(cluster, len(subject), replicates, rng):
        yield counts[:, cluster]


def assign_clusters(subject: Subjects, rng: np.random.Generator) -> Subjects:
    """The unit that each decision is drawn with, from 0: its subject or its group of subjects."""
    present, row = np.unique(subject, return_inverse=True)
    if len(present) <= MAX_CLUSTERS:
        return row
    return (rng.permutation(len(present)) % MAX_CLUSTERS)[row]


def _draw_counts(
    cluster: Subjects, width: int, replicates: int, rng: np.random.Generator
) -> Iterator[Float64[np.ndarray, "replicate cluster"]]:
    """How often each resample draws each cluster, in blocks of which `width` columns fit memory."""
    size = int(cluster.max(initial=-1)) + 1
    block = max(1, _CELLS // max(width, 1))
    for start in range(0, replicates, block):
        rows = min(block, replicates - start)
        draws = rng.integers(0, size, (rows, size)) + size * np.arange(rows)[:, None]
        counts = np.bincount(draws.ravel(), minlength=rows * size).reshape(rows, size)
        yield counts.astype(np.float64)


def bootstrap_replicates(
    statistic: Callable[[Weights], Float64[np.ndarray, "replicate *column"]],
    subject: Subjects,
    rng: np.random.Generator,
    replicates: int = REPLICATES,
) -> Float64[np.ndarray, "replicate *column"]:
    """The statistic (or several, a column each) of each resample of subjects."""
    weights = resample_weights(subject, replicates, rng)
    return np.concatenate([statistic(w) for w in weights])


def bootstrap_means(
    columns: Float64[np.ndarray, "decision column"],
    subject: Subjects,
    rng: np.random.Generator,
    replicates: int = REPLICATES,
) -> Float64[np.ndarray, "replicate column"]:
    """Mean of each column in each resample of subjects; every column has the same resamples."""
    cluster = assign_clusters(subject, rng)
    order = np.argsort(cluster, kind="stable")
    starts = np.searchsorted(cluster[order], np.arange(int(cluster.max(initial=-1)) + 1))
    sums = np.add.reduceat(np.column_stack([columns, np.ones(len(columns))])[order], starts)
    drawn = [c @ sums for c in _draw_counts(cluster, len(sums), replicates, rng)]
    totals = np.concatenate(drawn)
    return totals[:, :-1] / totals[:, -1:]


def percentile_interval(value: float, replicates: Scores) -> Interval:
    """The middle 95 % of the replicates; undefined replicates are left out."""
    known = replicates[~np.isnan(replicates)]
    if not len(known):
        return Interval(value, float("nan"), float("nan"))
    low, high = np.quantile(known, ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    return Interval(value, float(low), float(high))


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
    limits = percentile_interval(value, difference)
    return Difference(value, limits.low, limits.high, float(p))


def widened_difference(value: float, draws: Scores, factor: float) -> Difference:
    """A difference from resamples whose distances from it are multiplied by a factor."""
    return paired_difference(value, value + factor * (draws - value), np.zeros(len(draws)))


def leave_one_out_weights(site: Int64[np.ndarray, " decision"]) -> Weights:
    """The weights that leave out all decisions of one site, one row per site."""
    present, row = np.unique(site, return_inverse=True)
    return (row != np.arange(len(present))[:, None]).astype(np.float64)


def jackknife_difference(value: float, first: Scores, second: Scores | float = 0.0) -> Difference:
    """Difference of two statistics, each computed without one site, for every site.

    The jackknife's standard error with a t distribution of one degree of freedom fewer than sites,
    which is reliable with few and unequal sites (CV3 of MacKinnon, Nielsen and Webb 2023,
    doi:10.1016/j.jeconom.2022.04.001). NaN with fewer than two sites, or where the statistic is
    undefined without one of them.
    """
    from scipy.stats import t

    difference, sites = first - second, len(first)
    if sites < 2 or np.isnan(difference).any() or np.isnan(value):
        nan = float("nan")
        return Difference(value, nan, nan, nan)
    error = float(np.sqrt((sites - 1) / sites * ((difference - value) ** 2).sum()))
    half = float(t.ppf((1 + LEVEL) / 2, sites - 1)) * error
    p = float(2 * t.sf(abs(value) / error, sites - 1)) if error > 0 else float(value == 0)
    return Difference(value, value - half, value + half, p)


def jackknife_interval(value: float, without_one: Scores) -> Interval:
    """The statistic with its interval over sites."""
    limits = jackknife_difference(value, without_one)
    return Interval(value, limits.low, limits.high)


def clustered_interval(
    statistic: Statistic,
    subject: Subjects,
    site: Int64[np.ndarray, " decision"] | None,
    rng: np.random.Generator,
    replicates: int = REPLICATES,
) -> Interval:
    """The statistic with its interval over subjects, or over the sites (jackknife) if given."""
    if site is None:
        return bootstrap_interval(statistic, subject, rng, replicates)
    value = float(statistic(unit_weights(len(subject)))[0])
    return jackknife_interval(value, statistic(leave_one_out_weights(site)))


def simultaneous_differences(
    values: Float64[np.ndarray, " contrast"], draws: Float64[np.ndarray, "replicate contrast"]
) -> list[Difference]:
    """Differences whose 95 % intervals hold all their true values together.

    Single-step max-t (Westfall and Young 1993, section 2.3; Hothorn, Bretz and Westfall 2008,
    doi:10.1002/bimj.200810425): each interval reaches as many standard errors as the largest
    |t| of all contrasts stays below in 95 % of the resamples; p is the share of resamples with a
    largest |t| of at least the observed one. Contrasts of NaN are left out.

    Args:
        values: observed contrasts, such as differences of means.
        draws: the same in each resample.
    """
    known = ~np.isnan(values) & ~np.isnan(draws).all(axis=0)
    error = np.full(len(values), np.nan)
    error[known] = np.nanstd(draws[:, known], axis=0)
    scale = np.where(error > 0, error, 1.0)
    largest = np.nanmax(np.abs(draws[:, known] - values[known]) / scale[known], axis=1, initial=0.0)
    half = float(np.quantile(largest, LEVEL)) * error
    return [
        Difference(
            float(value),
            float(value - reach),
            float(value + reach),
            float((1 + (largest >= abs(value) / unit).sum()) / (1 + len(largest)))
            if has_draws
            else float("nan"),
        )
        for value, reach, unit, has_draws in zip(values, half, scale, known, strict=True)
    ]


def widen_interval(interval: Interval, factor: float) -> Interval:
    """The same estimate, each limit `factor` times as far away from it."""
    low, high = (
        interval.value + factor * (limit - interval.value)
        for limit in (interval.low, interval.high)
    )
    return Interval(interval.value, low, high)


def clustered_wilson_interval(
    events: Bool[np.ndarray, " decision"], cluster: Int64[np.ndarray, " decision"]
) -> tuple[float, float]:
    """Wilson's interval of a share of decisions that come in clusters: patients, or sites.

    The number of decisions is divided by the design effect (Kish 1965), the variance of the share
    between clusters over the binomial one; without an event, or without any other decision, it is
    the number of clusters.
    """
    n, share = len(events), float(events.mean())
    clusters, row = np.unique(cluster, return_inverse=True)
    if len(clusters) == n:
        return wilson_interval(int(events.sum()), n)
    size = float(len(clusters))
    if 0 < share < 1 and len(clusters) > 1:
        residual = np.bincount(row, events - share)
        variance = (residual**2).sum() / n**2 * len(clusters) / (len(clusters) - 1)
        size = n if variance <= 0 else min(n, share * (1 - share) / variance)
    return wilson_limits(share, float(size))


def wilson_interval(successes: int, n: int) -> tuple[float, float]:
    """Wilson's 95 % score interval of a proportion (J Am Stat Assoc 1927;22:209)."""
    return wilson_limits(successes / n, float(n))


def decimals_of_width(width: float) -> int:
    """Decimals with which an interval of this width is written: two significant digits of it."""
    return 0 if not width > 0 else int(min(max(1 - math.floor(math.log10(width)), 0), 6))
