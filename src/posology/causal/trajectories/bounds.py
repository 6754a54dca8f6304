"""When the gain over usual care is shown: lower bounds that hold together for all candidates."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64

from posology.causal.trajectories.gain import (
    TrajectoryGain,
    effective_patients,
    errors_by_resampled,
)

CHANCE_OF_HARM = 0.05
"""Largest chance that a policy is used although it is worse than usual care."""
MIN_EFFECTIVE = 60.0
"""Least effective sample size in patients; our choice (docs/decisions/trajectory-gain.md)."""
REPLICATES = 1_000


def lower_bounds(
    gains: Sequence[TrajectoryGain], rng: np.random.Generator, chance: float = CHANCE_OF_HARM
) -> Float64[np.ndarray, " candidate"]:
    """Lower bounds of the gains of candidates on the same patients; all hold at once.

    The chance that any of them lies above its true gain is `chance` (one-sided max-t: Westfall and
    Young 1993, section 2.3), so that the best one may be used. Minus infinity below MIN_EFFECTIVE.
    """
    values = np.stack([each.gain for each in gains], axis=1)
    patients, mean = len(values), values.mean(axis=0)
    error = np.maximum(values.std(axis=0) / np.sqrt(patients), 1e-12)
    counts = rng.multinomial(patients, np.full(patients, 1 / patients), REPLICATES)
    moved = (counts @ (values - mean)) / patients
    reach = float(np.quantile((moved / error).max(axis=1), 1 - chance))
    sizes = np.array([effective_patients(each) for each in gains])
    factors = np.array([errors_by_resampled(each, each.gain) for each in gains])
    return np.where(sizes >= MIN_EFFECTIVE, mean - reach * factors * error, -np.inf)
