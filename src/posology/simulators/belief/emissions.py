"""Symptoms as a noisy reading of the level of disease."""

import numpy as np
from jaxtyping import Float64
from scipy.stats import norm

SYMPTOMS = 5
"""Scores 0 to 4."""
NOISE = 0.8
"""Standard deviation of the score around the level's own."""


def symptom_probabilities(levels: int) -> Float64[np.ndarray, "level score"]:
    """Chance of each score by level; level 0 centres on 0 and the highest on 4."""
    centre = np.linspace(0.0, SYMPTOMS - 1.0, levels)[:, None]
    inner = np.arange(SYMPTOMS - 1) + 0.5
    below = norm.cdf((inner - centre) / NOISE)
    edges = np.hstack([np.zeros((levels, 1)), below, np.ones((levels, 1))])
    return np.diff(edges, axis=1)
