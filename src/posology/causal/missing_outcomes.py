"""Outcomes lost to follow-up, or never measured: doubly robust transformations of the others."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64

from posology.causal.boosted_trees import fill_unknown, make_boosted_trees
from posology.causal.censoring import (
    CensoringModel,
    FollowedTrial,
    fit_censoring,
    fit_hazard_ratios,
    pool_follow_up,
    with_baselines,
    with_inputs,
)
from posology.causal.left_out import LeftOut
from posology.causal.measurement import measurement_factors
from posology.causal.tree_values import predict_options
from posology.causal.trial import (
    FOLDS,
    Column,
    Completed,
    Fold,
    FollowUp,
    Mask,
    Matrix,
    Trial,
    assign_folds,
)

Selected = Float64[np.ndarray, " selected"]

PERIODS = 6
"""Periods of follow-up, with equal numbers of censored decisions; the expected outcome of those
still followed is constant within each. Our choice."""
PRIOR_ROWS = 10.0
"""Decisions' worth of evidence that an expected outcome does not change with time. Our choice."""
MIN_ROWS = 30
"""With fewer decisions of an option, the change is that of all options. Our choice."""


def complete_outcomes(trial: Trial, fold: Fold) -> Completed | None:
    """Every decision's outcome corrected for what is unknown, by models fitted without each fold.

    None where all outcomes are known. Row f is for models that predict fold f: no outcome of the
    fold's own decisions, or time to it, enters those of the others. Where T is the day on which the
    outcome is resolved (trial.FollowUp), G the probability of being followed so long, Q(t) the
    expected outcome of those unresolved after t days, and M the martingale of censoring,

        Y* = [resolved] Y / G(T-) + integral of Q / G dM.

    It has the mean of the full outcome if G or Q is right (Robins and Rotnitzky 1992; van der Laan
    and Robins 2003, section 3.1; Rubin and van der Laan 2007, doi:10.2202/1557-4679.1052). Of a
    time, min(T, window), this is a pseudo-value of the restricted mean that allows censoring to
    depend on covariates and option (Binder 2014, Overgaard 2019 weight pseudo-values by the same
    G). Where no number was measured by the window's end, Y is first replaced by
    m + measured / P(measured) (Y - m).
    """
    return complete_together([trial], fold)[0]


def complete_together(trials: Sequence[Trial], fold: Fold) -> list[Completed | None]:
    """The same of several outcomes of the same decisions, with one model of who is censored.

    The hazard ratio of censoring, given covariates and option, is that of all outcomes together.
    """
    follow_ups = [trial.follow_up for trial in trials if _has_unknown(trial)]
    follow_ups = [follow_up for follow_up in follow_ups if follow_up is not None]
    if not follow_ups:
        return [None] * len(trials)
    first = with_inputs(trials[0], pool_follow_up(follow_ups))
    ratios = fit_hazard_ratios(first, LeftOut(fold))
    completed: list[Completed | None] = []
    for trial in trials:
        if trial.follow_up is None or not _has_unknown(trial):
            completed.append(None)
            continue
        followed, left_out = FollowedTrial(trial, trial.follow_up, first.inputs), LeftOut(fold)
        models = with_baselines(followed, left_out, ratios)
        completed.append(_complete_every_fold(followed, left_out, models))
    return completed


def _has_unknown(trial: Trial) -> bool:
    return trial.follow_up is not None and not trial.follow_up.is_known.all()


