"""Kernel regression counts the features that are common enough."""

import numpy as np
import pytest

from posology.learners.features.tabular import COUNT, LAST_VALUE, PRESENT, FeatureSpec
from posology.learners.outcome_models.kernel_regression import Common, _robust_ridges


def features() -> tuple[np.ndarray, FeatureSpec, np.ndarray]:
    """Eight sites of 50: an event everywhere, one of two sites, one of a single patient, a number
    that half of the sites record, and it may be 0."""
    site = np.repeat(np.arange(8), 50).astype(np.int32)
    X = np.zeros((400, 4), np.float32)
    X[::2, 0] = 1
    X[(site < 2), 1] = np.log(2)
    X[7, 2] = 1
    X[:, 3] = np.where(site < 4, 0.0, np.nan)
    kinds = np.array([PRESENT, COUNT, PRESENT, LAST_VALUE], np.int8)
    return X, FeatureSpec(np.arange(4, dtype=np.int32), kinds), site


def test_a_feature_of_few_sites_does_not_count_where_sites_are_known() -> None:
    X, spec, site = features()
    assert Common().columns(X, spec, site).tolist() == [True, False, False, True]


def test_without_sites_the_share_of_decisions_counts() -> None:
    X, spec, site = features()
    assert Common().columns(X, spec, site * 0).tolist() == [True, True, False, True]
    assert Common(share=2.0).columns(X, spec, site * 0).all(), "none is common: all count"


def test_the_robust_ridge_is_pulled_less_by_an_outlier() -> None:
    rng = np.random.default_rng(0)
    F = rng.normal(size=(400, 3))
    y = F @ [1.0, -2.0, 0.5]
    y[0] = 500.0
    (beta,), _ = _robust_ridges(F, y, (1e-6,), tube=0.3)
    plain = np.linalg.lstsq(F, y - np.median(y), rcond=None)[0]
    truth = np.array([1.0, -2.0, 0.5])
    assert np.abs(beta - truth).max() < np.abs(plain - truth).max() / 2
    assert _robust_ridges(F, y, (1e6,), tube=0.3)[0][0] == pytest.approx(0.0, abs=0.01)
