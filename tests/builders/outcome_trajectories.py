"""Made-up outcomes under two treatments, one of which lasts."""

import numpy as np

from posology.domain.outcome_trajectories import OutcomeTrajectories


def growing_outcomes(subjects: int, seed: int, steps: int = 12) -> OutcomeTrajectories:
    """Growth of 5 % a step, less 10 % of a lasting drug and a personal share of another one.

    Larger outcomes are treated more often.
    """
    rng = np.random.default_rng(seed)
    response = 0.15 + 0.1 * rng.random(subjects)
    outcome = np.zeros((subjects, steps + 1))
    dose, level = np.zeros((subjects, steps, 2)), np.zeros(subjects)
    outcome[:, 0] = np.exp(rng.normal(2, 0.5, subjects))
    for step in range(steps):
        now = outcome[:, step]
        p = 1 / (1 + np.exp(-(np.log(now) - 2)))
        dose[:, step] = rng.random((subjects, 2)) < p[:, None]
        level = level / 2 + dose[:, step, 0]
        r = 0.05 - 0.1 * level - response * dose[:, step, 1] + rng.normal(0, 0.02, subjects)
        outcome[:, step + 1] = now * (1 + r)
    outcome[rng.random(subjects) < 0.3, 9:] = np.nan
    dose[np.isnan(outcome[:, 1:])] = 0
    return OutcomeTrajectories(outcome, dose, np.ones((subjects, 1)) * (response > 0.2)[:, None])
