"""The shape of a tail of weights is that of the distribution they come from."""

import numpy as np
import pytest

from posology.evaluation.off_policy.pareto import HEAVY, pareto_k


@pytest.mark.parametrize("k", [0.2, 0.5, 0.9])
def test_the_shape_of_pareto_weights_is_found(k: float) -> None:
    rng = np.random.default_rng(0)
    weights = (rng.random(20_000) ** -k - 1) / k
    assert pareto_k(weights) == pytest.approx(k, abs=0.12)
    assert pareto_k(7 * weights) == pytest.approx(pareto_k(weights)), "free of scale"


def test_weights_of_a_long_path_are_heavy_and_bounded_ones_are_not() -> None:
    rng = np.random.default_rng(1)
    products = rng.choice([0.2, 1.8], (2_000, 12)).prod(axis=1)
    assert pareto_k(products) > HEAVY
    assert pareto_k(rng.uniform(0, 2, 2_000)) < 0.3


def test_few_or_equal_weights_have_no_shape() -> None:
    assert np.isnan(pareto_k(np.arange(10.0)))
    assert pareto_k(np.ones(1_000)) == -np.inf
    assert pareto_k(np.zeros(1_000)) == -np.inf
