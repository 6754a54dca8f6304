"""Behaviour policies of the off-policy benchmarks."""

import numpy as np

from benchmarks.behaviour import check_behaviour, table_behaviour


def test_calibration_of_a_behaviour_policy_is_checked_per_treatment():
    rng = np.random.default_rng(0)
    state = rng.integers(2, size=20_000)
    true = np.array([[0.8, 0.2], [0.3, 0.7]])
    treatment = (rng.random(20_000) > true[state, 0]).astype(np.int64)
    estimated = table_behaviour(state, treatment, (2, 2))
    assert np.abs(estimated - true).max() < 0.02
    good = check_behaviour(true[state], treatment)
    assert all(abs(row.z) < 4 and row.error < 0.03 for row in good)
    bad = check_behaviour(np.full((20_000, 2), 0.5), treatment)
    assert all(abs(row.z) > 4 for row in bad)
    assert bad[0].observed == (treatment == 0).sum()
