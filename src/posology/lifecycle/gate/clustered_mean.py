"""A mean over decisions, with bounds over patients, at the small levels of a look."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64
from scipy.stats import t


@dataclass(frozen=True, slots=True)
class ClusteredMean:
    """A mean and its standard error over patients."""

    value: float
    error: float
    patients: int

    def lower(self, alpha: float) -> float:
        """One-sided lower bound: too high with probability alpha."""
        return self.value - self._reach(alpha)

    def upper(self, alpha: float) -> float:
        """One-sided upper bound."""
        return self.value + self._reach(alpha)

    def _reach(self, alpha: float) -> float:
        if self.patients < 2 or alpha <= 0:
            return float("inf")
        return float(t.ppf(1 - alpha, self.patients - 1)) * self.error


def clustered_mean(
    score: Float64[np.ndarray, " decision"], subject: Int64[np.ndarray, " decision"]
) -> ClusteredMean:
    """The mean of the decisions; its error is that of a ratio of sums over patients."""
    n = len(score)
    if not n:
        return ClusteredMean(float("nan"), float("nan"), 0)
    mean = float(score.mean())
    residual = score - mean
    if (np.diff(subject) <= 0).any():  # otherwise each decision is of another patient
        residual = np.bincount(np.unique(subject, return_inverse=True)[1], residual)
    patients = len(residual)
    scale = patients / max(patients - 1, 1)
    return ClusteredMean(mean, float(np.sqrt(scale * (residual**2).sum()) / n), patients)
