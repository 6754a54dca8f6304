"""Sensitivity analysis: how strong an unmeasured confounder must be to explain an effect away."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from posology.causal.doubly_robust_scores import Nuisance
from posology.causal.trial import Column, Mask
from posology.evaluation.effects.policy_values import ChosenOption, ReferenceOption
from posology.evaluation.intervals import Scores, Weights, resample_weights, unit_weights

Rows = Int64[np.ndarray, " included"]

REPLICATES = 200
MAX_GAMMA = 50.0
"""Largest strength that is searched; our choice."""


@dataclass(frozen=True, slots=True)
class GainBounds:
    """Bounds of a rule's gain if unmeasured confounders change the odds of treatment by `gamma`."""

    gamma: float
    low: float
    high: float
    interval_low: float
    """With sampling error: 2.5th percentile of the lower bound over resampled patients."""
    interval_high: float


def e_value(ratio: float) -> float:
    """Risk ratio that a confounder must have with treatment and outcome to explain `ratio` away.

    VanderWeele and Ding 2017 (doi:10.7326/M16-2607).
    """
    above = 1 / ratio if ratio < 1 else ratio
    return float(above + np.sqrt(above * (above - 1)))


def e_value_limit(low: float, high: float) -> float:
    """E-value of the interval's limit nearer to 1; 1 if the interval includes 1."""
    if low <= 1 <= high:
        return 1.0
    return e_value(low if low > 1 else high)


def approximate_risk_ratio(difference: float, spread: float) -> float:
    """A difference of means as a risk ratio, exp(0.91 d) (VanderWeele and Ding 2017, table 2).

    `spread` is the outcome's standard deviation.
    """
    return float(np.exp(0.91 * difference / spread))


def sensitivity_bounds(
    nuisance: Nuisance,
    chosen: ChosenOption,
    reference: ReferenceOption,
    gamma: float,
    rng: np.random.Generator,
    population: Mask | None = None,
) -> GainBounds:
    """Bounds of a rule's gain over one option, under the marginal sensitivity model (Tan 2006).

    Patients with the same option under both gain nothing. Among the others each option's mean is
    its regression plus a weighted mean of residuals, with any weights that the model allows (Zhao,
    Small and Bhattacharya 2019, doi:10.1111/rssb.12327, section 4).
    """
    rows = _included_rows(chosen, population)
    bounds_at = _bound_function(nuisance, chosen, reference, rows)
    low, high = bounds_at(unit_weights(len(rows)), gamma)
    subject = nuisance.trial.subject[rows]
    drawn = [bounds_at(w, gamma) for w in resample_weights(subject, REPLICATES, rng)]
    lows, highs = (np.concatenate([part[side] for part in drawn]) for side in (0, 1))
    return GainBounds(
        gamma,
        float(low[0]),
        float(high[0]),
        float(np.nanquantile(lows, 0.025)),
        float(np.nanquantile(highs, 0.975)),
    )


def tipping_gamma(
    nuisance: Nuisance,
    chosen: ChosenOption,
    reference: ReferenceOption,
    population: Mask | None = None,
) -> float:
    """The smallest gamma at which the gain may be 0; 1 if the gain is not above 0.

    Bisection on the lower bound, up to `MAX_GAMMA`.
    """
    rows = _included_rows(chosen, population)
    bounds_at = _bound_function(nuisance, chosen, reference, rows)
    once = unit_weights(len(rows))

    def low(gamma: float) -> float:
        return float(bounds_at(once, gamma)[0][0])

    if low(1.0) <= 0:
        return 1.0
    if low(MAX_GAMMA) > 0:
        return MAX_GAMMA
    inside, outside = 1.0, MAX_GAMMA
    while outside / inside > 1.01:
        middle = float(np.sqrt(inside * outside))
        inside, outside = (middle, outside) if low(middle) > 0 else (inside, middle)
    return inside


