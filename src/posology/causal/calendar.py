"""The calendar as what nuisance models adjust for, beside the covariates.

What can be given changes (a new drug comes), and so does how outcomes turn out (a season, a
laboratory): an option that came in bad months would look bad without it.
"""

import numpy as np
from jaxtyping import Float64

from posology.causal.trial import Matrix

_YEAR = 365.25
_LONGEST = 60.0
"""Years of decisions beyond which dates are taken to be shifted, patient by patient, as in MIMIC:
they say nothing of when. Our choice."""
DATE = "date of the decision, years since the first"
"""Name of the first column."""


def calendar_columns(day: Float64[np.ndarray, " decision"] | None) -> Matrix | None:
    """Years since the first decision, and the time of year as a circle; columns that vary.

    day: since 1970-01-01. None where nothing varies, dates are shifted, or nobody knows when.
    """
    if day is None or not len(day) or np.ptp(day) > _LONGEST * _YEAR:
        return None
    years = (day - day.min()) / _YEAR
    turn = 2 * np.pi * day / _YEAR
    columns = np.column_stack([years, np.sin(turn), np.cos(turn)])
    columns = columns[:, np.ptp(columns, axis=0) > 0]
    return columns if columns.shape[1] else None
