"""Tests of whether two models differ by chance: McNemar's test, Holm's correction.

Bootstrap tests of paired differences are made with their intervals (intervals.py).
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool


def mcnemar_p_value(
    first: Bool[np.ndarray, " decision"], second: Bool[np.ndarray, " decision"], mid_p: bool = True
) -> float:
    """Two-sided p that both are right equally often, from the decisions where they differ.

    Exact binomial, by default with the mid-p correction, which keeps the error rate nearer to its
    nominal level (Fagerland and others 2013, doi:10.1186/1471-2288-13-91). Each decision must be of
    another subject.
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
