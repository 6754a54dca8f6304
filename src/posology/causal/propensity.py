"""Propensities: cross-fitted and calibrated; the model is chosen by its held-out log loss."""

from dataclasses import dataclass

import numpy as np

from posology.causal.spline_basis import expand_basis, fit_basis
from posology.causal.trial import FOLDS, Fold, Matrix, Trial

PROPENSITY_FLOOR = 1e-3
"""Smallest propensity; lower ones are raised to it; our choice."""
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
    """Fit `models` and return the one with the lowest held-out log loss."""
    probability = {model: _calibrated(_cross_fitted(trial, fold, model), trial) for model in models}
    losses = {model: log_loss(p, trial) for model, p in probability.items()}
    chosen = min(losses, key=lambda model: losses[model])
    return Propensity(probability[chosen], chosen, losses)


def log_loss(probability: Matrix, trial: Trial) -> float:
    """Mean negative log probability of the observed treatment."""
    observed = probability[np.arange(len(trial)), trial.treatment]
    return float(-np.log(observed).mean())


def _cross_fitted(trial: Trial, fold: Fold, model: str) -> Matrix:
    probability = np.zeros((len(trial), trial.n_options))
    for f in range(FOLDS):
        rest, here = fold != f, fold == f
        probability[here] = _fit(
            model,
            trial.covariates[rest],
            trial.treatment[rest],
            trial.covariates[here],
            trial.n_options,
        )
    return probability


def _fit(
    model: str,
    X: np.ndarray,  # noqa: N803
    treatment: np.ndarray,
    new: np.ndarray,
    options: int,
) -> Matrix:
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression

    shares = (np.bincount(treatment, minlength=options) + 1.0) / (len(treatment) + options)
    probability = np.tile(shares, (len(new), 1))
    if model == "shares":
        return probability
    if model == "boosting":
        fitted = HistGradientBoostingClassifier(
            max_iter=60,
            learning_rate=0.1,
            max_leaf_nodes=8,
            min_samples_leaf=20,
            early_stopping=False,
            random_state=0,
        ).fit(X, treatment)
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

    It is fitted on the same rows: one number cannot overfit a patient.
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import softmax

    logs = np.log(np.maximum(probability, PROPENSITY_FLOOR))

    def scaled(temperature: float) -> Matrix:
        return softmax(logs * temperature, axis=1)

    best = minimize_scalar(
        lambda t: log_loss(np.maximum(scaled(t), 1e-12), trial), bounds=(0.2, 2.0), method="bounded"
    )
    calibrated = np.maximum(scaled(float(best.x)), PROPENSITY_FLOOR)
    return calibrated / calibrated.sum(axis=1, keepdims=True)
