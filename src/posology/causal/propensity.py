"""Propensities: cross-fitted and calibrated; the model is chosen by its held-out log loss."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64

from posology.causal.boosted_trees import (
    distinct_columns,
    fill_unknown,
    make_boosted_classifier,
    make_forest_classifier,
)
from posology.causal.spline_basis import expand_basis, fit_basis
from posology.causal.trial import FOLDS, Fold, Mask, Matrix, Trial, select_rows

PROPENSITY_FLOOR = 1e-3
"""Smallest propensity; lower ones are raised to it; our choice."""
MAX_VALUES = 10
"""A covariate with at most so many values is searched for values without an option; our choice."""
UNSUPPORTED_LEVEL = 0.01
"""Chance that any value is found to be without an option where all have the same; our choice."""
MANY_OPTIONS = 8
"""With more, such as levels of a dose, a forest learns them all at once, and is tried in place of
boosted trees: each option would have trees of its own, from few patients (our choice)."""
_FEW, _MANY = (
    ("shares", "logistic", "splines", "boosting"),
    ("shares", "logistic", "splines", "forest"),
)
_TREES = {"boosting": make_boosted_classifier, "forest": make_forest_classifier}


@dataclass(frozen=True, slots=True, eq=False)
class Propensity:
    """P(option | confounders) of each decision, by models that have not seen its subject."""

    probability: Matrix
    """Rows sum to 1."""
    model: str
    """Name of the chosen model; `known` if the probabilities are the trial's own."""
    log_loss: dict[str, float]
    """Held-out log loss of each candidate model."""


def known_propensity(probability: Matrix) -> Propensity:
    """Propensities known from the trial's design."""
    return Propensity(probability, "known", {})


def randomised_propensity(trial: Trial) -> Propensity:
    """Propensities of a trial randomised with the same probabilities for all: the shares."""
    shares = np.bincount(trial.treatment, minlength=trial.n_options) / len(trial)
    return known_propensity(np.tile(shares, (len(trial), 1)))


def fit_propensity(trial: Trial, fold: Fold, models: tuple[str, ...] | None = None) -> Propensity:
    """Fit `models` and return the one with the lowest held-out log loss.

    None: those that suit so many options. Options that decisions like it never had
    (`find_unsupported`) get the lowest propensity.
    """
    tried = _candidates(trial.n_options) if models is None else models
    fitted = {model: _cross_fitted(trial, fold, model) for model in tried}
    probability = {model: _calibrated(p, trial) for model, p in fitted.items()}
    losses = {model: log_loss(p, trial) for model, p in probability.items()}
    chosen = min(losses, key=lambda model: losses[model])
    supported = _floor_unsupported(probability[chosen], find_unsupported(trial))
    return Propensity(supported, chosen, losses)


def fit_chosen_propensity(
    trial: Trial,
    fold: Fold,
    on_fold: Callable[[int], None] = lambda done: None,  # noqa: ARG005
) -> Propensity:
    """The same, for a quarter of the time: the model is chosen before it is cross-fitted.

    It is the one whose fit on three folds has the lowest log loss on the other two.

    Args:
        on_fold: called with the number of folds that are done, for progress.
    """
    first = fold < FOLDS - 2
    losses = {
        model: log_loss(_fit_on(trial, model, first, ~first), select_rows(trial, ~first))
        for model in _candidates(trial.n_options)
    }
    chosen = min(losses, key=lambda model: losses[model])
    fitted = _calibrated(_cross_fitted(trial, fold, chosen, on_fold), trial)
    return Propensity(_floor_unsupported(fitted, find_unsupported(trial)), chosen, losses)


