"""Trials drawn from the simulators, as the causal room takes them."""

import numpy as np
import pytest

from posology.causal.trial import Trial
from posology.simulators import two_options as effects


@pytest.fixture(scope="session")
def draw_trial():
    def draw(scenario: str, n: int, seed: int) -> tuple[Trial, effects.Sample]:
        drawn = effects.draw(scenario, n, np.random.default_rng(seed))
        trial = Trial(
            drawn.covariates, drawn.treatment, drawn.outcome, np.arange(n), 2, ("old", "new")
        )
        return trial, drawn

    return draw
