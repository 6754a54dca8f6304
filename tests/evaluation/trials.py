"""Trials whose scores are made from the truth, so that tests of what follows are fast and exact."""

import numpy as np

from posology.causal.doubly_robust_scores import Nuisance
from posology.causal.outcome_regression import OutcomeRegression
from posology.causal.propensity import known_propensity
from posology.causal.trial import Trial
from posology.simulators import two_options as effects


def truthful(scenario: str, n: int, seed: int) -> tuple[Nuisance, effects.Sample]:
    """True propensities and, as regression, the true means less the treatment's effect."""
    drawn = effects.draw(scenario, n, np.random.default_rng(seed))
    trial = Trial(drawn.covariates, drawn.treatment, drawn.outcome, np.arange(n), 2, ("old", "new"))
    mean = np.repeat(drawn.expected[:, :1], 2, axis=1)
    chance = np.column_stack([1 - drawn.propensity, drawn.propensity])
    fold = np.arange(n) % 5
    return Nuisance(
        trial,
        fold,
        known_propensity(chance),
        OutcomeRegression(mean, mean, (1.0, 0.0), np.tile(mean, (5, 1, 1))),
    ), drawn
