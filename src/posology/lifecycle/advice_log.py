"""What the model itself caused: recommendations, and whether they were accepted."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int8, Int64

from posology.domain.cohort import Cohort
from posology.errors import UserError

ACCEPTED, OVERRIDDEN, UNKNOWN = 1, 0, -1
"""What became of a recommendation."""


@dataclass(frozen=True, slots=True, eq=False)
class AdviceLog:
    """Recommendations as they were given, in any order."""

    subject_id: Int64[np.ndarray, " recommendation"]
    time: Float64[np.ndarray, " recommendation"]
    """Days since 1970-01-01."""
    option: Int64[np.ndarray, " recommendation"]
    """Option that was recommended."""
    accepted: Int8[np.ndarray, " recommendation"]
    """ACCEPTED, OVERRIDDEN or UNKNOWN."""
    probability: Float64[np.ndarray, " recommendation"]
    """Probability with which the option was drawn, where it was; NaN of a fixed rule."""


@dataclass(frozen=True, slots=True, eq=False)
class MatchedAdvice:
    """The recommendation that each decision of a cohort followed."""

    option: Int64[np.ndarray, " decision"]
    """-1: none."""
    accepted: Int8[np.ndarray, " decision"]
    """UNKNOWN also where there was no recommendation."""
    probability: Float64[np.ndarray, " decision"]
    """Of the option that was given, where chance decided about it; NaN otherwise."""
    unmatched: int = 0
    """Recommendations that no decision followed."""

    def select(self, rows: Int64[np.ndarray, " selected"]) -> "MatchedAdvice":
        """The same of some decisions."""
        option, accepted = self.option[rows], self.accepted[rows]
        return MatchedAdvice(option, accepted, self.probability[rows], self.unmatched)


def match_advice(cohort: Cohort, log: AdviceLog, days: float) -> MatchedAdvice:
    """The last recommendation of each decision's patient in the `days` before it, or on its day.

    One recommendation belongs to one decision, the first that follows it. UserError if decisions
    have no time, without which nothing can be matched.
    """
    if cohort.time is None:
        raise UserError("recommendations cannot be matched: decisions of this cohort have no time.")
    option = np.full(len(cohort), -1, np.int64)
    accepted = np.full(len(cohort), UNKNOWN, np.int8)
    probability = np.full(len(cohort), np.nan)
    subject = cohort.history.subject_id[cohort.subject]
    rows_of: dict[int, list[int]] = {}
    for row in np.lexsort((cohort.time, subject)).tolist():
        rows_of.setdefault(int(subject[row]), []).append(row)
    matched = 0
    for at in np.argsort(log.time, kind="stable").tolist():
        row = _first_after(
            cohort.time, rows_of.get(int(log.subject_id[at]), []), log.time[at], days
        )
        if row is None:
            continue
        matched += option[row] < 0
        option[row], accepted[row] = log.option[at], log.accepted[at]
        is_drawn = log.option[at] == cohort.treatment[row]
        probability[row] = log.probability[at] if is_drawn else np.nan
    return MatchedAdvice(option, accepted, probability, len(log.time) - int(matched))


def _first_after(time: np.ndarray, rows: list[int], moment: float, days: float) -> int | None:
    """The patient's first decision on the day of the recommendation or in the days after."""
    for row in rows:
        if time[row] >= np.floor(moment):
            return row if time[row] - moment <= days else None
    return None
