"""Another hospital's effect, with tau drawn from its confidence distribution."""

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import chi2

from posology.evaluation.pooling.prediction_interval import draw_tau2, predict_another

EFFECT = np.array([0.02, 0.11, 0.05, 0.19, 0.08, 0.14, 0.10, 0.01])
VARIANCE = np.array([2.6, 2.0, 1.7, 1.3, 0.85, 0.65, 0.5, 0.35]) * 1e-3


def test_tau_is_drawn_as_q_says() -> None:
    """With equal variances Q / (1 + tau^2 / v) is chi-squared: quantiles are known."""
    v = np.full(8, 1e-3)
    found = draw_tau2(EFFECT, v, np.random.default_rng(0))
    q = ((EFFECT - EFFECT.mean()) ** 2).sum() / 1e-3
    for p in (0.1, 0.25, 0.5, 0.75, 0.9):
        exact = max(1e-3 * (q / chi2.ppf(1 - p, 7) - 1), 0.0)
        assert np.quantile(found, p) == pytest.approx(exact, rel=0.08, abs=3e-5)


def test_a_draw_solves_for_tau_as_a_naive_search_does() -> None:
    """Each draw of hospitals' deviations: the tau squared at which its Q is the observed one."""
    rng = np.random.default_rng(1)

    def q_of(y: np.ndarray) -> float:
        w = 1 / VARIANCE
        return float(w @ (y - w @ y / w.sum()) ** 2)

    def solve(z: np.ndarray) -> float:
        def gap(tau2: float) -> float:
            return q_of(z * np.sqrt(VARIANCE + tau2)) - q_of(EFFECT)

        return 0.0 if gap(0.0) >= 0 else float(brentq(gap, 0.0, 100.0))

    naive = [solve(z) for z in rng.standard_normal((2_000, 8))]
    found = draw_tau2(EFFECT, VARIANCE, rng)
    for p in (0.25, 0.5, 0.75, 0.9):
        assert np.quantile(found, p) == pytest.approx(np.quantile(naive, p), rel=0.1, abs=3e-5)


def test_it_moves_and_scales_with_the_effects_and_is_the_same_again() -> None:
    found = predict_another(EFFECT, VARIANCE)
    assert predict_another(EFFECT, VARIANCE) == found
    moved = predict_another(1e-4 * EFFECT + 5, 1e-8 * VARIANCE)
    assert moved.low == pytest.approx(1e-4 * found.low + 5, abs=1e-7)
    assert moved.high == pytest.approx(1e-4 * found.high + 5, abs=1e-7)
    assert found.low < found.value < found.high


def test_it_covers_another_hospital() -> None:
    """Of 150 pools of eight hospitals; 0.90 is 0.95 less three standard errors."""
    rng = np.random.default_rng(7)
    held = 0
    for _ in range(150):
        truth = 0.1 + 0.04 * rng.standard_normal(9)
        found = predict_another(truth[:-1] + rng.normal(0, np.sqrt(VARIANCE)), VARIANCE)
        held += found.low <= truth[-1] <= found.high
    assert held / 150 >= 0.90
