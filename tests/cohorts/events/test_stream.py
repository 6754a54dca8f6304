"""The order of events."""

import numpy as np

from posology.cohorts.events.stream import event_order


def test_few_events_have_the_order_that_they_have_among_many() -> None:
    rng = np.random.default_rng(0)
    time = np.sort(rng.integers(0, 5, 40).astype(float))
    time[:4] = np.nan
    code, value = rng.integers(0, 3, 40), rng.integers(0, 3, 40).astype(np.float32)
    value[::7] = np.nan
    few = event_order(np.zeros(40, np.int64), time, code, value)
    many = event_order(
        np.repeat(np.arange(10), 40), np.tile(time, 10), np.tile(code, 10), np.tile(value, 10)
    )
    for subject in range(10):
        np.testing.assert_array_equal(many[subject * 40 : subject * 40 + 40] - subject * 40, few)
