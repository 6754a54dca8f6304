"""The calendar as a covariate of the gate's models.

What can be given changes (a new drug comes), and so does how outcomes turn out (a season, a
laboratory): an option that came in bad months would look bad without it.
"""

import numpy as np
from jaxtyping import Float64

from posology.causal.trial import Matrix

_YEAR = 365.25


def calendar_columns(day: Float64[np.ndarray, " decision"]) -> Matrix:
    """Years since the first decision, and the time of year as a circle; columns that vary."""
    years = (day - day.min()) / _YEAR
    turn = 2 * np.pi * day / _YEAR
    columns = np.column_stack([years, np.sin(turn), np.cos(turn)])
    return columns[:, columns.std(axis=0) > 0]
