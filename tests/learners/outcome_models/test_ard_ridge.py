"""ARD ridge: columns that do not matter are shrunken to zero, the others are not."""

import numpy as np
import pytest

from posology.learners.outcome_models.ard_ridge import LeastSquaresMoments, fit_ard_ridge


def test_columns_that_do_not_matter_are_shrunken_to_zero() -> None:
    rng = np.random.default_rng(0)
    X, truth = rng.normal(size=(600, 60)), np.zeros(60)
    truth[:3] = 1.0, -0.5, 0.5
    y = X @ truth + rng.normal(size=600)
    moments = LeastSquaresMoments(X.T @ X, X.T @ y, float(y @ y), 600.0)
    weights, variance = fit_ard_ridge(moments, np.arange(60))
    plain_ridge = np.linalg.solve(moments.gram + 30 * np.eye(60), moments.cross)
    assert np.square(weights - truth).sum() < 0.5 * np.square(plain_ridge - truth).sum()
    assert variance[:3].min() > 10 * variance[3:].max()


def test_an_unpenalised_weight_is_not_shrunken_and_a_weighted_row_counts_by_its_weight() -> None:
    rng = np.random.default_rng(1)
    X = np.column_stack([np.ones(50), rng.normal(size=50)])
    y, w = X @ [100.0, 0.0] + rng.normal(size=50), rng.uniform(0.1, 2, 50)
    moments = LeastSquaresMoments(
        X.T @ (X * w[:, None]), X.T @ (w * y), float((w * y * y).sum()), w.sum()
    )
    weights, _ = fit_ard_ridge(moments, np.array([-1, 0]))
    assert weights[0] == pytest.approx(np.average(y, weights=w), abs=0.1)
