"""Kernel regression: smooth functions of all columns at once, by random Fourier features.

The Gaussian kernel is approximated by cosines of random directions (Rahimi and Recht 2007,
algorithm 1), so that, unlike with a support vector machine, no patient's row is kept.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64
from scipy.linalg import solve
from scipy.special import expit, softmax

from posology.domain.cohort import Cohort
from posology.domain.formulary import Formulary
from posology.domain.history import History, StepIndex
from posology.domain.policy import AllowedMask, Doses
from posology.domain.profile import Profile
from posology.domain.scaling import mean_and_std, standardize
from posology.learners.features.tabular import FeatureSpec, extract_features
from posology.learners.outcome_models.design import (
    Design,
    build_design,
    join_labels,
    mean_dose_error,
    mean_log_loss,
)
from posology.learners.outcome_models.gradient_boosting import drop_unsplittable_columns
from posology.learners.outcome_models.logistic import fit_classes
from posology.learners.outcome_models.predictions import (
    choose_most_effective,
    dose_from_root,
    doses_within_ranges,
)

_FARTHEST = 5.0
"""Standardised values are cut here: rare codes would otherwise lie far from everything."""


@dataclass(frozen=True, slots=True, eq=False)
class KernelPolicy:
    """Linear in the cosines of the standardised features; a missing value counts as the mean."""

    formulary: Formulary
    profile: Profile
    spec: FeatureSpec
    center: Float64[np.ndarray, " feature"]
    spread: Float64[np.ndarray, " feature"]
    direction: Float32[np.ndarray, "feature cosine"]
    phase: Float32[np.ndarray, " cosine"]
    weights: Float64[np.ndarray, "cosine treatment"]
    intercept: Float64[np.ndarray, " treatment"]
    is_multiclass: bool
    """Softmax over the options; otherwise one logistic regression per option."""
    dose_weights: Float64[np.ndarray, " cosine"]
    dose_intercept: float
    """Of the square root of the dose; NaN where no dose was known in training."""

    def predict_effectiveness(
        self, history: History, decisions: StepIndex, allowed: AllowedMask
    ) -> Float64[np.ndarray, "decision treatment 1"]:
        """P(option is effective); 0 for forbidden options."""
        logits = self._cosines(history, decisions) @ self.weights + self.intercept
        p = softmax(logits, axis=1) if self.is_multiclass else expit(logits)
        return (p * allowed)[:, :, None]

    def choice_probabilities(
        self, history: History, decisions: StepIndex, allowed: AllowedMask
    ) -> Float64[np.ndarray, "decision treatment"]:
        """The most effective allowed option."""
        p = self.predict_effectiveness(history, decisions, allowed)[:, :, 0]
        return choose_most_effective(p, allowed)

    def predict_doses(self, history: History, decisions: StepIndex, allowed: AllowedMask) -> Doses:
        """The square of the regression, and for each option that dose in its range."""
        root = self._cosines(history, decisions) @ self.dose_weights + self.dose_intercept
        return doses_within_ranges(dose_from_root(root), self.formulary, allowed)

    def _cosines(
        self, history: History, decisions: StepIndex
    ) -> Float64[np.ndarray, "decision cosine"]:
        X = extract_features(self.spec, history, decisions)
        return _cosines(_scale(X, self.center, self.spread), self.direction, self.phase)


@dataclass(frozen=True, slots=True)
class KernelLearner:
    """The validation decisions choose; the model is then fitted on training and validation."""

    widths: tuple[float, ...] = (0.1, 0.3)
    """Gamma of the kernel exp(-gamma |x - y|^2 / features) to try. Our choice, like the rest."""
    cosines: int = 1500
    dose_penalties: tuple[float, ...] = (0.1, 0.3, 1.0)
    inverse_penalties: tuple[float, ...] = (0.3, 1.0, 3.0, 10.0)
    """Of the classes (scikit-learn's C)."""
    tube: float = 0.3
    """Errors of the dose's square root below it count squared, above it absolute (Huber 1964)."""
    excluded_prefixes: tuple[str, ...] = ()
    """Prefixes of codes that get no features."""
    seed: int = 0

    def fit(self, train: Cohort, validation: Cohort) -> KernelPolicy:
        """Fit the regressions of the options and of the dose."""
        data = drop_unsplittable_columns(build_design(train, validation, self.excluded_prefixes))
        center, spread = mean_and_std(data.X)
        rows = _scale(data.X, center, spread), _scale(data.X_validation, center, spread)
        tried = [self._fit_dose(data, rows, width) for width in self.widths]
        if not tried:
            raise ValueError("widths is empty: give at least one to try")
        width, penalty, _ = min(tried, key=lambda one: one[2])
        direction, phase = self._draw(data.X.shape[1], width)
        F, V = (_cosines(part, direction, phase) for part in rows)
        classes_penalty = self._choose_inverse_penalty(data._replace(X=F, X_validation=V))
        labels = join_labels(data.labels, data.validation_labels)
        whole = data._replace(X=np.vstack([F, V]), labels=labels)
        weights, intercept = fit_classes(whole, classes_penalty)
        known = ~np.isnan(labels.dose)
        dose_weights, dose_intercept = np.zeros(self.cosines), np.nan
        if known.any():
            dose_weights, dose_intercept = _robust_ridge(
                whole.X[known], np.sqrt(labels.dose[known]), penalty, self.tube
            )
        return KernelPolicy(
            formulary=train.study.formulary,
            profile=train.profile,
            spec=data.spec,
            center=center,
            spread=spread,
            direction=direction,
            phase=phase,
            weights=weights,
            intercept=intercept,
            is_multiclass=labels.is_multiclass,
            dose_weights=dose_weights,
            dose_intercept=dose_intercept,
        )

    def _draw(self, features: int, width: float) -> tuple[np.ndarray, np.ndarray]:
        """Random directions and phases of the cosines."""
        rng = np.random.default_rng(self.seed)
        spread = np.sqrt(2 * width / max(features, 1))
        direction = rng.normal(0.0, spread, (features, self.cosines))
        phase = rng.uniform(0.0, 2 * np.pi, self.cosines)
        return direction.astype(np.float32), phase.astype(np.float32)

    def _fit_dose(
        self, data: Design, rows: tuple[np.ndarray, np.ndarray], width: float
    ) -> tuple[float, float, float]:
        """The width, its best penalty and that one's error of the dose on validation decisions."""
        known = ~np.isnan(data.labels.dose)
        if not known.any():
            return width, self.dose_penalties[0], np.inf
        F, V = (_cosines(part, *self._draw(data.X.shape[1], width)) for part in rows)
        y = np.sqrt(data.labels.dose[known])
        tried = []
        for penalty in self.dose_penalties:
            weights, intercept = _robust_ridge(F[known], y, penalty, self.tube)
            error = mean_dose_error(dose_from_root(V @ weights + intercept), data.validation_labels)
            tried.append((np.inf if np.isnan(error) else error, penalty))
        error, penalty = min(tried)
        return width, penalty, error

    def _choose_inverse_penalty(self, data: Design) -> float:
        losses = []
        for penalty in self.inverse_penalties:
            weights, intercept = fit_classes(data, penalty)
            logits = data.X_validation @ weights + intercept
            p = softmax(logits, axis=1) if data.labels.is_multiclass else expit(logits)
            losses.append(np.nan_to_num(mean_log_loss(p, data.validation_labels), nan=np.inf))
        return self.inverse_penalties[int(np.argmin(losses))]


def _scale(
    X: Float32[np.ndarray, "decision feature"],  # noqa: N803
    center: Float64[np.ndarray, " feature"],
    spread: Float64[np.ndarray, " feature"],
) -> Float64[np.ndarray, "decision feature"]:
    return np.clip(standardize(X, center, spread), -_FARTHEST, _FARTHEST)


def _cosines(
    X: Float64[np.ndarray, "decision feature"],  # noqa: N803
    direction: Float32[np.ndarray, "feature cosine"],
    phase: Float32[np.ndarray, " cosine"],
) -> Float64[np.ndarray, "decision cosine"]:
    return np.sqrt(2 / max(len(phase), 1)) * np.cos(X @ direction.astype(np.float64) + phase)


def _robust_ridge(
    F: Float64[np.ndarray, "decision cosine"],  # noqa: N803
    y: Float64[np.ndarray, " decision"],
    penalty: float,
    tube: float,
    rounds: int = 5,
) -> tuple[Float64[np.ndarray, " cosine"], float]:
    """Huber's loss by reweighted least squares; the first round is the plain ridge regression."""
    center = float(np.median(y))
    weight = np.ones(len(y))
    for _ in range(rounds):
        gram = (F * weight[:, None]).T @ F
        gram[np.diag_indices_from(gram)] += penalty
        beta = solve(gram, F.T @ (weight * (y - center)), assume_a="pos")
        weight = tube / np.maximum(np.abs(y - center - F @ beta), tube)
    return beta, center
