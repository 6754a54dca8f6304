"""Kernel regression: smooth functions of all columns at once, by random Fourier features.

The Gaussian kernel is approximated by cosines of random directions (Rahimi and Recht 2007,
algorithm 1), so that, unlike with a support vector machine, no patient's row is kept.
"""

from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int32
from scipy.linalg import solve
from scipy.special import expit, softmax

from posology.domain.cohort import Cohort
from posology.domain.scaling import mean_and_std
from posology.learners.features.tabular import COUNT, FeatureSpec
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
from posology.learners.outcome_models.predictions import dose_from_root


@dataclass(frozen=True, slots=True)
class Common:
    """A feature counts if enough of the training decisions, or of the sites, have it.

    Distances between patients are of all features alike, so that each rare one adds noise; and one
    that few hospitals record does not carry over to others.
    """

    share: float = 0.02
    """Of decisions, where sites are unknown or fewer than `sites`. Our choice, like the rest."""
    site_share: float = 0.5
    """Of the training sites."""
    sites: int = 6

    def columns(
        self,
        X: Float32[np.ndarray, "decision feature"],  # noqa: N803
        spec: FeatureSpec,
        site: Int32[np.ndarray, " decision"],
    ) -> Bool[np.ndarray, " feature"]:
        """Which features are common; all where none is."""
        is_present = np.where(spec.kind <= COUNT, np.nan_to_num(X) > 0, ~np.isnan(X))
        is_common = is_present.mean(axis=0) >= self.share
        places = np.unique(site)
        if len(places) >= self.sites:
            by_site = [is_present[site == place].any(axis=0) for place in places]
            is_common = np.mean(by_site, axis=0) >= self.site_share
        return is_common if is_common.any() else np.ones(len(is_common), dtype=bool)


@dataclass(frozen=True, slots=True)
class KernelLearner:
    """The validation decisions choose; the model is then fitted on training and validation.

    Where there is one candidate of each setting nothing is chosen; `choose` returns such a learner.
    """

    widths: tuple[float, ...] = (0.1, 0.3)
    """Gamma of the kernel exp(-gamma |x - y|^2 / features) to try. Our choice, like the rest."""
    cosines: int = 1000
    dose_penalties: tuple[float, ...] = (0.1, 0.3, 1.0)
    inverse_penalties: tuple[float, ...] = (0.3, 1.0, 3.0, 10.0)
    """Of the classes (scikit-learn's C)."""
    tube: float = 0.3
    """Errors of the dose's square root below it count squared, above it absolute (Huber 1964)."""
    common: Common = field(default_factory=Common)
    """Which features are common enough."""
    excluded_prefixes: tuple[str, ...] = ()
    """Prefixes of codes that get no features."""
    seed: int = 0

    def choose(self, train: Cohort, validation: Cohort) -> "KernelLearner":
        """The learner with the settings alone that are best on the validation decisions."""
        return self._choose(
            build_kernel_design(train, validation, self.excluded_prefixes, self.common)
        )

    def fit(self, train: Cohort, validation: Cohort) -> LinearPolicy:
        """Choose the settings, then fit the regressions of the options and of the dose."""
        design = build_kernel_design(train, validation, self.excluded_prefixes, self.common)
        chosen = self._choose(design)
        (width,), (penalty,) = chosen.widths, chosen.dose_penalties
        data = design.data
        cosines = self._draw(data.X.shape[1], width)
        labels = join_labels(data.labels, data.validation_labels)
        F = take_cosines(np.vstack([data.X, data.X_validation]), cosines)
        whole = data._replace(X=F, labels=labels)
        weights, intercept = fit_classes(whole, chosen.inverse_penalties[0])
        known = ~np.isnan(labels.dose)
        dose_weights, dose_intercept = np.zeros(self.cosines), np.nan
        if known.any():
            (dose_weights,), dose_intercept = _robust_ridges(
                whole.X[known], np.sqrt(labels.dose[known]), (penalty,), self.tube
            )
        return LinearPolicy(
            formulary=train.study.formulary,
            profile=train.profile,
            spec=data.spec,
            center=design.center,
            spread=design.spread,
            weights=weights,
            intercept=intercept,
            is_multiclass=labels.is_multiclass,
            dose_weights=dose_weights,
            dose_intercept=dose_intercept,
            cosines=cosines,
        )

    def _choose(self, design: "KernelDesign") -> "KernelLearner":
        for name in ("widths", "dose_penalties", "inverse_penalties"):
            if not getattr(self, name):
                raise ValueError(f"{name} is empty: give at least one to try")
        width, penalty = self._choose_dose_settings(design.data)
        inverse = self._choose_inverse_penalty(design.data, width)
        return replace(
            self, widths=(width,), dose_penalties=(penalty,), inverse_penalties=(inverse,)
        )

    def _draw(self, features: int, width: float) -> Cosines:
        """Random directions and phases of the cosines."""
        rng = np.random.default_rng(self.seed)
        spread = np.sqrt(2 * width / max(features, 1))
        direction = rng.normal(0.0, spread, (features, self.cosines))
        phase = rng.uniform(0.0, 2 * np.pi, self.cosines)
        return Cosines(direction.astype(np.float32), phase.astype(np.float32))

    def _choose_dose_settings(self, data: Design) -> tuple[float, float]:
        """Width and penalty with the lowest error of the dose on the validation decisions.

        The first ones where no dose is known.
        """
        known, is_known = ~np.isnan(data.labels.dose), ~np.isnan(data.validation_labels.dose)
        tried = len(self.widths) * len(self.dose_penalties)
        if tried == 1 or not known.any() or not is_known.any():
            return self.widths[0], self.dose_penalties[0]
        y, errors = np.sqrt(data.labels.dose[known]), {}
        for width in self.widths:
            cosines = self._draw(data.X.shape[1], width)
            F, V = take_cosines(data.X[known], cosines), take_cosines(data.X_validation, cosines)
            ridges, intercept = _robust_ridges(F, y, self.dose_penalties, self.tube)
            for penalty, weights in zip(self.dose_penalties, ridges, strict=True):
                dose = dose_from_root(V @ weights + intercept)
                errors[width, penalty] = mean_dose_error(dose, data.validation_labels)
        return min(errors, key=lambda settings: errors[settings])

    def _choose_inverse_penalty(self, data: Design, width: float) -> float:
        if len(self.inverse_penalties) == 1:
            return self.inverse_penalties[0]
        cosines = self._draw(data.X.shape[1], width)
        F, V = (take_cosines(X, cosines) for X in (data.X, data.X_validation))
        losses = []
        for penalty in self.inverse_penalties:
            weights, intercept = fit_classes(data._replace(X=F), penalty)
            logits = V @ weights + intercept
            p = softmax(logits, axis=1) if data.labels.is_multiclass else expit(logits)
            losses.append(np.nan_to_num(mean_log_loss(p, data.validation_labels), nan=np.inf))
        return self.inverse_penalties[int(np.argmin(losses))]


