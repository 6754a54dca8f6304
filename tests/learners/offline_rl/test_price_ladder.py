"""Prices of harms rise until every budget is held, and no further than needed."""

import numpy as np

from posology.learners.offline_rl.price_ladder import MAX_RUNGS, climb


def test_no_price_where_the_best_policy_holds_every_budget():
    rungs = climb(lambda prices: prices, lambda fitted: np.array([-1.0, -1.0]), np.ones(2))
    assert [rung.prices.tolist() for rung in rungs] == [[0.0, 0.0]]


def test_prices_bracket_the_lowest_that_holds():
    rungs = climb(lambda prices: prices, lambda fitted: 3.0 - fitted, np.ones(1))
    tried = [float(rung.prices[0]) for rung in rungs]
    assert tried == [0.0, 1.0, 4.0, 16.0, 2.5, 3.25]


def test_only_broken_budgets_have_a_price():
    rungs = climb(
        lambda prices: prices, lambda fitted: np.array([0.5 - fitted[0], -1.0]), np.ones(2)
    )
    assert all(rung.prices[1] == 0 for rung in rungs)
    assert rungs[1].prices[0] == 1


def test_a_budget_that_no_price_holds_ends_the_climb():
    rungs = climb(lambda prices: prices, lambda fitted: np.ones(1), np.ones(1))
    assert len(rungs) == MAX_RUNGS
    assert rungs[-1].prices[0] == 4.0 ** (MAX_RUNGS - 2)
