"""Who was given what: cross-fitted, calibrated propensities, the model chosen on folds left out."""

from dataclasses import dataclass

import numpy as np

from posology.causal.spline_basis import expand_basis, fit_basis
from posology.causal.trial import FOLDS, Fold, Matrix, Trial

PROPENSITY_FLOOR = 1e-3
"""No propensity below it is believed; our choice."""
_MODELS = ("shares", "logistic", "splines", "boosting")


@dataclass(frozen=True, slots=True, eq=False)
class Propensity:
    """P(option | what was known), of each decision by models that have not seen its subject."""

    probability: Matrix
    """Rows sum to 1."""
    model: str
    """`shares` where knowing the patient told nothing; `known` where a trial's own."""
    log_loss: dict[str, float]
    """Of each model tried, on the folds left out."""


def known_propensity(probability: Matrix) -> Propensity:
    """The trial's own probabilities."""
    return Propensity(probability, "known", {})


def randomised_propensity(trial: Trial) -> Propensity:
    """Of a trial whose options were drawn with the same chances for all: the shares drawn."""
    shares = np.bincount(trial.treatment, minlength=trial.n_options) / len(trial)
    return known_propensity(np.tile(shares, (len(trial), 1)))


def fit_propensity(trial: Trial, fold: Fold, models: tuple[str, ...] = _MODELS) -> Propensity:
    """The model of the least log loss among `models`."""
    said = {model: _calibrated(_cross_fitted(trial, fold, model), trial) for model in models}
    losses = {model: log_loss(p, trial) for model, p in said.items()}
    chosen = min(losses, key=lambda model: losses[model])
    return Propensity(said[chosen], chosen, losses)


def log_loss(probability: Matrix, trial: Trial) -> float:
    """Mean minus log probability of the treatment given."""
    given = probability[np.arange(len(trial)), trial.treatment]
    return float(-np.log(given).mean())


def _cross_fitted(trial: Trial, fold: Fold, model: str) -> Matrix:
    said = np.zeros((len(trial), trial.n_options))
    for f in range(FOLDS):
        rest, here = fold != f, fold == f
        said[here] = _fit(model, trial.covariates[rest], trial.treatment[rest],
                          trial.covariates[here], trial.n_options)  # fmt: skip
    return said


def _fit(
    model: str,
    X: np.ndarray,  # noqa: N803
    treatment: np.ndarray,
    asked: np.ndarray,
    options: int,
) -> Matrix:
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression

    shares = (np.bincount(treatment, minlength=options) + 1.0) / (len(treatment) + options)
    said = np.tile(shares, (len(asked), 1))
    if model == "shares":
        return said
    if model == "boosting":
        fitted = HistGradientBoostingClassifier(
            max_iter=60, learning_rate=0.1, max_leaf_nodes=8, min_samples_leaf=20,
            early_stopping=False, random_state=0,
        ).fit(X, treatment)  # fmt: skip
        inputs = asked
    else:
        basis = fit_basis(X, hinges=model == "splines", products=False)
        strength = 1.0 if model == "logistic" else 0.05
        fitted = LogisticRegression(C=strength, max_iter=2000).fit(
            expand_basis(basis, X), treatment
        )
        inputs = expand_basis(basis, asked)
    said[:, :] = PROPENSITY_FLOOR
    said[:, fitted.classes_] = fitted.predict_proba(inputs)
    return said / said.sum(axis=1, keepdims=True)


def _calibrated(said: Matrix, trial: Trial) -> Matrix:
    """One temperature on the log probabilities (Guo 2017, ICML): on these rows, as one number
    cannot remember a patient."""
    from scipy.optimize import minimize_scalar

    logs = np.log(np.maximum(said, PROPENSITY_FLOOR))

    def at(temperature: float) -> Matrix:
        weight = np.exp(logs * temperature - (logs * temperature).max(axis=1, keepdims=True))
        return weight / weight.sum(axis=1, keepdims=True)

    found = minimize_scalar(
        lambda t: log_loss(np.maximum(at(t), 1e-12), trial), bounds=(0.2, 2.0), method="bounded"
    )
    kept = np.maximum(at(float(found.x)), PROPENSITY_FLOOR)
    return kept / kept.sum(axis=1, keepdims=True)
