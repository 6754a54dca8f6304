"""Decisions dated so late that one of them would move the last month that is judged."""

import datetime

import numpy as np
from jaxtyping import Bool

from posology.errors import UserError
from posology.lifecycle.monitoring.observations import Observations
from posology.lifecycle.monitoring.words import MIN_CELL, month_name, month_number

_GAP = 12
"""Months without a decision, before so few that no month of theirs is shown."""
_MOST_NAMED = 3


def refuse_stray_dates(study: str, observed: Observations, today: datetime.date) -> None:
    """UserError where decisions are dated after today, or few of them over a year after the rest.

    Where all are after today the dates were shifted on purpose, and today says nothing of them.
    """
    stray = observed.decided > month_number(today)
    if stray.all():
        stray = np.zeros(len(observed), dtype=bool)
    stray |= _far_after_the_rest(observed)
    if not stray.any():
        return
    rows = np.flatnonzero(stray)
    named = [
        f"patient {observed.patient[row]} in {month_name(int(observed.decided[row]))}"
        for row in rows[:_MOST_NAMED]
    ]
    more = f" and {len(rows) - _MOST_NAMED} more" if len(rows) > _MOST_NAMED else ""
    count = f"{len(rows):,} decision{' is' if len(rows) == 1 else 's are'}"
    raise UserError(
        f"study {study}: {count} dated after today or over a year after all others "
        f"({', '.join(named)}{more}), and would be the last month. Mend the dates, or name the "
        f"last month with --until {month_name(int(observed.decided[~stray].max()))}."
    )


def _far_after_the_rest(observed: Observations) -> Bool[np.ndarray, " decision"]:
    months = np.unique(observed.decided)
    for month in months[1:][np.diff(months) > _GAP]:
        late = observed.decided >= month
        if len(np.unique(observed.patient[late])) < MIN_CELL:
            return late
    return np.zeros(len(observed), dtype=bool)
