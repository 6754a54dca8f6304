"""The probability that a number was measured, of decisions that were followed to the end."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64

from posology.causal.boosted_trees import make_boosted_classifier
from posology.causal.censoring import CensoringModel, FollowedTrial, fit_censoring
from posology.causal.left_out import LeftOut
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
    held-out log loss.
    """
    trial, follow_up = followed.trial, followed.follow_up
    needed = follow_up.is_resolved & follow_up.needs_measurement
    factors = {f: np.ones(len(trial)) for f in left_out.folds}
    if follow_up.is_known[needed].all():
        return factors
    stopped = follow_up.is_resolved & ~needed & (follow_up.days > follow_up.measured_from)
    remaining = replace(followed, follow_up=replace(follow_up, is_resolved=needed))
    models = fit_censoring(remaining, left_out, "stopped or censored")
    for f, probability in _measured_probabilities(followed, left_out, models, needed).items():
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


def _measured_probabilities(
    followed: FollowedTrial, left_out: LeftOut, models: Mapping[int, CensoringModel], needed: Mask
) -> dict[int, Column]:
    trial, follow_up, fold = followed.trial, followed.follow_up, left_out.fold
    weight = {
        f: model.inverse_probability(trial.treatment, follow_up.days, needed)
        for f, model in models.items()
    }
    best, lowest = {f: np.ones(len(trial)) for f in models}, np.inf
    for kind, fit in {"shares": _shares, "logistic": _logistic, "boosted": _boosted}.items():
        probability: dict[int, Column] = {}
        loss = 0.0
        for f in models:
            rows = needed & left_out.learning(f)
            make = partial(_probability, fit, followed, rows, weight[f])
            probability[f] = left_out.once(f, f"measured: {kind}", make, weight[f])
            here = needed & (fold == f)
            chance = probability[f][here]
            likelihood = np.log(np.where(follow_up.is_known[here], chance, 1.0 - chance))
            loss -= float((weight[f][here] * likelihood).sum())
        if loss < lowest:
            best, lowest = probability, loss
    return best


def _probability(fit: Any, followed: FollowedTrial, rows: Mask, weight: Column) -> Column:
    known = followed.follow_up.is_known[rows]
    if known.all() or not known.any():
        probability = np.full(len(rows), known.mean() if len(known) else 1.0)
    else:
        probability = fit(followed, rows, known, weight[rows])
    return np.clip(probability, MIN_MEASURED_PROBABILITY, 1.0 - 1e-6)


def _shares(followed: FollowedTrial, rows: Mask, known: Selected, weight: Weights) -> Column:
    trial = followed.trial
    option, k = trial.treatment[rows], trial.n_options
    measured = np.bincount(option, weight * known, k) + 1.0
    return (measured / (np.bincount(option, weight, k) + 2.0))[trial.treatment]


def _logistic(followed: FollowedTrial, rows: Mask, known: Selected, weight: Weights) -> Column:
    from sklearn.linear_model import LogisticRegression

    trial = followed.trial
    basis = fit_basis(trial.covariates[rows], hinges=False, products=False)
    X = append_option(expand_basis(basis, trial.covariates), trial.treatment, trial.n_options)
    fitted = LogisticRegression(C=1.0, max_iter=2000).fit(X[rows], known, weight)
    return fitted.predict_proba(X)[:, 1]


def _boosted(followed: FollowedTrial, rows: Mask, known: Selected, weight: Weights) -> Column:
    fitted = make_boosted_classifier().fit(followed.inputs[rows], known, weight)
    return fitted.predict_proba(followed.inputs)[:, 1]
