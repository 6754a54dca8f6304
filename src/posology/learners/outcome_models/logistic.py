"""Logistic regression on the tabular features; ridge regression of the dose's square root."""

import warnings
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Float64, Int64

from posology.domain.cohort import Cohort
from posology.domain.formulary import Formulary
from posology.domain.history import History, StepIndex
from posology.domain.policy import AllowedMask, Doses, Prediction, choose_learned
from posology.domain.profile import Profile
from posology.domain.scaling import mean_and_std, standardize
from posology.domain.statistics.link_functions import expit, softmax
from posology.learners.features.tabular import FeatureSpec, extract_features
from posology.learners.outcome_models.design import (
    Design,
    build_design,
    mean_dose_error,
    mean_log_loss,
    sample_weight,
)
from posology.learners.outcome_models.predictions import (
    choose_most_effective,
    dose_from_root,
    doses_within_ranges,
)


@dataclass(frozen=True, slots=True, eq=False)
class Cosines:
    """Random Fourier features of the standardised features, which make a linear model smooth."""

    direction: Float32[np.ndarray, "feature cosine"]
    phase: Float32[np.ndarray, " cosine"]


@dataclass(frozen=True, slots=True, eq=False)
class LinearPolicy:
    """Linear in the standardised features, or in cosines of them.

    A missing value counts as the training mean.
    """

    formulary: Formulary
    profile: Profile
    spec: FeatureSpec
    center: Float64[np.ndarray, " feature"]
    spread: Float64[np.ndarray, " feature"]
    weights: Float64[np.ndarray, "column treatment"]
    intercept: Float64[np.ndarray, " treatment"]
    is_multiclass: bool
    """Softmax over the options; otherwise one logistic regression per option."""
    dose_weights: Float64[np.ndarray, " column"]
    dose_intercept: float
    """Of the square root of the dose; NaN where no dose was known in training."""
    cosines: Cosines | None = None
    """None: the columns are the features themselves."""

    def predict_effectiveness(
        self, history: History, decisions: StepIndex, allowed: AllowedMask
    ) -> Float64[np.ndarray, "decision treatment 1"]:
        """P(option is effective); 0 for forbidden options."""
        return self._effectiveness(self._columns(history, decisions), allowed)

    def choice_probabilities(
        self, history: History, decisions: StepIndex, allowed: AllowedMask
    ) -> Float64[np.ndarray, "decision treatment"]:
        """The most effective allowed option."""
        p = self.predict_effectiveness(history, decisions, allowed)[:, :, 0]
        return self._choose(p, allowed)

    def predict_doses(self, history: History, decisions: StepIndex, allowed: AllowedMask) -> Doses:
        """The square of the ridge prediction, and for each option that dose in its range."""
        return self._doses(self._columns(history, decisions), allowed)

    def predict(self, history: History, decisions: StepIndex, allowed: AllowedMask) -> Prediction:
        """All of it, from columns that are taken once."""
        columns = self._columns(history, decisions)
        p = self._effectiveness(columns, allowed)
        return Prediction(p, self._choose(p[:, :, 0], allowed), self._doses(columns, allowed))

    def _choose(
        self, p: Float64[np.ndarray, "decision treatment"], allowed: AllowedMask
    ) -> Float64[np.ndarray, "decision treatment"]:
        return choose_learned(self.formulary, allowed, partial(choose_most_effective, p))

    def _effectiveness(
        self, columns: Float64[np.ndarray, "decision column"], allowed: AllowedMask
    ) -> Float64[np.ndarray, "decision treatment 1"]:
        logits = columns @ self.weights + self.intercept
        p = softmax(logits, axis=1) if self.is_multiclass else expit(logits)
        return (p * allowed)[:, :, None]

    def _doses(
        self, columns: Float64[np.ndarray, "decision column"], allowed: AllowedMask
    ) -> Doses:
        root = columns @ self.dose_weights + self.dose_intercept
        return doses_within_ranges(dose_from_root(root), self.formulary, allowed)

    def _columns(
        self, history: History, decisions: StepIndex
    ) -> Float64[np.ndarray, "decision column"]:
        X = extract_features(self.spec, history, decisions)
        if self.cosines is None:
            return standardize(X, self.center, self.spread)
        return take_cosines(scale_and_clip(X, self.center, self.spread), self.cosines)


FARTHEST = 5.0
"""Standardised values are cut here before cosines are taken: rare codes would otherwise lie far
from everything."""


def scale_and_clip(
    X: Float32[np.ndarray, "decision feature"],  # noqa: N803
    center: Float64[np.ndarray, " feature"],
    spread: Float64[np.ndarray, " feature"],
) -> Float64[np.ndarray, "decision feature"]:
    """Standardised features within FARTHEST standard deviations."""
    return np.clip(standardize(X, center, spread), -FARTHEST, FARTHEST)


def take_cosines(
    X: Float64[np.ndarray, "decision feature"],  # noqa: N803
    cosines: Cosines,
) -> Float64[np.ndarray, "decision cosine"]:
    """Random Fourier features (Rahimi and Recht 2007, algorithm 1)."""
    scale = np.sqrt(2 / max(len(cosines.phase), 1))
    return scale * np.cos(X @ _direction(cosines) + cosines.phase)


@lru_cache(maxsize=4)
def _direction(cosines: Cosines) -> Float64[np.ndarray, "feature cosine"]:
    """In double precision, made once for all patients of a policy."""
    return cosines.direction.astype(np.float64)


