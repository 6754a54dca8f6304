"""Random effects against published figures and a second implementation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posology.evaluation.pooling.random_effects import pool_effects

BCG = np.array(
    [
        (4, 119, 11, 128),
        (6, 300, 29, 274),
        (3, 228, 11, 209),
        (62, 13536, 248, 12619),
        (33, 5036, 47, 5761),
        (180, 1361, 372, 1079),
        (8, 2537, 10, 619),
        (505, 87886, 499, 87892),
        (29, 7470, 45, 7232),
        (17, 1699, 65, 1600),
        (186, 50448, 141, 27197),
        (5, 2493, 3, 2338),
        (27, 16886, 29, 17825),
    ],
    dtype=np.float64,
)
"""Thirteen trials of BCG vaccine (Colditz 1994): cases and others, vaccinated and control."""


def _log_risk_ratios() -> tuple[np.ndarray, np.ndarray]:
    a, b, c, d = BCG.T
    effect = np.log(a / (a + b)) - np.log(c / (c + d))
    return effect, np.sqrt(1 / a - 1 / (a + b) + 1 / c - 1 / (c + d))


def test_the_bcg_trials_as_metafor_pools_them() -> None:
    """R's metafor: rma(yi, vi, data=dat.bcg, method="REML", test="knha") and confint()."""
    found = pool_effects(*_log_risk_ratios())
    assert found.tau**2 == pytest.approx(0.3132, abs=5e-5)
    assert (found.tau_low**2, found.tau_high**2) == pytest.approx((0.1197, 1.1115), abs=5e-5)
    assert 100 * found.i_squared == pytest.approx(92.22, abs=5e-3)
    assert found.q == pytest.approx(152.2330, abs=5e-5)
    assert found.mean.value == pytest.approx(-0.7145, abs=5e-5)
    assert (found.mean.low, found.mean.high) == pytest.approx((-1.108444, -0.320621), abs=5e-7)
    assert found.prediction is not None
    assert found.prediction.low < found.mean.low < found.mean.high < found.prediction.high


@given(st.integers(0, 10_000), st.integers(2, 12), st.floats(0, 3))
@settings(max_examples=40, deadline=None)
def test_the_restricted_likelihood_is_the_largest(seed: int, hospitals: int, tau: float) -> None:
    """A dense search of tau squared, by the determinants of the definition, finds none better."""
    rng = np.random.default_rng(seed)
    error = rng.uniform(0.2, 2, hospitals)
    effect = rng.normal(1, np.sqrt(error**2 + tau**2))
    found = pool_effects(effect, error)

    def likelihood(tau2: float) -> float:
        V, X = np.diag(error**2 + tau2), np.ones((hospitals, 1))
        W = np.linalg.inv(V)
        mean = np.linalg.solve(X.T @ W @ X, X.T @ W @ effect)
        residual = effect - X @ mean
        return -0.5 * (
            np.linalg.slogdet(V)[1]
            + np.linalg.slogdet(X.T @ W @ X)[1]
            + float(residual @ W @ residual)
        )

    dense = max(likelihood(t) for t in np.linspace(0, 4 * np.var(effect) + 1, 200))
    assert likelihood(found.tau**2) >= dense - 1e-7
    assert sum(found.weights) == pytest.approx(1)
    assert (found.prediction is None) == (hospitals == 2)
    assert found.tau_low <= found.tau_high


def test_the_interval_is_never_narrower_than_with_known_variances() -> None:
    """Three hospitals that agree by chance."""
    same = pool_effects(np.array([1.0, 1.0, 1.0]), np.array([1.0, 1.0, 1.0]))
    assert same.standard_error == pytest.approx(1 / np.sqrt(3))
    assert same.tau == 0
    assert same.q == 0
    assert same.q_p == 1


def test_the_scale_of_the_outcome_does_not_matter() -> None:
    effect, error = _log_risk_ratios()
    small = pool_effects(1e-6 * effect, 1e-6 * error)
    assert small.tau == pytest.approx(1e-6 * pool_effects(effect, error).tau, rel=1e-5)
