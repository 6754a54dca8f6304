"""Propensities: cross-fitted and calibrated; the model is chosen by its held-out log loss."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64

from posology.causal.boosted_trees import make_boosted_classifier
from posology.causal.spline_basis import expand_basis, fit_basis
from posology.causal.trial import FOLDS, Fold, Mask, Matrix, Trial, select_rows

PROPENSITY_FLOOR = 1e-3
"""Smallest propensity; lower ones are raised to it; our choice."""
MAX_VALUES = 10
"""A covariate with at most so many values is searched for values without an option; our choice."""
UNSUPPORTED_LEVEL = 0.01
"""Chance that any value is found to be without an option where all have the same; our choice."""
_MODELS = ("shares", "logistic", "splines", "boosting")


@dataclass(frozen=True, slots=True, eq=False)
class Propensity:
    """P(option | covariates) of each decision, by models that have not seen its subject."""

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


def fit_propensity(trial: Trial, fold: Fold, models: tuple[str, ...] = _MODELS) -> Propensity:
    """Fit `models` and return the one with the lowest held-out log loss.

    Options that decisions like it never had (`find_unsupported`) get the lowest propensity.
    """
    fitted = {model: _cross_fitted(trial, fold, model) for model in models}
    everyone = np.ones(len(trial), dtype=bool)
    probability = {model: _calibrated(p, trial, everyone) for model, p in fitted.items()}
    losses = {model: log_loss(p, trial) for model, p in probability.items()}
    chosen = min(losses, key=lambda model: losses[model])
    supported = _floor_unsupported(probability[chosen], find_unsupported(trial))
    return Propensity(supported, chosen, losses)


def fit_nested_propensities(
    trial: Trial,
    fold: Fold,
    on_pair: Callable[[int], None] = lambda done: None,  # noqa: ARG005
) -> tuple[Propensity, ...]:
    """For each fold, propensities cross-fitted over the other four, of every decision.

    The decisions of the left-out fold get the mean of the four models, none of which has seen them.
    Models that leave out the same two folds are fitted once; which of the four kinds is used is
    decided once, by the log loss of models of three folds on the other two.
    """
    first = fold < FOLDS - 2
    losses = {
        model: log_loss(_fit_on(trial, model, first, ~first), select_rows(trial, ~first))
        for model in _MODELS
    }
    chosen = min(losses, key=lambda model: losses[model])
    by_fold = np.zeros((FOLDS, len(trial), trial.n_options))
    for done, (j, k) in enumerate(itertools.combinations(range(FOLDS), 2)):
        on_pair(done)
        rest, here = (fold != j) & (fold != k), (fold == j) | (fold == k)
        fitted = _fit_on(trial, chosen, rest, here)
        of_first = fold[here] == j
        by_fold[k, fold == j] = fitted[of_first]
        by_fold[j, fold == k] = fitted[~of_first]
        by_fold[j, fold == j] += fitted[of_first] / (FOLDS - 1)
        by_fold[k, fold == k] += fitted[~of_first] / (FOLDS - 1)
    unsupported = find_unsupported(trial)
    calibrated = [_calibrated(by_fold[k], trial, fold != k) for k in range(FOLDS)]
    return tuple(Propensity(_floor_unsupported(p, unsupported), chosen, losses) for p in calibrated)


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


def log_loss(probability: Matrix, trial: Trial) -> float:
    """Mean negative log probability of the observed treatment."""
    observed = probability[np.arange(len(trial)), trial.treatment]
    return float(-np.log(observed).mean())


def _cross_fitted(trial: Trial, fold: Fold, model: str) -> Matrix:
    probability = np.zeros((len(trial), trial.n_options))
    for f in range(FOLDS):
        probability[fold == f] = _fit_on(trial, model, fold != f, fold == f)
    return probability


def _fit_on(
    trial: Trial, model: str, rest: Mask, here: Mask
) -> Float64[np.ndarray, "predicted treatment"]:
    """Propensities of the decisions `here` by a model fitted on the decisions `rest`."""
    X, new = trial.covariates[rest], trial.covariates[here]
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
    if model == "boosting":
        fitted = make_boosted_classifier().fit(X, treatment)
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


def _calibrated(probability: Matrix, trial: Trial, fitted: Mask) -> Matrix:
    """Scale the log probabilities by one temperature (Guo 2017, ICML).

    It is fitted on rows that it is used for: one number cannot overfit a patient.
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import softmax

    logs, of_fitted = np.log(np.maximum(probability, PROPENSITY_FLOOR)), select_rows(trial, fitted)

    def loss(temperature: float) -> float:
        scaled = softmax(logs[fitted] * temperature, axis=1)
        return log_loss(np.maximum(scaled, 1e-12), of_fitted)

    best = minimize_scalar(loss, bounds=(0.2, 2.0), method="bounded")
    calibrated = np.maximum(softmax(logs * float(best.x), axis=1), PROPENSITY_FLOOR)
    return calibrated / calibrated.sum(axis=1, keepdims=True)
