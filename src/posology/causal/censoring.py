"""Censoring: the probability of being followed so long, given covariates and option.

A proportional hazards model of the time to censoring (Cox 1972), with the options as strata; its
hazard ratio depends on covariates and option. Fitted without the subjects that it is applied to.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import Bool, Float64, Int64

from posology.causal.boosted_trees import (
    MIN_LEAF_SIZE,
    bin_columns,
    distinct_columns,
    fill_unknown,
    make_boosted_trees,
)
from posology.causal.left_out import TRIAL_FOLD, LeftOut
from posology.causal.outcome_regression import append_option
from posology.causal.spline_basis import expand_basis, fit_basis
from posology.causal.tree_values import predict_columns
from posology.causal.trial import Column, FollowUp, Mask, Trial

MIN_FOLLOW_UP_PROBABILITY = 0.05
"""Smallest probability of being followed; lower ones are raised to it; our choice."""
MIN_CENSORED = 20
"""With fewer censored decisions, censoring depends on the option alone; our choice."""
MAX_FITTED = 10_000
"""Decisions that a hazard ratio is fitted on; of more, evenly spaced ones are used."""
RIDGE, ROUNDS, MAX_LOG_RATIO = 5.0, 3, 6.0
"""Penalty on standardised columns; alternations of hazard ratio and baseline; bound. Our choice."""
Rows = Int64[np.ndarray, " row"]
Steps = tuple[Float64[np.ndarray, " _"], Float64[np.ndarray, " _"]]


@dataclass(frozen=True, slots=True, eq=False)
class FollowedTrial:
    """A trial some of whose outcomes are unknown."""

    trial: Trial
    follow_up: FollowUp
    inputs: Float64[np.ndarray, "decision feature_and_option"]
    """The calendar and covariates, binned, and the option, for trees."""

    @property
    def censored(self) -> Mask:
        """Whether follow-up ended before the outcome was resolved."""
        return ~self.follow_up.is_resolved

    @property
    def inputs_of_leaving(self) -> Float64[np.ndarray, "decision feature_and_option"]:
        """Without the calendar: who enters late is followed less long, whoever it is.

        That is how records end. With the date known, nobody's follow-up is left to chance, and no
        decision that reached its end stands for one that could not.
        """
        calendar = self.trial.outcome_calendar
        return self.inputs if calendar is None else self.inputs[:, calendar.shape[1] :]


def with_inputs(trial: Trial, follow_up: FollowUp) -> FollowedTrial:
    """The trial with inputs for trees."""
    binned = bin_columns(distinct_columns(trial.covariates))
    if trial.outcome_calendar is not None:
        binned = np.hstack([bin_columns(trial.outcome_calendar), binned])
    return FollowedTrial(trial, follow_up, append_option(binned, trial.treatment, trial.n_options))


@dataclass(frozen=True, slots=True, eq=False)
class CensoringModel:
    """P(followed for t days | covariates, option) = exp(-hazard_ratio * cumulative hazard(t))."""

    hazard_ratio: Column
    baseline: tuple[Steps, ...]
    """Of each option: days at which decisions were censored, and the cumulative hazard before the
    first and after each."""

    def inverse_probability(self, option: np.ndarray, days: Column, before: Mask) -> Column:
        """1 / P(followed for so many days) of every decision.

        before: where censoring on that very day is left out.
        """
        cumulative = np.zeros(len(days))
        for k, (times, hazard) in enumerate(self.baseline):
            mine = option == k
            first, last = (np.searchsorted(times, days[mine], side=s) for s in ("left", "right"))
            cumulative[mine] = hazard[np.where(before[mine], first, last)]
        survival = np.exp(-self.hazard_ratio * cumulative)
        return 1.0 / np.maximum(survival, MIN_FOLLOW_UP_PROBABILITY)


def fit_censoring(
    followed: FollowedTrial, left_out: LeftOut, name: str = "censoring"
) -> dict[int, CensoringModel]:
    """One model for each fold, fitted on the others.

    Args:
        name: of what ends the follow-up; models of the same name and folds are fitted once.
    """
    return with_baselines(followed, left_out, fit_hazard_ratios(followed, left_out, name))


def with_baselines(
    followed: FollowedTrial, left_out: LeftOut, ratios: Mapping[int, Column]
) -> dict[int, CensoringModel]:
    """The models of these hazard ratios, which may be fitted to other outcomes' follow-up."""
    return {
        f: CensoringModel(ratio, _baselines(ratio, followed, left_out.learning(f)))
        for f, ratio in ratios.items()
    }


