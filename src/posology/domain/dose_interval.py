"""How far a right dose may lie from the one that is said: what covered nine in ten of others."""

import numpy as np
from jaxtyping import Float64

Dose = Float64[np.ndarray, " decision"]

SHARE = 0.90
"""Of patients whose right dose the interval holds; our choice."""


def dose_spread(said: Dose, right: Dose) -> float | None:
    """Half the interval's width, between square roots of doses, from patients not learned from.

    Split conformal prediction (Lei and others 2018, doi:10.1080/01621459.2017.1307116): the
    ceil(0.9 (n + 1))-th smallest distance, so that a further patient like these is covered nine
    times in ten whatever the model. None where too few doses are known to say so.
    """
    known = (said >= 0) & (right >= 0)  # NaN is not
    away = np.sort(np.abs(np.sqrt(said[known]) - np.sqrt(right[known])))
    rank = int(np.ceil(SHARE * (len(away) + 1)))
    return float(away[rank - 1]) if rank <= len(away) else None


def around(dose: float, spread: float) -> tuple[float, float]:
    """The interval around a dose."""
    root = float(np.sqrt(max(dose, 0.0)))
    return max(root - spread, 0.0) ** 2, (root + spread) ** 2


def covered(said: Dose, right: Dose, spread: float) -> float:
    """Share of patients whose right dose lies in the interval around the one said."""
    known = (said >= 0) & (right >= 0)
    away = np.abs(np.sqrt(said[known]) - np.sqrt(right[known]))
    return float((away <= spread).mean())