def complete_nested_outcomes(
    trial: Trial,
    fold: Fold,
    on_pair: Callable[[int], None] = lambda done: None,  # noqa: ARG005
) -> tuple[Completed, ...] | None:
    """For each left-out fold, the outcomes corrected by models of the other four, as above.

    Row f is by models without the left-out fold and fold f. The left-out fold's own row, for its
    evaluation, is the mean of the four others, none of which has seen its decisions.
    """
    follow_up = trial.follow_up
    if follow_up is None or follow_up.is_known.all():
        return None
    followed, first = with_inputs(trial, follow_up), LeftOut(fold)
    completed = []
    for k in range(FOLDS):
        on_pair(k * FOLDS - k * (k + 1) // 2)  # pairs of folds without any of those still to come
        left_out = replace(first, also=k)
        models = fit_censoring(followed, left_out)
        completed.append(_complete_every_fold(followed, left_out, models))
    return tuple(completed)


def _complete_every_fold(
    followed: FollowedTrial, left_out: LeftOut, models: Mapping[int, CensoringModel]
) -> Completed:
    factors = measurement_factors(followed, left_out)
    each = [
        _complete(_Learning(followed, left_out, f, models[f], factors[f])) for f in left_out.folds
    ]
    outcomes, expected = [outcome for outcome, _ in each], [every for _, every in each]
    if left_out.also is not None:
        outcomes.insert(left_out.also, np.mean(outcomes, axis=0))
        expected.insert(left_out.also, np.mean(expected, axis=0))
    return Completed(np.stack(outcomes), np.stack(expected))


def observation_weights(trial: Trial, rng: np.random.Generator) -> Column:
    """[known] / (G(T-) P(measured)) of each decision, by models that have not seen its subject."""
    follow_up = trial.follow_up
    if follow_up is None or follow_up.is_known.all():
        return np.ones(len(trial))
    fold, followed = assign_folds(trial, rng), with_inputs(trial, follow_up)
    left_out, weight = LeftOut(fold), np.zeros(len(trial))
    models = fit_censoring(followed, left_out)
    factors = measurement_factors(followed, left_out)
    for f, model in models.items():
        inverse = model.inverse_probability(trial.treatment, follow_up.days, follow_up.is_resolved)
        weight[fold == f] = (inverse * factors[f])[fold == f]
    return np.where(follow_up.is_known, weight, 0.0)


def complete_trial(trial: Trial, rng: np.random.Generator) -> Trial:
    """The trial with each outcome corrected by models that have not seen its subject."""
    fold = assign_folds(trial, rng)
    return with_completed_outcomes(trial, fold, complete_outcomes(trial, fold))


def with_completed_outcomes(trial: Trial, fold: Fold, completed: Completed | None) -> Trial:
    """The trial with the outcomes of each decision's own fold; all are then known."""
    if completed is None:
        return trial
    outcome = completed.outcome[fold, np.arange(len(trial))]
    return replace(trial, outcome=outcome, follow_up=None)


@dataclass(frozen=True, slots=True, eq=False)
class _Learning:
    """What one fold's correction is learned from."""

    followed: FollowedTrial
    left_out: LeftOut
    fold: int
    model: CensoringModel
    factor: Column
    """Weight of a known outcome for numbers that were not measured (measurement.py)."""

    @property
    def rest(self) -> Mask:
        """Decisions to learn from; all are corrected."""
        return self.left_out.learning(self.fold)

    def inverse_at(self, day: float) -> Column:
        """1 / P(followed beyond this day)."""
        option = self.followed.trial.treatment
        days = np.full(len(option), day)
        return self.model.inverse_probability(option, days, np.zeros_like(days) > 0)


def _complete(learning: _Learning) -> tuple[Column, Matrix]:
    """Y* of every decision: the integral is a sum over periods, in each of which Q is constant.

    Also the expected outcome under each option.
    """
    trial, follow_up = learning.followed.trial, learning.followed.follow_up
    days, resolved, is_known = follow_up.days, follow_up.is_resolved, follow_up.is_known
    inverse = learning.model.inverse_probability(trial.treatment, days, resolved)
    weight = np.where(is_known, inverse * learning.factor, 0.0)
    every = _expected_outcomes(learning, weight)
    expected = every[np.arange(len(trial)), trial.treatment]
    residual = np.where(is_known, trial.outcome - expected, 0.0) * learning.factor
    # Of resolved decisions; where the factor is 1, the outcome itself.
    outcome = expected + residual
    total = np.where(resolved, outcome * inverse, 0.0)
    reached, start = np.ones(len(trial)), -np.inf
    for middle, end in _periods(follow_up, learning.rest):
        later = _expected_later(learning, weight, expected, middle)
        stops_here, is_followed = (days > start) & (days <= end), days > start
        now = np.where(days <= end, inverse, learning.inverse_at(end))
        total -= np.where(is_followed, later * (now - reached), 0.0)
        total += np.where(stops_here & ~resolved, later * inverse, 0.0)
        reached, start = now, end
    return total, every


def _periods(follow_up: FollowUp, rest: Mask) -> list[tuple[float, float]]:
    """Middle and end of periods with equal numbers of censored decisions; the last is open."""
    censored = follow_up.days[rest & ~follow_up.is_resolved]
    if not len(censored):
        return [(0.0, np.inf)]
    shares = np.arange(1, PERIODS + 1) / PERIODS
    ends = np.unique(np.quantile(censored, shares, method="inverted_cdf"))
    at = np.searchsorted(ends, censored)
    middles = [float(np.median(censored[at == k])) for k in range(len(ends))]
    return list(zip(middles, [*ends[:-1].tolist(), np.inf], strict=True))


def _expected_outcomes(learning: _Learning, weight: Column) -> Matrix:
    """E[outcome | covariates, option] by boosted trees, from the known outcomes, weighted."""
    trial, inputs = learning.followed.trial, learning.followed.inputs
    rows = learning.rest & learning.followed.follow_up.is_known
    if len(np.unique(trial.outcome[rows])) < 2:
        constant = float(trial.outcome[rows].mean()) if rows.any() else 0.0
        return np.full((len(trial), trial.n_options), constant)

    def fit() -> Matrix:
        known = fill_unknown(inputs[rows])
        trees = make_boosted_trees().fit(known, trial.outcome[rows], weight[rows])
        return predict_options(trees, inputs, trial.n_options)

    fitted_to = np.append(weight, np.where(rows, trial.outcome, 0.0))
    return learning.left_out.once(learning.fold, "expected outcome", fit, fitted_to)


def _expected_later(learning: _Learning, weight: Column, expected: Column, day: float) -> Column:
    """Expected outcome of those unresolved after a day: a line in `expected` for each option."""
    trial, follow_up = learning.followed.trial, learning.followed.follow_up
    rows = learning.rest & follow_up.is_known & (follow_up.days > day)
    share, later = weight / learning.inverse_at(day), expected.copy()
    for k in range(trial.n_options):
        mine = trial.treatment == k
        own = rows & mine if (rows & mine).sum() >= MIN_ROWS else rows
        level, slope, center = _line(expected[own], (trial.outcome - expected)[own], share[own])
        later[mine] += level + slope * (expected[mine] - center)
    return later


def _line(x: Selected, y: Selected, weight: Selected) -> tuple[float, float, float]:
    """Weighted ridge regression: level at the center, slope, center. 0 without any row."""
    if not len(x):
        return 0.0, 0.0, 0.0
    w = weight / weight.mean()
    center = float((w * x).sum() / w.sum())
    level = float((w * y).sum() / (w.sum() + PRIOR_ROWS))
    spread = float((w * (x - center) ** 2).sum())
    prior = PRIOR_ROWS * float(x.var()) + 1e-12
    slope = float((w * (x - center) * (y - level)).sum() / (spread + prior))
    return level, slope, center