def fit_hazard_ratios(
    followed: FollowedTrial, left_out: LeftOut, name: str = "censoring"
) -> dict[int, Column]:
    """Each decision's hazard ratio of censoring, by models fitted without each fold.

    Its kind (none, log-linear for each option, boosted trees) is the one of the highest partial
    likelihood on two folds, fitted on the other three.
    """
    pair, likelihoods = left_out.trial_pair, {}
    for kind in _KINDS:
        ratio = _ratio(followed, pair, TRIAL_FOLD, (name, kind))
        likelihoods[kind] = _partial_likelihood(ratio, followed, ~pair.learning(TRIAL_FOLD))
    chosen = max(likelihoods, key=lambda kind: likelihoods[kind])
    return {f: _ratio(followed, left_out, f, (name, chosen)) for f in left_out.folds}


def _ratio(followed: FollowedTrial, left_out: LeftOut, fold: int, name: tuple[str, str]) -> Column:
    """Hazard ratios of one kind without a fold; 1 where hardly any decision is censored."""
    rows = left_out.learning(fold)
    if followed.censored[rows].sum() < MIN_CENSORED:
        return np.ones(len(rows))
    fit = partial(_KINDS[name[1]], followed, rows)
    return left_out.once(fold, ": ".join(name), fit)


def pool_follow_up(each: Sequence[FollowUp]) -> FollowUp:
    """How long decisions were followed for any of several outcomes: all that tells of censoring.

    A decision whose one outcome was resolved early may be seen to leave later, for another one.
    """
    days, resolved = np.stack([f.days for f in each]), np.stack([f.is_resolved for f in each])
    everything = np.asarray(resolved.all(axis=0), dtype=bool)
    left = np.where(resolved, -np.inf, days).max(axis=0)
    return FollowUp(
        np.where(everything, days.max(axis=0), left),
        everything,
        everything,
        np.zeros_like(everything),
    )


def _baselines(ratio: Column, followed: FollowedTrial, rows: Mask) -> tuple[Steps, ...]:
    trial, days = followed.trial, followed.follow_up.days
    return tuple(
        cumulative_hazard(days[mine], followed.censored[mine], ratio[mine])
        for mine in (rows & (trial.treatment == k) for k in range(trial.n_options))
    )


def cumulative_hazard(
    days: Column, censored: Bool[np.ndarray, " decision"], ratio: Column
) -> Steps:
    """Days of censoring, and the baseline's cumulative hazard before the first and after each.

    Ties as Efron 1977 (doi:10.1080/01621459.1977.10480613), his sum as an integral: with equal
    ratios exp(-hazard) is the Kaplan-Meier estimate. Who is resolved on a day is no longer at risk
    of censoring on it.
    """
    order = np.argsort(days, kind="stable")
    days, censored, ratio = days[order], censored[order], ratio[order]
    times = np.unique(days[censored])
    at = np.searchsorted(times, days[censored])
    count = np.bincount(at, minlength=len(times))
    tied = np.bincount(at, ratio[censored], len(times))
    beyond = np.concatenate([np.cumsum(ratio[::-1])[::-1], [0.0]])
    at_risk = beyond[np.searchsorted(days, times, side="right")] + tied
    left = np.maximum(at_risk - tied, tied / np.maximum(2 * count, 1))
    steps = count / np.maximum(tied, 1e-300) * np.log(at_risk / left)
    return times, np.concatenate([[0.0], np.cumsum(np.maximum(steps, 0.0))])


