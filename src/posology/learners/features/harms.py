"""Harms of a cohort against the study's budgets, and their prices in the reward."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float64

from posology.domain.cohort import Cohort
from posology.domain.safety_rules.harm_budget import budget_units

PerBudget = Float64[np.ndarray, " budget"]
Harms = Float64[np.ndarray, "decision budget"]


def known_harms(cohort: Cohort) -> tuple[Harms, Harms]:
    """Events of each budget until the next decision, and the years, patients or decisions.

    NaN where follow-up ended before. Both are empty where the study has no budgets.
    """
    budgets = cohort.study.budgets
    if not budgets:
        return np.zeros((len(cohort), 0)), np.zeros((len(cohort), 0))
    assert cohort.harm is not None
    assert cohort.harm_days is not None
    is_first = np.append(True, cohort.subject[1:] != cohort.subject[:-1])[: len(cohort)]
    days = cohort.harm_days.astype(np.float64)
    units = [budget_units(b, days[:, k], is_first) for k, b in enumerate(budgets)]
    return cohort.harm.astype(np.float64), np.column_stack(units)


def excess_harm(cohort: Cohort) -> Harms:
    """Harms less what the budgets allow: a budget is held where the mean sum is at most 0."""
    harm, units = known_harms(cohort)
    return harm - units * np.array([budget.at_most for budget in cohort.study.budgets])


def with_prices(cohort: Cohort, prices: PerBudget) -> Cohort:
    """The cohort whose reward pays for harms beyond the budgets: the Lagrangian.

    Rewards of options that were not given are unknown then, as their harms are.
    """
    if not prices.any():
        return cohort
    reward = cohort.reward - excess_harm(cohort) @ prices
    return replace(
        cohort,
        reward=reward.astype(np.float32),
        potential_rewards=np.full_like(cohort.potential_rewards, np.nan),
    )


def first_prices(cohort: Cohort) -> PerBudget:
    """Prices at which a patient's harms vary as much as their rewards, halved; 1 without variation.

    Where the search for prices begins (`offline_rl/price_ladder.py`).
    """
    start = np.flatnonzero(np.append(True, cohort.subject[1:] != cohort.subject[:-1]))
    harm, _units = known_harms(cohort)
    spread = np.add.reduceat(np.nan_to_num(harm), start).std(axis=0)
    reward = np.add.reduceat(np.nan_to_num(cohort.reward.astype(np.float64)), start).std()
    return np.where(spread > 0, 0.5 * reward / np.maximum(spread, 1e-12), 1.0)