def _included_rows(chosen: ChosenOption, population: Mask | None) -> Rows:
    return np.arange(len(chosen)) if population is None else np.flatnonzero(population)


def _bound_function(
    nuisance: Nuisance, chosen: ChosenOption, reference: ReferenceOption, included: Rows
) -> Callable[[Weights, float], tuple[Scores, Scores]]:
    """A function of weights and gamma: lower and upper bound of the gain in some rows."""
    single = np.broadcast_to(reference, len(chosen))
    differs = chosen[included] != single[included]
    rows = included[differs]
    by_rule = _arm(nuisance, rows, chosen[rows])
    by_single = _arm(nuisance, rows, single[rows])

    def bounds_at(weights: Weights, gamma: float) -> tuple[Scores, Scores]:
        size = len(weights)
        if not len(rows):
            return np.zeros(size), np.zeros(size)
        if by_rule is None or by_single is None:
            return np.full(size, -np.inf), np.full(size, np.inf)
        w = weights[:, differs]
        share = w.sum(axis=1) / weights.sum(axis=1)
        low, high = _gain_bounds(by_rule, by_single, w, gamma)
        return low * share, high * share

    return bounds_at


@dataclass(frozen=True, slots=True, eq=False)
class _Arm:
    """Patients whose observed treatment is the option of one rule, by decreasing residual."""

    rows: Int64[np.ndarray, " treated"]
    residual: Float64[np.ndarray, " treated"]
    odds: Float64[np.ndarray, " treated"]
    """Odds against the observed treatment."""
    regression: Column
    """Predicted outcome of all patients, in their own order."""


def _arm(nuisance: Nuisance, rows: np.ndarray, option: np.ndarray) -> _Arm | None:
    trial, mean = nuisance.trial, nuisance.outcome_regression.mean[rows, option]
    treated = np.flatnonzero(trial.treatment[rows] == option)
    if not len(treated):
        return None
    propensity = nuisance.propensity.probability[rows, option][treated]
    residual = trial.outcome[rows][treated] - mean[treated]
    order = np.argsort(-residual, kind="stable")
    return _Arm(treated[order], residual[order], (1 / propensity - 1)[order], mean)


def _gain_bounds(
    rule: _Arm, single: _Arm, weights: Float64[np.ndarray, "replicate decision"], gamma: float
) -> tuple[np.ndarray, np.ndarray]:
    first, second = _extremes(rule, weights, gamma), _extremes(single, weights, gamma)
    total = weights.sum(axis=1)
    difference = weights @ (rule.regression - single.regression) / total
    return difference + first[0] - second[1], difference + first[1] - second[0]


def _extremes(
    arm: _Arm, weights: Float64[np.ndarray, "replicate decision"], gamma: float
) -> tuple[np.ndarray, np.ndarray]:
    """Smallest and largest weighted mean residual: the extreme weights change once, by residual."""
    drawn = weights[:, arm.rows]
    light, heavy = drawn * (1 + arm.odds / gamma), drawn * (1 + arm.odds * gamma)

    def extreme(first: np.ndarray, rest: np.ndarray, pick: np.ufunc) -> np.ndarray:
        total = rest.sum(axis=1, keepdims=True) + np.cumsum(first - rest, axis=1)
        product = (rest @ arm.residual)[:, None] + np.cumsum((first - rest) * arm.residual, axis=1)
        no_change = (rest @ arm.residual) / rest.sum(axis=1)
        return pick(pick.reduce(product / total, axis=1), no_change)

    with np.errstate(invalid="ignore", divide="ignore"):  # a resample may leave an arm empty
        return extreme(light, heavy, np.minimum), extreme(heavy, light, np.maximum)


def plausible_gamma(log_odds: float) -> float:
    """The gamma of a standard normal confounder: 95 % of patients lie within 1.96 of its mean.

    `log_odds` is the effect of one standard deviation of it on the log-odds of treatment.
    """
    return float(np.exp(1.96 * abs(log_odds)))
