import numpy as np
from scipy import special

from posology.domain.statistics.link_functions import expit, softmax

SCORES = np.random.default_rng(0).normal(0.0, 40.0, (50, 4))


def test_they_are_those_of_scipy() -> None:
    masked = np.where(SCORES.max(axis=1, keepdims=True) - 60 < SCORES, SCORES, -np.inf)
    np.testing.assert_allclose(softmax(masked, axis=1), special.softmax(masked, axis=1), rtol=1e-14)
    x = np.append(SCORES.ravel(), [0.0, 800.0, -800.0])
    np.testing.assert_allclose(expit(x), special.expit(x), rtol=1e-14)
