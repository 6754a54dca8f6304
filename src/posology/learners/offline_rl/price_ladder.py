"""Policies at rising prices of harms, from which one within the budgets is chosen.

A policy that maximises reward less price times harm is the best one for the harm that it causes
(the Lagrangian of Le, Voloshin and Yue 2019, ICML, section 3). Prices rise until training patients
suggest that every budget is held, once more to be safe, and then halve the distance to the highest
price that was too low. What is held is judged elsewhere, on patients from whom nothing was learned.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from jaxtyping import Float64

T = TypeVar("T")
PerBudget = Float64[np.ndarray, " budget"]
MAX_RUNGS = 8
"""Fits at most; our choice."""
STEP = 4.0
"""Factor by which prices rise; our choice."""
REFINEMENTS = 2
"""Halvings of the last interval of prices; our choice."""


@dataclass(frozen=True, slots=True, eq=False)
class Rung(Generic[T]):
    """A fit and its prices."""

    prices: PerBudget
    fitted: T


def climb(
    fit: Callable[[PerBudget], T], excess: Callable[[T], PerBudget], first: PerBudget
) -> tuple[Rung[T], ...]:
    """Fits at rising prices, the first without any.

    Args:
        fit: at these prices.
        excess: of a fit, for each budget: above 0 where it may be broken.
        first: the lowest price of each harm that is not 0.
    """
    prices: PerBudget = np.zeros_like(first)
    low: PerBudget = prices.copy()
    high: PerBudget | None = None
    rungs: list[Rung[T]] = []
    refined, is_safe = 0, False
    while len(rungs) < MAX_RUNGS:
        rungs.append(Rung(prices, fit(prices)))
        broken = excess(rungs[-1].fitted) > 0
        if broken.any():
            low = np.where(broken, np.maximum(low, prices), low)
        elif not prices.any():
            break
        else:
            high = prices if high is None else np.minimum(high, prices)
        if high is None:
            prices = np.where(broken, np.maximum(first, prices * STEP), prices)
        elif not is_safe:
            is_safe = True
            prices = high * STEP
        elif refined < REFINEMENTS:
            refined += 1
            prices = (low + high) / 2
        else:
            break
    return tuple(rungs)
