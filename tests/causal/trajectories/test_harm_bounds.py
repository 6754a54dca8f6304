"""Upper bounds of rare harms: too low in at most one of twenty, also together."""

import numpy as np

from posology.causal.trajectories.gain import TrajectoryGain
from posology.causal.trajectories.harm_bounds import upper_bounds


def seen(harm: np.ndarray) -> TrajectoryGain:
    return TrajectoryGain(harm, np.zeros(len(harm)), np.ones(len(harm)))


def test_bounds_of_rare_harms_lie_below_the_truth_in_at_most_one_of_twenty():
    rng, patients, chances = np.random.default_rng(0), 400, np.array([0.01, 0.03])
    allowed = np.array([0.05, 0.05])
    wrong = 0
    for _ in range(100):
        harm = (rng.random((patients, 2)) < chances).astype(float)
        excess = harm - allowed
        bounds = upper_bounds([seen(column) for column in excess.T], allowed, rng)
        wrong += bool((bounds < chances - allowed).any())
    assert wrong <= 11, "5 % of 100 and three standard errors"


def test_no_harm_seen_is_not_no_harm():
    patients, allowed = 300, np.array([0.02])
    bound = upper_bounds([seen(np.full(patients, -0.02))], allowed, np.random.default_rng(0))
    assert bound[0] + allowed[0] == -np.log(0.05) / patients


def test_few_patients_show_nothing():
    few = seen(np.zeros(50))
    assert upper_bounds([few], np.zeros(1), np.random.default_rng(0))[0] == np.inf
