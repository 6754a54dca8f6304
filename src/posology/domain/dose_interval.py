"""Prediction interval of the correct dose, by split conformal prediction."""

import numpy as np
from jaxtyping import Float64

_Dose = Float64[np.ndarray, " decision"]

COVERAGE = 0.90
"""Share of patients whose correct dose the interval contains; our choice."""


def interval_half_width(predicted: _Dose, correct: _Dose) -> float | None:
    """Half-width of the interval on the square-root scale, from patients not used for fitting.

    Split conformal prediction (Lei and others 2018, doi:10.1080/01621459.2017.1307116): the
    ceil(0.9 (n + 1))-th smallest residual, so that the interval of a further exchangeable patient
    contains the correct dose with probability 0.9, whatever the model. None if too few correct
    doses are known.
    """
    known = (predicted >= 0) & (correct >= 0)  # False for NaN
    residual = np.sort(np.abs(np.sqrt(predicted[known]) - np.sqrt(correct[known])))
    rank = int(np.ceil(COVERAGE * (len(residual) + 1)))
    return float(residual[rank - 1]) if rank <= len(residual) else None


def interval_around(dose: float, half_width: float) -> tuple[float, float]:
    """The interval around a predicted dose, in the dose's unit."""
    root = float(np.sqrt(max(dose, 0.0)))
    return max(root - half_width, 0.0) ** 2, (root + half_width) ** 2


def interval_coverage(predicted: _Dose, correct: _Dose, half_width: float) -> float:
    """Share of the known correct doses that lie in their interval."""
    known = (predicted >= 0) & (correct >= 0)
    residual = np.abs(np.sqrt(predicted[known]) - np.sqrt(correct[known]))
    return float((residual <= half_width).mean())
