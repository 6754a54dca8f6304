"""Decisions whose wrong dates would move the first or the last month that is judged."""

import datetime

import numpy as np
from jaxtyping import Bool

from posology.errors import UserError
from posology.lifecycle.monitoring.observations import Observations
from posology.lifecycle.monitoring.words import MIN_CELL, month_name, month_number

_GAP = 12
"""Months without a decision, between the rest and so few that no month of theirs is shown."""
_MOST_NAMED = 3


def refuse_late_dates(study: str, observed: Observations, today: datetime.date) -> None:
    """UserError where decisions are dated after today, or few of them over a year after the rest.

    Where all are after today the dates were shifted on purpose, and today says nothing of them.
    """
    stray = observed.decided > month_number(today)
    if stray.all():
        stray = np.zeros(len(observed), dtype=bool)
    stray |= _far_from_the_rest(observed, is_before=False)
    if stray.any():
        last = month_name(int(observed.decided[~stray].max()))
        raise UserError(
            f"study {study}: {_named(observed, stray, 'after today or over a year after')}, and "
            f"would be the last month. Mend the dates, or name the last month with --until {last}."
        )


def refuse_early_dates(study: str, observed: Observations) -> None:
    """UserError where few decisions are dated over a year before the rest."""
    stray = _far_from_the_rest(observed, is_before=True)
    if stray.any():
        first = month_name(int(observed.decided[~stray].min()))
        raise UserError(
            f"study {study}: {_named(observed, stray, 'over a year before')}, and would be the "
            f"first month. Mend the dates; where they are right, as of records that began with few "
            f"patients, name the first month with --since {first}."
        )


def _named(observed: Observations, stray: Bool[np.ndarray, " decision"], when: str) -> str:
    rows = np.flatnonzero(stray)
    named = [
        f"patient {observed.patient[row]} in {month_name(int(observed.decided[row]))}"
        for row in rows[:_MOST_NAMED]
    ]
    more = f" and {len(rows) - _MOST_NAMED} more" if len(rows) > _MOST_NAMED else ""
    count = f"{len(rows):,} decision{' is' if len(rows) == 1 else 's are'}"
    return f"{count} dated {when} all others ({', '.join(named)}{more})"


def _far_from_the_rest(observed: Observations, is_before: bool) -> Bool[np.ndarray, " decision"]:
    """The most decisions on that side of a gap that are still of few patients."""
    months = np.unique(observed.decided)
    after_gap = months[1:][np.diff(months) > _GAP]
    for month in after_gap[::-1] if is_before else after_gap:
        far = (observed.decided < month) == is_before
        if len(np.unique(observed.patient[far])) < MIN_CELL:
            return far
    return np.zeros(len(observed), dtype=bool)
