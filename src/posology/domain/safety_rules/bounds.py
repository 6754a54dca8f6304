"""Comparisons of numbers of records with bounds.

Records keep numbers in 32 bits, so that 7.8 is read as 7.80000019; a bound of 7.8 has 64 bits.
A number within rounding of a bound counts as the bound itself.
"""

import numpy as np
from jaxtyping import Bool, Float64

Numbers = Float64[np.ndarray, " _"]

ROUNDING = 2e-7
"""More than the error of a number of 32 bits (6e-8 of it), or of the difference of two."""


def is_at_least(
    value: Numbers, bound: float, scale: Numbers | float = 0.0
) -> Bool[np.ndarray, " _"]:
    """Whether each number is the bound or larger; False for NaN.

    scale: size of the numbers that each number is a difference of, whose rounding it has.
    """
    return value >= bound - slack(bound, scale)


def is_at_most(
    value: Numbers, bound: float, scale: Numbers | float = 0.0
) -> Bool[np.ndarray, " _"]:
    """Whether each number is the bound or smaller; False for NaN."""
    return value <= bound + slack(bound, scale)


def is_above(value: Numbers, bound: float) -> Bool[np.ndarray, " _"]:
    """Whether each number is larger than the bound; False for NaN."""
    return value > bound + slack(bound)


def is_below(value: Numbers, bound: float) -> Bool[np.ndarray, " _"]:
    """Whether each number is smaller than the bound; False for NaN."""
    return value < bound - slack(bound)


def slack(bound: float, scale: Numbers | float = 0.0) -> Numbers | float:
    """How far from the bound a number may lie and still be the bound."""
    return ROUNDING * np.maximum(abs(bound), scale) if np.isfinite(bound) else 0.0
