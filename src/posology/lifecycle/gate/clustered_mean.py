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
    contributing: int
    """Patients whose scores are not all 0: so many, less one, are the degrees of freedom. Where few
    are treated otherwise, the error rests on them alone."""

    def lower(self, alpha: float) -> float:
        """One-sided lower bound: too high with probability alpha."""
        return self.value - self._reach(alpha)

    def upper(self, alpha: float) -> float:
        """One-sided upper bound."""
        return self.value + self._reach(alpha)

    def _reach(self, alpha: float) -> float:
        if self.patients > 1 and not self.contributing:
            return 0.0
        if self.contributing < 2 or alpha <= 0:
            return float("inf")
        return float(t.ppf(1 - alpha, self.contributing - 1)) * self.error


def clustered_mean(
    score: Float64[np.ndarray, " decision"], subject: Int64[np.ndarray, " decision"]
) -> ClusteredMean:
    """The mean of the decisions; its error is that of a ratio of sums over patients."""
    n = len(score)
    if not n:
        return ClusteredMean(float("nan"), float("nan"), 0, 0)
    mean = float(score.mean())
    residual, size = score - mean, np.abs(score)
    if (np.diff(subject) <= 0).any():  # otherwise each decision is of another patient
        patient = np.unique(subject, return_inverse=True)[1]
        residual, size = np.bincount(patient, residual), np.bincount(patient, size)
    patients = len(residual)
    error = np.sqrt(patients / max(patients - 1, 1) * (residual**2).sum()) / n
    return ClusteredMean(mean, float(error), patients, int((size > 0).sum()))
