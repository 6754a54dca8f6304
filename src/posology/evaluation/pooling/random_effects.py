"""Random-effects meta-analysis of one effect, as estimated in several hospitals.

Each hospital's true effect is a draw around a common mean with standard deviation tau, estimated by
restricted maximum likelihood (REML; Viechtbauer 2005, doi:10.3102/10769986030003261). The mean's
interval is that of Hartung and Knapp (2001, doi:10.1002/sim.1009) and Sidik and Jonkman, never
narrower than with known variances (Knapp and Hartung 2003, doi:10.1002/sim.1482).
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from posology.evaluation.intervals import LEVEL, Difference, Interval
from posology.evaluation.pooling.prediction_interval import predict_another

MIN_FOR_PREDICTION = 3
"""Hospitals without which nothing is said of another one: two do not tell how far they differ."""
_GRID = 200
"""Values of tau squared that are tried before the best is refined."""
_Column = Float64[np.ndarray, " hospital"]


@dataclass(frozen=True, slots=True)
class RandomEffects:
    """The mean effect over hospitals, how far they differ, and what another may expect."""

    mean: Difference
    standard_error: float
    tau: float
    """Standard deviation of the true effects between hospitals."""
    tau_low: float
    tau_high: float
    """95 % interval of tau, by Q-profile (Viechtbauer 2007, doi:10.1002/sim.2514)."""
    i_squared: float
    """Share of the variance of the estimates that is between hospitals, 0 to 1 (Higgins and
    Thompson 2002, doi:10.1002/sim.1186)."""
    q: float
    q_p: float
    """Cochran's test that all true effects are the same."""
    prediction: Interval | None
    """Where the true effect of another hospital lies in 95 % (prediction_interval.py); None with
    fewer than three hospitals."""
    weights: tuple[float, ...]
    """Share of each hospital in the mean."""


def pool_effects(effect: _Column, standard_error: _Column) -> RandomEffects:
    """Pool the effects of at least two hospitals; every standard error is above 0."""
    from scipy.stats import chi2, t

    hospitals, variance = len(effect), standard_error**2
    tau2 = _restricted_maximum(effect, variance)
    weight = 1 / (variance + tau2)
    mean = float(weight @ effect / weight.sum())
    spread = float(weight @ (effect - mean) ** 2) / (hospitals - 1)
    error = float(np.sqrt(max(1.0, spread) / weight.sum()))
    half = float(t.ppf((1 + LEVEL) / 2, hospitals - 1)) * error
    q, degrees = _cochran_q(effect, variance, 0.0), hospitals - 1
    low, high = (
        np.sqrt(_profile(effect, variance, float(chi2.ppf(p, degrees))))
        for p in ((1 + LEVEL) / 2, (1 - LEVEL) / 2)
    )
    prediction = None
    if hospitals >= MIN_FOR_PREDICTION:
        prediction = predict_another(effect, variance)
    return RandomEffects(
        mean=Difference(
            mean, mean - half, mean + half, float(2 * t.sf(abs(mean) / error, degrees))
        ),
        standard_error=error,
        tau=float(np.sqrt(tau2)),
        tau_low=float(low),
        tau_high=float(high),
        i_squared=tau2 / (tau2 + _typical_variance(variance)),
        q=q,
        q_p=float(chi2.sf(q, degrees)),
        prediction=prediction,
        weights=tuple((weight / weight.sum()).tolist()),
    )


def _restricted_maximum(effect: _Column, variance: _Column) -> float:
    """Tau squared of the largest restricted likelihood, which may have several maxima."""
    from scipy.optimize import minimize_scalar

    def loss(tau2: float) -> float:
        weight = 1 / (variance + tau2)
        mean = weight @ effect / weight.sum()
        squares = float(weight @ (effect - mean) ** 2)
        return squares - float(np.log(weight).sum()) + float(np.log(weight.sum()))

    largest = 10 * float(np.var(effect) + variance.max())
    tried = np.concatenate([[0.0], np.geomspace(1e-6, 1.0, _GRID) * largest])
    best = int(np.argmin([loss(float(tau2)) for tau2 in tried]))
    low, high = tried[max(best - 1, 0)], tried[min(best + 1, len(tried) - 1)]
    found = minimize_scalar(
        loss, bounds=(low, high), method="bounded", options={"xatol": 1e-10 * largest}
    )
    return float(found.x) if found.fun < loss(0.0) else 0.0


def _cochran_q(effect: _Column, variance: _Column, tau2: float) -> float:
    """Weighted sum of squares around the mean; its expectation is k - 1 at the true tau squared."""
    weight = 1 / (variance + tau2)
    mean = weight @ effect / weight.sum()
    return float(weight @ (effect - mean) ** 2)


def _profile(effect: _Column, variance: _Column, target: float) -> float:
    """Tau squared at which Q is the target; 0 if Q is below it already."""
    from scipy.optimize import brentq

    if _cochran_q(effect, variance, 0.0) <= target:
        return 0.0
    high = float(np.var(effect) + variance.max())
    while _cochran_q(effect, variance, high) > target:
        high *= 4
    return float(brentq(lambda tau2: _cochran_q(effect, variance, tau2) - target, 0.0, high))


def _typical_variance(variance: _Column) -> float:
    """The within-hospital variance that I squared compares with tau squared."""
    weight = 1 / variance
    return float((len(variance) - 1) * weight.sum() / (weight.sum() ** 2 - (weight**2).sum()))