@dataclass(frozen=True, slots=True)
class LogisticLearner:
    """Multinomial where the most effective option is known; else one regression per option.

    The validation decisions choose the strength of the penalty.
    """

    inverse_penalties: tuple[float, ...] = (0.003, 0.01, 0.03, 0.1, 0.3)
    """Inverse penalties (scikit-learn's C) to try for the classes. Our choice."""
    dose_penalties: tuple[float, ...] = (30.0, 100.0, 300.0, 1000.0, 3000.0)
    """Ridge penalties (alpha) to try for the dose. Our choice."""
    excluded_prefixes: tuple[str, ...] = ()
    """Prefixes of codes that get no features."""

    def fit(self, train: Cohort, validation: Cohort) -> LinearPolicy:
        """Fit the regressions of the options and of the dose."""
        data = build_design(train, validation, self.excluded_prefixes)
        center, spread = mean_and_std(data.X)
        X = standardize(data.X, center, spread)
        V = standardize(data.X_validation, center, spread)
        data = data._replace(X=X, X_validation=V)
        weights, intercept = _classes(data, self.inverse_penalties)
        dose_weights, dose_intercept = _dose(data, self.dose_penalties)
        return LinearPolicy(
            formulary=train.study.formulary,
            profile=train.profile,
            spec=data.spec,
            center=center,
            spread=spread,
            weights=weights,
            intercept=intercept,
            is_multiclass=data.labels.is_multiclass,
            dose_weights=dose_weights,
            dose_intercept=dose_intercept,
        )


class _Linear(NamedTuple):
    weights: np.ndarray
    intercept: np.ndarray


def _classes(data: Design, penalties: tuple[float, ...]) -> _Linear:
    """Weights per option, with the penalty of the lowest validation log loss."""
    best, best_loss = None, np.inf
    for penalty in penalties:
        fitted = fit_classes(data, penalty)
        logits = data.X_validation @ fitted.weights + fitted.intercept
        p = softmax(logits, axis=1) if data.labels.is_multiclass else expit(logits)
        loss = mean_log_loss(p, data.validation_labels)
        if best is None or loss < best_loss:
            best, best_loss = fitted, loss
    if best is None:
        raise ValueError("LogisticLearner.inverse_penalties is empty: give at least one to try")
    return best


def fit_classes(data: Design, penalty: float) -> _Linear:
    """Weights and intercepts of the options, with one inverse penalty."""
    return _multinomial(data, penalty) if data.labels.is_multiclass else _arms(data, penalty)


def _multinomial(data: Design, penalty: float) -> _Linear:
    known = data.labels.best >= 0
    weights = np.zeros((data.X.shape[1], data.labels.option_count))
    intercept = np.full(data.labels.option_count, _ABSENT_LOGIT)
    classes, coefficients, base = _logistic(data.X[known], data.labels.best[known], penalty)
    weights[:, classes], intercept[classes] = coefficients, base
    return _Linear(weights, intercept)


def _arms(data: Design, penalty: float) -> _Linear:
    """One regression per option, on its decisions; an option never received has probability 1/2."""
    weights = np.zeros((data.X.shape[1], data.labels.option_count))
    intercept = np.zeros(data.labels.option_count)
    for option in range(data.labels.option_count):
        received = (data.labels.treatment == option) & ~np.isnan(data.labels.effective)
        y = data.labels.effective[received].astype(np.int64)
        if 0 < y.sum() < len(y):
            _, coefficients, base = _logistic(
                data.X[received], y, penalty, sample_weight(data.labels, received)
            )
            weights[:, option], intercept[option] = coefficients[:, 1], base[1]
        else:  # one label only: the Laplace estimate (one success and one failure added)
            intercept[option] = np.log((y.sum() + 1) / (len(y) - y.sum() + 1))
    return _Linear(weights, intercept)


_ABSENT_LOGIT = -50.0
"""Logit of an option that was never the best in training."""


def _logistic(
    X: Float64[np.ndarray, "decision feature"],  # noqa: N803
    y: Int64[np.ndarray, " decision"],
    penalty: float,
    weight: Float64[np.ndarray, " decision"] | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The classes in y, and a column of weights and an intercept for each."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    if len(np.unique(y)) == 1:
        return np.unique(y), np.zeros((X.shape[1], 1)), np.zeros(1)
    with warnings.catch_warnings():
        # A fit stopped at 1,000 iterations is still compared on the validation decisions.
        warnings.simplefilter("ignore", ConvergenceWarning)
        fitted = LogisticRegression(C=penalty, max_iter=1000).fit(X, y, weight)
    if len(fitted.classes_) == 2:
        weights = np.column_stack([np.zeros(X.shape[1]), fitted.coef_[0]])
        return fitted.classes_, weights, np.array([0.0, fitted.intercept_[0]])
    return fitted.classes_, fitted.coef_.T, fitted.intercept_


def _dose(data: Design, ridges: tuple[float, ...]) -> tuple[np.ndarray, float]:
    """Ridge regression of the dose's square root, with the lowest absolute error in the dose."""
    from sklearn.linear_model import Ridge

    known = ~np.isnan(data.labels.dose)
    best, best_error = (np.zeros(data.X.shape[1]), np.nan), np.inf
    if known.any():
        for ridge in ridges:
            fitted = Ridge(alpha=ridge).fit(data.X[known], np.sqrt(data.labels.dose[known]))
            error = mean_dose_error(
                dose_from_root(fitted.predict(data.X_validation)), data.validation_labels
            )
            if np.isnan(best[1]) or error < best_error:
                best, best_error = (fitted.coef_, float(fitted.intercept_)), error
    return best
