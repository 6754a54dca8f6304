"""Kernel regression: smooth functions of all columns at once, by random Fourier features.

The Gaussian kernel is approximated by cosines of random directions (Rahimi and Recht 2007,
algorithm 1), so that, unlike with a support vector machine, no patient's row is kept.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from scipy.linalg import solve
from scipy.special import expit, softmax

from posology.domain.cohort import Cohort
from posology.domain.scaling import mean_and_std
from posology.learners.outcome_models.design import (
    Design,
    build_design,
    join_labels,
    mean_dose_error,
    mean_log_loss,
)
from posology.learners.outcome_models.gradient_boosting import drop_unsplittable_columns
from posology.learners.outcome_models.logistic import (
    Cosines,
    LinearPolicy,
    fit_classes,
    scale_and_clip,
    take_cosines,
)
from posology.learners.outcome_models.predictions import (
    dose_from_root,
)


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

    def fit(self, train: Cohort, validation: Cohort) -> LinearPolicy:
        """Fit the regressions of the options and of the dose."""
        data = drop_unsplittable_columns(build_design(train, validation, self.excluded_prefixes))
        center, spread = mean_and_std(data.X)
        rows = (
            scale_and_clip(data.X, center, spread),
            scale_and_clip(data.X_validation, center, spread),
        )
        tried = [self._fit_dose(data, rows, width) for width in self.widths]
        if not tried:
            raise ValueError("widths is empty: give at least one to try")
        width, penalty, _ = min(tried, key=lambda one: one[2])
        cosines = self._draw(data.X.shape[1], width)
        F, V = (take_cosines(part, cosines) for part in rows)
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
        return LinearPolicy(
            formulary=train.study.formulary,
            profile=train.profile,
            spec=data.spec,
            center=center,
            spread=spread,
            weights=weights,
            intercept=intercept,
            is_multiclass=labels.is_multiclass,
            dose_weights=dose_weights,
            dose_intercept=dose_intercept,
            cosines=cosines,
        )

    def _draw(self, features: int, width: float) -> Cosines:
        """Random directions and phases of the cosines."""
        rng = np.random.default_rng(self.seed)
        spread = np.sqrt(2 * width / max(features, 1))
        direction = rng.normal(0.0, spread, (features, self.cosines))
        phase = rng.uniform(0.0, 2 * np.pi, self.cosines)
        return Cosines(direction.astype(np.float32), phase.astype(np.float32))

    def _fit_dose(
        self, data: Design, rows: tuple[np.ndarray, np.ndarray], width: float
    ) -> tuple[float, float, float]:
        """The width, its best penalty and that one's error of the dose on validation decisions."""
        known = ~np.isnan(data.labels.dose)
        if not known.any():
            return width, self.dose_penalties[0], np.inf
        cosines = self._draw(data.X.shape[1], width)
        F, V = (take_cosines(part, cosines) for part in rows)
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
