"""Which numbers of a table are marked as possible slips of the pen."""

import math

import numpy as np
import pytest

from posology.workflows.new.slips import ordinary_range

RIGHT = 1_000
"""Of so many ordinary numbers at most one is marked."""


def is_marked(numbers: np.ndarray, one: float) -> bool:
    low, high = ordinary_range(numbers.tolist())
    return not low <= one <= high


@pytest.mark.parametrize("size", [100, 1_000])
@pytest.mark.parametrize("spread", [0.1, 0.3, 0.5, 0.7, 1.0, 1.3, 1.6])
def test_ordinary_numbers_of_a_skewed_column_are_not_marked(spread: float, size: int) -> None:
    """Up to 18 of 1,000 were, at the spread of CRP (1 to 1.6)."""
    rng, marked = np.random.default_rng(0), 0
    for _ in range(200):
        low, high = ordinary_range(np.exp(rng.normal(0, spread, size)).tolist())
        others = np.exp(rng.normal(0, spread, RIGHT))
        marked += int(((others < low) | (others > high)).sum())
    assert marked <= 200


@pytest.mark.parametrize("spread", [0.1, 0.2, 0.3, 0.4, 0.5])
def test_ten_times_a_typical_number_is_marked(spread: float) -> None:
    """From a spread of 0.7 on, it is no rarer than 1 of 1,000 ordinary numbers."""
    rng = np.random.default_rng(1)
    drawn = [np.exp(rng.normal(0, spread, 200)) for _ in range(100)]
    assert np.mean([is_marked(x, 10 * float(np.median(x))) for x in drawn]) >= 0.95


def test_numbers_that_are_not_skewed_keep_their_rule() -> None:
    ages, sodium = np.linspace(20, 95, 200), np.linspace(130, 150, 200)
    assert not any(is_marked(ages, one) for one in (0.0, 18.0, 110.0))
    assert all(is_marked(ages, one) for one in (-400.0, 999.0))
    assert all(is_marked(sodium, one) for one in (0.0, 14.0, 1_400.0))


def test_where_most_numbers_are_the_same_or_there_are_few_nothing_is_far() -> None:
    for numbers in ([], [3.0], [0.0, 0.0], [5.0] * 30 + [80.0]):
        assert ordinary_range(numbers) == (-math.inf, math.inf)
    low, high = ordinary_range([0.0] * 20 + [1.0, 2.0, 3.0, 5.0, 8.0] * 10)
    assert low < 0.0
    assert high > 40.0