def _no_ratio(followed: FollowedTrial, rows: Mask) -> Column:  # noqa: ARG001
    return np.ones(len(followed.trial))


def _linear_ratio(followed: FollowedTrial, rows: Mask) -> Column:
    """Of each option, by ridge regression: Poisson, on the cumulative hazard (Breslow 1972)."""
    from sklearn.linear_model import PoissonRegressor

    trial, ratio = followed.trial, np.ones(len(followed.trial))
    for k in range(trial.n_options):
        every = np.flatnonzero(trial.treatment == k)
        mine = _at_most(every[rows[every]])
        censored = followed.censored[mine]
        if censored.sum() < MIN_CENSORED:
            continue
        basis = fit_basis(trial.covariates[mine], hinges=False, products=False)
        design, X = (expand_basis(basis, trial.covariates[i]) for i in (every, mine))
        for _ in range(ROUNDS):
            exposure = _exposure(followed, mine, ratio)
            at_risk = exposure > 0
            fitted = PoissonRegressor(alpha=RIDGE / exposure.sum(), max_iter=100).fit(
                X[at_risk],
                censored[at_risk] / exposure[at_risk],
                sample_weight=exposure[at_risk],
            )
            ratio[every] = np.exp(np.clip(design @ fitted.coef_, -MAX_LOG_RATIO, MAX_LOG_RATIO))
    return ratio


def _boosted_ratio(followed: FollowedTrial, rows: Mask) -> Column:
    """By boosted trees: Poisson, on the cumulative hazard of the option."""
    trial, mine = followed.trial, _at_most(np.flatnonzero(rows))
    inputs = followed.inputs_of_leaving
    ratio, bounds = np.ones(len(trial)), np.exp([-MAX_LOG_RATIO, MAX_LOG_RATIO])
    share = followed.censored[mine].mean()
    leaf = min(max(MIN_LEAF_SIZE, math.ceil(MIN_CENSORED / share)), len(mine) // 2)
    for _ in range(ROUNDS - 1):
        exposure = np.zeros(len(mine))
        for k in range(trial.n_options):
            own = trial.treatment[mine] == k
            exposure[own] = _exposure(followed, mine[own], ratio)
        at_risk = exposure > 0
        fitted = make_boosted_trees("poisson", leaf).fit(
            fill_unknown(inputs[mine[at_risk]]),
            followed.censored[mine[at_risk]] / exposure[at_risk],
            sample_weight=exposure[at_risk],
        )
        ratio = np.clip(predict_columns(fitted, inputs), *bounds)
    return ratio


_KINDS = {"none": _no_ratio, "linear": _linear_ratio, "boosted": _boosted_ratio}


def _at_most(rows: Rows) -> Int64[np.ndarray, " fitted"]:
    """Evenly spaced rows, at most MAX_FITTED."""
    return rows[:: 1 + len(rows) // MAX_FITTED]


def _exposure(followed: FollowedTrial, rows: Rows, ratio: Column) -> Float64[np.ndarray, " row"]:
    """Cumulative baseline hazard of each decision of one option, until it was followed."""
    days, censored = followed.follow_up.days[rows], followed.censored[rows]
    times, hazard = cumulative_hazard(days, censored, ratio[rows])
    before, through = (np.searchsorted(times, days, side=s) for s in ("left", "right"))
    return hazard[np.where(censored, through, before)]


def _partial_likelihood(ratio: Column, followed: FollowedTrial, rows: Mask) -> float:
    """Cox's partial log likelihood of the censoring of some decisions; ties as Breslow."""
    total = 0.0
    for k in range(followed.trial.n_options):
        mine = np.flatnonzero(rows & (followed.trial.treatment == k))
        mine = mine[np.argsort(followed.follow_up.days[mine], kind="stable")]
        days, censored = followed.follow_up.days[mine], followed.censored[mine]
        at_risk = np.cumsum(ratio[mine][::-1])[::-1]
        first = np.searchsorted(days, days[censored], side="left")
        total += float((np.log(ratio[mine][censored]) - np.log(at_risk[first])).sum())
    return total
