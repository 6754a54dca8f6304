"""Wilson's interval of a share."""

import math

Z_95 = 1.959964
"""Standard errors from the estimate to either limit of a normal 95 % interval."""


def wilson_limits(share: float, size: float) -> tuple[float, float]:
    """Wilson's 95 % score interval of a share of so many (J Am Stat Assoc 1927;22:209).

    size: of weighted ones their effective size, the squared sum of weights over the sum of squares
    (Kish 1965, Survey Sampling, section 11.7).
    """
    z2 = Z_95**2
    middle = (share + z2 / (2 * size)) / (1 + z2 / size)
    half = math.sqrt(z2 * (share * (1 - share) / size + z2 / (4 * size * size))) / (1 + z2 / size)
    return max(0.0, middle - half), min(1.0, middle + half)
