"""Sensitivity analysis: how strong an unmeasured confounder must be to explain an effect away."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from posology.causal.doubly_robust_scores import Nuisance
from posology.causal.trial import Column, Mask
from posology.evaluation.effects.policy_values import ChosenOption, ReferenceOption
from posology.evaluation.intervals import (
    Difference,
    Scores,
    Weights,
    resample_weights,
    unit_weights,
)

Rows = Int64[np.ndarray, " included"]

REPLICATES = 200
_TAIL = 0.025
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

    `spread` is the outcome's standard deviation; where it is 0, no option makes a difference.
    """
    if spread == 0.0:
        return 1.0
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
    lower = _lower_bound_function(nuisance, chosen, reference, rows)
    lower_of_loss = _lower_bound_function(nuisance, reference, chosen, rows)
    once, subject = unit_weights(len(rows)), nuisance.trial.subject[rows]
    low, high = lower(once, gamma)[0], -lower_of_loss(once, gamma)[0]
    drawn = [
        (lower(w, gamma), -lower_of_loss(w, gamma))
        for w in resample_weights(subject, REPLICATES, rng)
    ]
    lows, highs = (np.concatenate([part[side] for part in drawn]) for side in (0, 1))
    return GainBounds(
        gamma,
        float(low),
        float(high),
        float(np.nanquantile(lows, _TAIL)),
        float(np.nanquantile(highs, 1 - _TAIL)),
    )


def tipping_gamma(
    nuisance: Nuisance,
    chosen: ChosenOption,
    reference: ReferenceOption,
    population: Mask | None = None,
) -> float:
    """The smallest gamma at which the estimated gain may be 0; 1 if the gain is not above 0.

    Sampling error is left out: `interval_tipping_gamma` is the one to report.
    """
    rows = _included_rows(chosen, population)
    lower = _lower_bound_function(nuisance, chosen, reference, rows)
    once = unit_weights(len(rows))
    return _smallest_gamma(lambda gamma: float(lower(once, gamma)[0]), MAX_GAMMA)


def interval_tipping_gamma(
    nuisance: Nuisance,
    chosen: ChosenOption,
    reference: ReferenceOption,
    gain: Difference,
    rng: np.random.Generator,
    population: Mask | None = None,
) -> float:
    """The smallest gamma at which the reported interval may include 0; 1 if it does already.

    The limit at gamma is the lower bound minus its sampling error: the distance to the 2.5th
    percentile of the bound over resampled patients (Zhao, Small and Bhattacharya 2019, section
    4.3), times the width of the reported interval over that of a pointwise one, so that
    simultaneous intervals count as such.

    Args:
        gain: of `chosen` over `reference` or, with the opposite sign, of `reference` over `chosen`.
    """
    if gain.low <= 0 <= gain.high:
        return 1.0
    largest = tipping_gamma(nuisance, chosen, reference, population)
    if largest <= 1:
        return 1.0
    rows = _included_rows(chosen, population)
    lower = _lower_bound_function(nuisance, chosen, reference, rows)
    once, subject = unit_weights(len(rows)), nuisance.trial.subject[rows]
    seed = int(rng.integers(2**32))  # the same resamples at every gamma

    def bound_and_error(gamma: float) -> tuple[float, float]:
        drawn = resample_weights(subject, REPLICATES, np.random.default_rng(seed))
        limit = np.nanquantile(np.concatenate([lower(w, gamma) for w in drawn]), _TAIL)
        bound = float(lower(once, gamma)[0])
        return bound, bound - float(limit)

    nearer = gain.low if gain.low > 0 else gain.high
    ratio = abs(gain.value - nearer) / bound_and_error(1.0)[1]

    def limit(gamma: float) -> float:
        bound, error = bound_and_error(gamma)
        return bound - ratio * error

    return _smallest_gamma(limit, largest)


def _smallest_gamma(lower: Callable[[float], float], largest: float) -> float:
    """Where a decreasing function of gamma reaches 0, between 1 and `largest`, by bisection."""
    if lower(1.0) <= 0:
        return 1.0
    if lower(largest) > 0:
        return largest
    inside, outside = 1.0, largest
    while outside / inside > 1.01:
        middle = float(np.sqrt(inside * outside))
        inside, outside = (middle, outside) if lower(middle) > 0 else (inside, middle)
    return inside


def _included_rows(chosen: ChosenOption, population: Mask | None) -> Rows:
    return np.arange(chosen.shape[-1]) if population is None else np.flatnonzero(population)


def _lower_bound_function(
    nuisance: Nuisance, first: ReferenceOption, second: ReferenceOption, included: Rows
) -> Callable[[Weights, float], Scores]:
    """A function of weights and gamma: lower bound of the first rule's gain over the second.

    Of several runs, the mean of their lower bounds, which the mean gain cannot be below.
    """
    firsts, seconds = np.broadcast_arrays(*(np.atleast_2d(option) for option in (first, second)))
    bounds = [
        _lower_bound_of_run(nuisance, *options, included)
        for options in zip(firsts, seconds, strict=True)
    ]

    def lower_bound(weights: Weights, gamma: float) -> Scores:
        return np.mean([bound(weights, gamma) for bound in bounds], axis=0)

    return lower_bound


def _lower_bound_of_run(
    nuisance: Nuisance, first: ChosenOption, second: ChosenOption, included: Rows
) -> Callable[[Weights, float], Scores]:
    options = (first, second)
    differs = options[0][included] != options[1][included]
    rows = included[differs]
    arms = [_arm(nuisance, rows, option[rows]) for option in options]

    def lower_bound(weights: Weights, gamma: float) -> Scores:
        if not len(rows):
            return np.zeros(len(weights))
        if arms[0] is None or arms[1] is None:
            return np.full(len(weights), -np.inf)
        w = weights[:, differs]
        share = w.sum(axis=1) / weights.sum(axis=1)
        return _lower_gain(arms[0], arms[1], w, gamma) * share

    return lower_bound


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


def _lower_gain(
    first: _Arm, second: _Arm, weights: Float64[np.ndarray, "replicate decision"], gamma: float
) -> Scores:
    difference = weights @ (first.regression - second.regression) / weights.sum(axis=1)
    smallest = _extreme_residual(first, weights, gamma, np.minimum)
    return difference + smallest - _extreme_residual(second, weights, gamma, np.maximum)


def _extreme_residual(
    arm: _Arm, weights: Float64[np.ndarray, "replicate decision"], gamma: float, pick: np.ufunc
) -> Scores:
    """Smallest or largest weighted mean residual: the extreme weights change once, by residual."""
    drawn = weights[:, arm.rows]
    first, rest = drawn * (1 + arm.odds / gamma), drawn * (1 + arm.odds * gamma)
    if pick is np.maximum:
        first, rest = rest, first
    with np.errstate(invalid="ignore", divide="ignore"):  # a resample may leave an arm empty
        total = rest.sum(axis=1, keepdims=True) + np.cumsum(first - rest, axis=1)
        product = (rest @ arm.residual)[:, None] + np.cumsum((first - rest) * arm.residual, axis=1)
        no_change = (rest @ arm.residual) / rest.sum(axis=1)
        return pick(pick.reduce(product / total, axis=1), no_change)


def plausible_gamma(log_odds: float) -> float:
    """The gamma of a standard normal confounder: 95 % of patients lie within 1.96 of its mean.

    `log_odds` is the effect of one standard deviation of it on the log-odds of treatment.
    """
    return float(np.exp(1.96 * abs(log_odds)))
