"""Shares of pairs, with an interval over patients."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from posology.evaluation.intervals import clustered_wilson_interval

MIN_PAIRS = 5
"""Patients of whom a share is shown; of fewer nothing is."""


@dataclass(frozen=True, slots=True)
class Share:
    """A share of pairs, in per cent, with Wilson's 95 % interval over patients."""

    count: int
    of: int
    percent: float
    low: float
    high: float


def share_of(holds: Sequence[bool], owner: Sequence[str]) -> Share | None:
    """How often it holds; None of fewer than five patients.

    Args:
        owner: the patient of each.
    """
    if len(set(owner)) < MIN_PAIRS:
        return None
    found, (_, row) = np.array(holds, dtype=bool), np.unique(owner, return_inverse=True)
    low, high = clustered_wilson_interval(found, row)
    return Share(int(found.sum()), len(found), 100 * float(found.mean()), 100 * low, 100 * high)
