"""From predicted effectiveness and dose to choices and doses, shared by all baselines."""

import numpy as np
from jaxtyping import Float64

from posology.domain.formulary import Formulary, clip_to_range
from posology.domain.policy import AllowedMask, Doses


def choose_most_effective(
    effectiveness: Float64[np.ndarray, "decision treatment"], allowed: AllowedMask
) -> Float64[np.ndarray, "decision treatment"]:
    """Probability 1 for the most effective allowed option, the first of equals."""
    best = np.where(allowed, effectiveness, -np.inf).argmax(axis=1)
    return np.eye(effectiveness.shape[1])[best]


def doses_within_ranges(
    overall: Float64[np.ndarray, " decision"], formulary: Formulary, allowed: AllowedMask
) -> Doses:
    """The overall dose, and for each allowed option that dose clipped to its range."""
    by_treatment = np.full(allowed.shape, np.nan)
    for column, treatment in enumerate(formulary.treatments):
        if treatment.dose is not None:
            by_treatment[:, column] = clip_to_range(overall, treatment.dose)
    return Doses(np.where(allowed, by_treatment, np.nan), overall[:, None])


def dose_from_root(root: Float64[np.ndarray, " decision"]) -> Float64[np.ndarray, " decision"]:
    """Dose from a predicted square root; a negative root is dose 0."""
    return np.maximum(root, 0.0) ** 2
