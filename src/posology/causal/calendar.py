"""The calendar as what nuisance models adjust for, beside the covariates.

What can be given changes (a new drug comes), and so does how outcomes turn out (a season, a
laboratory): an option that came in bad months would look bad without it.
"""

import numpy as np
from jaxtyping import Float64

from posology.causal.trial import Matrix

_YEAR = 365.25
DATE = "date of the decision, years since the first"
"""Name of the first column."""


def calendar_columns(day: Float64[np.ndarray, " decision"] | None) -> Matrix | None:
    """Years since the first decision, and the time of year as a circle; columns that vary.

    day: since 1970-01-01. None where nothing varies, or nobody knows when.
    """
    if day is None or not len(day):
        return None
    years = (day - day.min()) / _YEAR
    turn = 2 * np.pi * day / _YEAR
    columns = np.column_stack([years, np.sin(turn), np.cos(turn)])
    columns = columns[:, np.ptp(columns, axis=0) > 0]
    return columns if columns.shape[1] else None
