"""Which numbers of a column may be slips of the pen."""

import math
from collections.abc import Sequence
from statistics import quantiles

_FAR, _FAR_IN_LOGARITHMS = 10.0, 2.2
"""Distance from the middle half of a column's numbers, in widths of it, from which one may be a
slip: as they are, and in logarithms. Our choice: of lognormal numbers 3.6 standard deviations from
the middle (Tukey 1977 takes 1.5 widths for the 2.7 of a box plot)."""


def ordinary_range(numbers: Sequence[float]) -> tuple[float, float]:
    """Beyond it a number may be a slip, because it is far from the others.

    Where none is below 0 it must be so in logarithms too: of skewed numbers such as CRP the largest
    are far from the others, and right. Where half of the numbers are the same, nothing is far.
    """
    low, high = _range(numbers, _FAR)
    if not numbers or min(numbers) < 0:
        return low, high
    logarithms = [math.log(x) for x in numbers if x > 0]
    least, most = (math.exp(min(end, 700.0)) for end in _range(logarithms, _FAR_IN_LOGARITHMS))
    return min(low, least), max(high, most)


def _range(numbers: Sequence[float], far: float) -> tuple[float, float]:
    first, _, third = quantiles(numbers, n=4) if len(numbers) > 1 else (0.0, 0.0, 0.0)
    reach = far * (third - first) or math.inf
    return first - reach, third + reach
