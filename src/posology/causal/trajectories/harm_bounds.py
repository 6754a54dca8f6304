"""How much harm a policy may cause: upper bounds that hold together."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64

from posology.causal.trajectories.bounds import CHANCE_OF_HARM, MIN_EFFECTIVE, REPLICATES
from posology.causal.trajectories.gain import TrajectoryGain, effective_patients, error_factor

LEAST_ERROR = 0.2
"""Least standard error of a resample, as a share of the sample's: resamples of rare harms may have
none at all. Our choice."""
PerEstimate = Float64[np.ndarray, " estimate"]


def upper_bounds(
    estimates: Sequence[TrajectoryGain],
    allowance: PerEstimate,
    rng: np.random.Generator,
    chance: float = CHANCE_OF_HARM,
) -> PerEstimate:
    """Upper bounds of the values of excess harm; all hold at once with probability 1 - `chance`.

    Studentised (Efron and Tibshirani 1993, section 12.5), as harms are rare and skewed: samples
    that happen to have few also look exact. Never below what is compatible with no harm at all,
    -log(chance) events in as many patients as count (the rule of three). Infinity below
    MIN_EFFECTIVE patients.

    Args:
        estimates: of candidates and harms, on the same patients.
        allowance: mean harm of a patient that each budget allows.
        rng: of resamples.
        chance: that any bound lies below its true value.
    """
    values = np.stack([each.values for each in estimates], axis=1)
    patients, mean = len(values), values.mean(axis=0)
    error = np.maximum(values.std(axis=0) / np.sqrt(patients), 1e-12)
    counts = rng.multinomial(patients, np.full(patients, 1 / patients), REPLICATES)
    means, squares = counts @ values / patients, counts @ values**2 / patients
    errors = np.sqrt(np.maximum(squares - means**2, 0.0) / patients)
    shortfall = (mean - means) / np.maximum(errors, LEAST_ERROR * error)
    reach = float(np.quantile(shortfall.max(axis=1), 1 - chance))
    sizes = np.array([effective_patients(each) for each in estimates])
    factors = np.array([error_factor(size) for size in sizes])
    seen = mean + reach * factors * error
    unseen = -np.log(chance) / np.maximum(sizes, 1.0) - allowance
    return np.where(sizes >= MIN_EFFECTIVE, np.maximum(seen, unseen), np.inf)
