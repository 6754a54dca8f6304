"""The policy that acted: estimated where it was not recorded, checked by treatment."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

BINS = 10


@dataclass(frozen=True, slots=True)
class TreatmentCheck:
    """Whether a treatment was given as often as its probabilities say."""

    treatment: int
    expected: float
    """Sum of the probabilities."""
    observed: int
    z: float
    """(observed - expected) in standard deviations; beyond 3 the probabilities are wrong."""
    error: float
    """Mean absolute gap between probability and share given, over ten bins of equal size."""


def table_behaviour(
    state: Int64[np.ndarray, " decision"],
    treatment: Int64[np.ndarray, " decision"],
    shape: tuple[int, int],
    weight: float = 1.0,
) -> Float64[np.ndarray, "state treatment"]:
    """Shares of treatments by state, each pulled to the overall shares with `weight` visits."""
    pairs = np.bincount(state * shape[1] + treatment, minlength=shape[0] * shape[1])
    visits = pairs.reshape(shape)
    overall = visits.sum(axis=0) / visits.sum()
    return (visits + weight * overall) / (visits.sum(axis=1, keepdims=True) + weight)


def check_behaviour(
    probabilities: Float64[np.ndarray, "decision treatment"],
    treatment: Int64[np.ndarray, " decision"],
) -> tuple[TreatmentCheck, ...]:
    """Calibration of the behaviour policy, one row a treatment.

    Ask it of patients on whom the probabilities were not fitted.
    """
    rows = []
    for option in range(probabilities.shape[1]):
        chance, given = probabilities[:, option], treatment == option
        deviation = np.sqrt((chance * (1 - chance)).sum())
        gap = float(given.sum() - chance.sum())
        bins = np.array_split(np.argsort(chance, kind="stable"), BINS)
        error = np.mean([abs(chance[b].mean() - given[b].mean()) for b in bins if len(b)])
        z = gap / deviation if deviation > 0 else (0.0 if gap == 0 else np.inf)
        rows.append(
            TreatmentCheck(option, float(chance.sum()), int(given.sum()), float(z), float(error))
        )
    return tuple(rows)