def find_unsupported(trial: Trial) -> Bool[np.ndarray, "decision treatment"]:
    """Options never given to any patient with one of the decision's values.

    Only covariates of few values are looked at, and only values of so many patients that, given at
    its overall share, the option would have been missed by chance once in 100 analyses (Bonferroni
    over values and options). Smooth models miss such patients where they are rare, and outcome
    models extrapolate to them.
    """
    unsupported = np.zeros((len(trial), trial.n_options), dtype=bool)
    subject = np.unique(trial.subject, return_inverse=True)[1]
    patients = int(subject.max(initial=-1)) + 1
    ever = np.zeros((patients, trial.n_options), dtype=bool)
    ever[subject, trial.treatment] = True
    missed = np.log1p(-np.minimum(ever.mean(axis=0), 1 - 1e-12))
    groups = []
    for column in trial.covariates.T:
        values, group = np.unique(column, return_inverse=True)
        if len(values) <= MAX_VALUES:
            groups += [group == value for value in range(len(values))]
    limit = np.log(UNSUPPORTED_LEVEL / max(len(groups) * trial.n_options, 1))
    for rows in groups:
        count = len(np.unique(subject[rows]))
        never = np.bincount(trial.treatment[rows], minlength=trial.n_options) == 0
        unsupported |= rows[:, None] & never & (count * missed < limit)
    return unsupported


def _floor_unsupported(
    probability: Matrix, unsupported: Bool[np.ndarray, "decision treatment"]
) -> Matrix:
    floored = np.where(unsupported, PROPENSITY_FLOOR, probability)
    supported = np.where(unsupported, 0.0, floored)
    # What the unsupported options lose goes to the others; the rows still sum to 1.
    rest = 1 - PROPENSITY_FLOOR * unsupported.sum(axis=1, keepdims=True)
    return np.where(unsupported, floored, supported / supported.sum(axis=1, keepdims=True) * rest)


def _candidates(options: int) -> tuple[str, ...]:
    return _FEW if options <= MANY_OPTIONS else _MANY


def log_loss(probability: Matrix, trial: Trial) -> float:
    """Mean negative log probability of the observed treatment."""
    observed = probability[np.arange(len(trial)), trial.treatment]
    return float(-np.log(observed).mean())


def _cross_fitted(
    trial: Trial,
    fold: Fold,
    model: str,
    on_fold: Callable[[int], None] = lambda done: None,  # noqa: ARG005
) -> Matrix:
    probability = np.zeros((len(trial), trial.n_options))
    for f in range(FOLDS):
        on_fold(f)
        probability[fold == f] = _fit_on(trial, model, fold != f, fold == f)
    return probability


def _fit_on(
    trial: Trial, model: str, rest: Mask, here: Mask
) -> Float64[np.ndarray, "predicted treatment"]:
    """Propensities of the decisions `here` by a model fitted on the decisions `rest`."""
    columns = distinct_columns(trial.confounders) if model in _TREES else trial.confounders
    X, new = columns[rest], columns[here]
    return _fit(model, X, trial.treatment[rest], new, trial.n_options)


def _fit(
    model: str,
    X: np.ndarray,  # noqa: N803
    treatment: np.ndarray,
    new: np.ndarray,
    options: int,
) -> Matrix:
    from sklearn.linear_model import LogisticRegression

    shares = (np.bincount(treatment, minlength=options) + 1.0) / (len(treatment) + options)
    probability = np.tile(shares, (len(new), 1))
    if model == "shares":
        return probability
    if model in _TREES:
        fitted = _TREES[model]().fit(fill_unknown(X), treatment)
        inputs = new
    else:
        basis = fit_basis(X, hinges=model == "splines", products=False)
        strength = 1.0 if model == "logistic" else 0.05
        fitted = LogisticRegression(C=strength, max_iter=2000).fit(
            expand_basis(basis, X), treatment
        )
        inputs = expand_basis(basis, new)
    probability[:, :] = PROPENSITY_FLOOR
    probability[:, fitted.classes_] = fitted.predict_proba(inputs)
    return probability / probability.sum(axis=1, keepdims=True)


def _calibrated(probability: Matrix, trial: Trial) -> Matrix:
    """Scale the log probabilities by one temperature (Guo 2017, ICML).

    It is fitted on rows that it is used for: one number cannot overfit a patient.
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import softmax

    logs = np.log(np.maximum(probability, PROPENSITY_FLOOR))

    def loss(temperature: float) -> float:
        return log_loss(np.maximum(softmax(logs * temperature, axis=1), 1e-12), trial)

    best = minimize_scalar(loss, bounds=(0.2, 2.0), method="bounded")
    calibrated = np.maximum(softmax(logs * float(best.x), axis=1), PROPENSITY_FLOOR)
    return calibrated / calibrated.sum(axis=1, keepdims=True)
