"""How strong a reason that nobody recorded must be to undo what is said."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from posology.causal.doubly_robust_scores import Nuisance
from posology.causal.trial import Column, Mask
from posology.evaluation.effects.policy_values import ChosenOption, ReferenceOption
from posology.evaluation.intervals import Scores, Weights, resample_weights, unit_weights

Rows = Int64[np.ndarray, " kept"]

REPLICATES = 200
MAX_GAMMA = 50.0
"""The strongest hidden reason asked about; our choice."""


@dataclass(frozen=True, slots=True)
class GainBounds:
    """Between what a rule's gain may lie if hidden reasons change odds of treatment by `gamma`."""

    gamma: float
    low: float
    high: float
    interval_low: float
    """With sampling error: 2.5th percentile of the lower bound over resampled patients."""
    interval_high: float


def e_value(ratio: float) -> float:
    """Risk ratio that a hidden cause must have, with treatment and outcome, to explain `ratio`.

    VanderWeele and Ding 2017 (doi:10.7326/M16-2607).
    """
    above = 1 / ratio if ratio < 1 else ratio
    return float(above + np.sqrt(above * (above - 1)))


def e_value_limit(low: float, high: float) -> float:
    """The E-value of the interval's limit that is nearer to 1; 1 where it holds 1."""
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
    """The marginal sensitivity model (Tan 2006) on the gain of a rule over one option for all.

    Patients on whom both agree gain nothing, so only the others are asked. Among them each
    option's mean is its regression plus a weighted mean of residuals whose weights may be any
    that the model allows (Zhao, Small and Bhattacharya 2019, doi:10.1111/rssb.12327, section 4).
    """
    rows = _kept(chosen, population)
    at = _bounded(nuisance, chosen, reference, rows)
    low, high = at(unit_weights(len(rows)), gamma)
    subject = nuisance.trial.subject[rows]
    drawn = [at(w, gamma) for w in resample_weights(subject, REPLICATES, rng)]
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
    """The strength at which the gain may be nothing: 1 where it is nothing already.

    Bisection on the lower bound, up to LARGEST.
    """
    rows = _kept(chosen, population)
    at, whole = _bounded(nuisance, chosen, reference, rows), unit_weights(len(rows))

    def low(gamma: float) -> float:
        return float(at(whole, gamma)[0][0])

    if low(1.0) <= 0:
        return 1.0
    if low(MAX_GAMMA) > 0:
        return MAX_GAMMA
    inside, outside = 1.0, MAX_GAMMA
    while outside / inside > 1.01:
        middle = float(np.sqrt(inside * outside))
        inside, outside = (middle, outside) if low(middle) > 0 else (inside, middle)
    return inside


def _kept(chosen: ChosenOption, keep: Mask | None) -> Rows:
    return np.arange(len(chosen)) if keep is None else np.flatnonzero(keep)


def _bounded(
    nuisance: Nuisance, chosen: ChosenOption, reference: ReferenceOption, kept: Rows
) -> Callable[[Weights, float], tuple[Scores, Scores]]:
    """Lower and upper bound of the gain of the rows kept, at weights and a gamma."""
    single = np.broadcast_to(reference, len(chosen))
    differs = chosen[kept] != single[kept]
    rows = kept[differs]
    by_rule = _arm(nuisance, rows, chosen[rows])
    by_single = _arm(nuisance, rows, single[rows])

    def at(weights: Weights, gamma: float) -> tuple[Scores, Scores]:
        size = len(weights)
        if not len(rows):
            return np.zeros(size), np.zeros(size)
        if by_rule is None or by_single is None:
            return np.full(size, -np.inf), np.full(size, np.inf)
        mine = weights[:, differs]
        share = mine.sum(axis=1) / weights.sum(axis=1)
        low, high = _gain(by_rule, by_single, mine, gamma)
        return low * share, high * share

    return at


@dataclass(frozen=True, slots=True, eq=False)
class _Arm:
    """Patients of one rule's arm, ordered by residual, the largest first."""

    rows: Int64[np.ndarray, " given"]
    residual: Float64[np.ndarray, " given"]
    odds: Float64[np.ndarray, " given"]
    """Against the treatment that was given."""
    regression: Column
    """Of all patients asked about, in their own order."""


def _arm(nuisance: Nuisance, rows: np.ndarray, option: np.ndarray) -> _Arm | None:
    trial, mean = nuisance.trial, nuisance.outcome_regression.mean[rows, option]
    given = np.flatnonzero(trial.treatment[rows] == option)
    if not len(given):
        return None
    chance = nuisance.propensity.probability[rows, option][given]
    residual = trial.outcome[rows][given] - mean[given]
    order = np.argsort(-residual, kind="stable")
    return _Arm(given[order], residual[order], (1 / chance - 1)[order], mean)


def _gain(
    rule: _Arm, single: _Arm, weights: Float64[np.ndarray, "replicate decision"], gamma: float
) -> tuple[np.ndarray, np.ndarray]:
    first, second = _extremes(rule, weights, gamma), _extremes(single, weights, gamma)
    total = weights.sum(axis=1)
    level = weights @ (rule.regression - single.regression) / total
    return level + first[0] - second[1], level + first[1] - second[0]


def _extremes(
    arm: _Arm, weights: Float64[np.ndarray, "replicate decision"], gamma: float
) -> tuple[np.ndarray, np.ndarray]:
    """Least and largest weighted mean residual: the weights jump once, in order of residual."""
    drawn = weights[:, arm.rows]
    light, heavy = drawn * (1 + arm.odds / gamma), drawn * (1 + arm.odds * gamma)

    def best(first: np.ndarray, rest: np.ndarray, pick: np.ufunc) -> np.ndarray:
        total = rest.sum(axis=1, keepdims=True) + np.cumsum(first - rest, axis=1)
        product = (rest @ arm.residual)[:, None] + np.cumsum((first - rest) * arm.residual, axis=1)
        none = (rest @ arm.residual) / rest.sum(axis=1)
        return pick(pick.reduce(product / total, axis=1), none)

    with np.errstate(invalid="ignore", divide="ignore"):  # a resample may leave an arm empty
        return best(light, heavy, np.minimum), best(heavy, light, np.maximum)


def plausible_gamma(log_odds: float) -> float:
    """The gamma of a standard normal hidden reason: 95 % of patients lie within 1.96 of its mean.

    `log_odds` is what one standard deviation of the reason adds to the log-odds of treatment.
    """
    return float(np.exp(1.96 * abs(log_odds)))
