"""Numbers in pieces, so that what they stand for need not rise or fall with them.

A number has a column for each interval between its knots: 0 below it, 1 above it, linear within
(piecewise linear encoding: Gorishniy, Rubachev and Babenko 2022, arXiv:2203.05556, section 3.2).
The knots of a number with few values are these, so that each value can have its own effect.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Float64, Int32

INTERVALS = 5
"""Of a number with many values; between quantiles with the same share of visits. Our choice."""


@dataclass(frozen=True, slots=True, eq=False)
class Pieces:
    """Intervals, number by number."""

    number: Int32[np.ndarray, " piece"]
    """Column that the interval belongs to."""
    low: Float32[np.ndarray, " piece"]
    high: Float32[np.ndarray, " piece"]


NO_PIECES = Pieces(np.zeros(0, np.int32), np.zeros(0, np.float32), np.zeros(0, np.float32))


def fit_pieces(raw: Float[np.ndarray, "row number"]) -> Pieces:
    """Intervals of each column; none where two values or fewer are known (NaN: not known)."""
    number, low, high = [], [], []
    for column, values in enumerate(raw.T):
        known = values[~np.isnan(values)]
        knots = np.unique(known)
        if len(knots) > INTERVALS + 1:
            knots = np.unique(np.quantile(known, np.linspace(0, 1, INTERVALS + 1)))
        if len(knots) > 2:
            number += [column] * (len(knots) - 1)
            low += knots[:-1].tolist()
            high += knots[1:].tolist()
    return Pieces(np.array(number, np.int32), np.array(low, np.float32), np.array(high, np.float32))


def in_pieces(
    pieces: Pieces, raw: Float64[np.ndarray, "row number"]
) -> Float64[np.ndarray, "row piece"]:
    """How far each number has passed each of its intervals, 0 to 1; NaN where not known."""
    within = (raw[:, pieces.number] - pieces.low) / (pieces.high - pieces.low)
    return within.clip(0.0, 1.0)
