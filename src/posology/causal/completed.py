"""Outcomes corrected for what is unknown, and what was expected where they were."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64


@dataclass(frozen=True, slots=True, eq=False)
class Completed:
    """Of every decision, by models fitted without each fold (missing_outcomes.py)."""

    outcome: Float64[np.ndarray, "fold decision"]
    """A number whose mean is that of the full outcome."""
    expected: Float64[np.ndarray, "fold decision treatment"]
    """Expected outcome under each option, by boosted trees of the known ones, weighted."""
