"""Harm budgets: how much of a harm a policy may cost."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64

YEAR_DAYS = 365.25
PER = ("year", "patient", "decision")
"""What `HarmBudget.at_most` counts by: a year of follow-up, a whole trajectory, or a decision."""


@dataclass(frozen=True, slots=True)
class HarmBudget:
    """A harm and its largest mean number of events."""

    name: str
    codes: tuple[str, ...]
    """Each event with any of these codes counts, until the next decision."""
    at_most: float
    per: str
    """One of `PER`."""
    within_days: float
    """After a decision; later events do not count, and neither does the time."""
    from_days: float = 0.0
    """Days from time zero to the landmark, before which events do not count."""

    @property
    def words(self) -> str:
        """The limit for readers: `severe hypoglycaemia: at most 0.02 a year`."""
        return f"{self.name}: at most {self.at_most:g} a {self.per}"


def budget_units(
    budget: HarmBudget, days: Float64[np.ndarray, " decision"], is_first: Bool[np.ndarray, " _"]
) -> Float64[np.ndarray, " decision"]:
    """Years, patients or decisions that begin at each decision.

    Args:
        days: that count after each decision.
        is_first: whether it is its patient's first decision.
    """
    if budget.per == "year":
        return days / YEAR_DAYS
    return is_first.astype(np.float64) if budget.per == "patient" else np.ones(len(days))