class KernelDesign(NamedTuple):
    """Standardised and clipped features of both splits, and the scale they had."""

    data: Design
    center: Float64[np.ndarray, " feature"]
    spread: Float64[np.ndarray, " feature"]


def build_kernel_design(
    train: Cohort, validation: Cohort, excluded_prefixes: tuple[str, ...], common: Common
) -> KernelDesign:
    """Common features within `FARTHEST` standard deviations of the training mean."""
    data = drop_unsplittable_columns(build_design(train, validation, excluded_prefixes))
    data = _keep_columns(data, common.columns(data.X, data.spec, train.site))
    center, spread = mean_and_std(data.X)
    X, V = (scale_and_clip(part, center, spread) for part in (data.X, data.X_validation))
    return KernelDesign(data._replace(X=X, X_validation=V), center, spread)


def _keep_columns(data: Design, keep: Bool[np.ndarray, " feature"]) -> Design:
    """The design with some of its features."""
    spec = FeatureSpec(data.spec.code[keep], data.spec.kind[keep])
    return data._replace(spec=spec, X=data.X[:, keep], X_validation=data.X_validation[:, keep])


def _robust_ridges(
    F: Float64[np.ndarray, "decision cosine"],  # noqa: N803
    y: Float64[np.ndarray, " decision"],
    penalties: tuple[float, ...],
    tube: float,
) -> tuple[list[Float64[np.ndarray, " cosine"]], float]:
    """Huber's loss by reweighted least squares, for each penalty; the intercept is the median.

    The first round, a plain ridge regression, is the same product of the columns for all.
    """
    center = float(np.median(y))
    plain = F.T @ F
    ridges = []
    for penalty in penalties:
        beta = _solve(plain, penalty, F.T @ (y - center))
        for _ in range(_ROUNDS):
            weight = tube / np.maximum(np.abs(y - center - F @ beta), tube)
            root = F * np.sqrt(weight)[:, None]
            beta = _solve(root.T @ root, penalty, F.T @ (weight * (y - center)))
        ridges.append(beta)
    return ridges, center


_ROUNDS = 2
"""Of reweighting; more change the dose by less than a tenth of its error."""


def _solve(
    gram: Float64[np.ndarray, "cosine cosine"], penalty: float, side: Float64[np.ndarray, " cosine"]
) -> Float64[np.ndarray, " cosine"]:
    penalised = gram.copy()
    penalised[np.diag_indices_from(penalised)] += penalty
    return solve(penalised, side, assume_a="pos")
