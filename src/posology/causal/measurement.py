"""The probability that a number was measured, of decisions that were followed to the end."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float64

from posology.causal.boosted_trees import fill_unknown, make_boosted_classifier
from posology.causal.censoring import CensoringModel, FollowedTrial, fit_censoring
from posology.causal.left_out import TRIAL_FOLD, LeftOut
from posology.causal.outcome_regression import append_option
from posology.causal.spline_basis import expand_basis, fit_basis
from posology.causal.trial import Column, Mask

Selected = Bool[np.ndarray, " selected"]
Weights = Float64[np.ndarray, " selected"]

MIN_MEASURED_PROBABILITY = 0.05
"""Smallest probability of a measurement; lower ones are raised to it; our choice."""


def measurement_factors(followed: FollowedTrial, left_out: LeftOut) -> dict[int, Column]:
    """Weights that make known outcomes stand for numbers that nobody measured; by each fold.

    1 / P(measured | covariates, option) for a number that was measured. Who was stopped in the
    window would otherwise have been measured before that with probability F(t), and is less
    unlikely not to have been: (1 - F) / (1 - P F). 1 for all others. Fitted without each fold, on
    decisions followed to their number or the window's end, weighted by the inverse probability of
    being neither stopped nor censored so long; shares, logistic regression or boosted trees by
    the log loss on two folds, fitted on the other three.
    """
    trial, follow_up = followed.trial, followed.follow_up
    needed = follow_up.is_resolved & follow_up.needs_measurement
    factors = {f: np.ones(len(trial)) for f in left_out.folds}
    if follow_up.is_known[needed].all():
        return factors
    stopped = follow_up.is_resolved & ~needed & (follow_up.days > follow_up.measured_from)
    remaining = replace(followed, follow_up=replace(follow_up, is_resolved=needed))
    models = fit_censoring(remaining, left_out, "stopped or censored")
    measured = _Measured(followed, left_out.trial_pair, remaining, needed)
    kind = _choose_kind(measured)
    for f, model in models.items():
        probability = _probability(replace(measured, left_out=left_out), f, model, kind)
        earlier = _measured_earlier(followed, needed & left_out.learning(f), models[f])
        factors[f][needed] = 1.0 / probability[needed]
        factors[f][stopped] = ((1 - earlier) / (1 - probability * earlier))[stopped]
    return factors


def _measured_earlier(followed: FollowedTrial, rows: Mask, model: CensoringModel) -> Column:
    """F: of those measured at all, the share that was by each decision's day, for each option."""
    trial, follow_up = followed.trial, followed.follow_up
    every = np.ones(len(trial), dtype=bool)
    inverse = model.inverse_probability(trial.treatment, follow_up.days, every)
    earlier = np.zeros(len(trial))
    for k in range(trial.n_options):
        mine = trial.treatment == k
        measured = np.flatnonzero(rows & mine & follow_up.is_known)
        if not len(measured):
            continue
        measured = measured[np.argsort(follow_up.days[measured], kind="stable")]
        share = np.concatenate([[0.0], np.cumsum(inverse[measured])]) / inverse[measured].sum()
        earlier[mine] = share[np.searchsorted(follow_up.days[measured], follow_up.days[mine])]
    return earlier


@dataclass(frozen=True, slots=True, eq=False)
class _Measured:
    """What the probability of a measurement is learned from."""

    followed: FollowedTrial
    left_out: LeftOut
    remaining: FollowedTrial
    """Followed until the number, or the window's end: stopping ends it too."""
    needed: Mask


def _choose_kind(measured: _Measured) -> str:
    pair, needed = measured.left_out, measured.needed
    model = fit_censoring(measured.remaining, pair, "stopped or censored")[TRIAL_FOLD]
    here, loss = needed & ~pair.learning(TRIAL_FOLD), {}
    is_known, weight = measured.followed.follow_up.is_known[here], _weight(measured, model)[here]
    for kind in _KINDS:
        chance = _probability(measured, TRIAL_FOLD, model, kind)[here]
        likelihood = np.log(np.where(is_known, chance, 1.0 - chance))
        loss[kind] = -float((weight * likelihood).sum())
    return min(loss, key=lambda kind: loss[kind])


def _weight(measured: _Measured, model: CensoringModel) -> Column:
    trial, follow_up = measured.followed.trial, measured.followed.follow_up
    return model.inverse_probability(trial.treatment, follow_up.days, measured.needed)


def _probability(measured: _Measured, fold: int, model: CensoringModel, kind: str) -> Column:
    rows = measured.needed & measured.left_out.learning(fold)
    known, weight = measured.followed.follow_up.is_known[rows], _weight(measured, model)

    def fit() -> Column:
        if known.all() or not known.any():
            probability = np.full(len(rows), known.mean() if len(known) else 1.0)
        else:
            probability = _KINDS[kind](measured.followed, rows, known, weight[rows])
        return np.clip(probability, MIN_MEASURED_PROBABILITY, 1.0 - 1e-6)

    return measured.left_out.once(fold, f"measured: {kind}", fit, weight)


def _shares(followed: FollowedTrial, rows: Mask, known: Selected, weight: Weights) -> Column:
    trial = followed.trial
    option, k = trial.treatment[rows], trial.n_options
    measured = np.bincount(option, weight * known, k) + 1.0
    return (measured / (np.bincount(option, weight, k) + 2.0))[trial.treatment]


def _logistic(followed: FollowedTrial, rows: Mask, known: Selected, weight: Weights) -> Column:
    from sklearn.linear_model import LogisticRegression

    trial = followed.trial
    basis = fit_basis(trial.outcome_confounders[rows], hinges=False, products=False)
    X = append_option(
        expand_basis(basis, trial.outcome_confounders), trial.treatment, trial.n_options
    )
    fitted = LogisticRegression(C=1.0, max_iter=2000).fit(X[rows], known, weight)
    return fitted.predict_proba(X)[:, 1]


def _boosted(followed: FollowedTrial, rows: Mask, known: Selected, weight: Weights) -> Column:
    fitted = make_boosted_classifier().fit(fill_unknown(followed.inputs[rows]), known, weight)
    return fitted.predict_proba(followed.inputs)[:, 1]


_KINDS: dict[str, Callable[[FollowedTrial, Mask, Selected, Weights], Column]] = {
    "shares": _shares,
    "logistic": _logistic,
    "boosted": _boosted,
}
