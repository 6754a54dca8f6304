"""Cohorts as feature matrices and labels for scikit-learn, and losses on them."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

from posology.domain.cohort import Cohort
from posology.learners.features.rewards import follow_up_weights
from posology.learners.features.tabular import FeatureSpec, build_feature_spec, extract_features

EQUAL = 1e-6
"""Weights that differ by less are the same."""


class Labels(NamedTuple):
    """Labels of each decision; -1 and NaN mark unknown ones."""

    best: Int64[np.ndarray, " decision"]
    treatment: Int64[np.ndarray, " decision"]
    effective: Float64[np.ndarray, " decision"]
    dose: Float64[np.ndarray, " decision"]
    weight: Float64[np.ndarray, " decision"]
    """Follow-up weight of `effective`: each known outcome stands for those lost like it."""
    option_count: int
    is_multiclass: bool
    """Whether the most effective option is known; otherwise only the received option's outcome."""


_LABEL_COLUMNS = ("best", "treatment", "effective", "dose", "weight")
"""Fields of Labels with one row a decision, in order."""


class Design(NamedTuple):
    """Feature matrices with the same columns, and labels, of both splits."""

    spec: FeatureSpec
    X: Float32[np.ndarray, "decision feature"]
    X_validation: Float32[np.ndarray, "other feature"]
    labels: Labels
    validation_labels: Labels


def build_design(train: Cohort, validation: Cohort, excluded_prefixes: tuple[str, ...]) -> Design:
    """Features and labels of both cohorts; the training cohort decides the columns."""
    spec = build_feature_spec(train, excluded_prefixes)
    return Design(
        spec=spec,
        X=extract_features(spec, train.history, train.last_step),
        X_validation=extract_features(spec, validation.history, validation.last_step),
        labels=extract_labels(train),
        validation_labels=extract_labels(validation),
    )


def extract_labels(cohort: Cohort) -> Labels:
    """The cohort's labels in the types that scikit-learn takes."""
    effective = cohort.effective.astype(np.float64)
    # Doses of different drugs are not comparable.
    dose = cohort.dose if cohort.study.dose is not None else np.full(len(cohort), np.nan)
    return Labels(
        best=cohort.best_treatment.astype(np.int64),
        treatment=cohort.treatment.astype(np.int64),
        effective=np.where(cohort.treatment >= 0, effective, np.nan),
        dose=dose.astype(np.float64),
        weight=follow_up_weights(cohort).astype(np.float64),
        option_count=len(cohort.study.formulary.treatments),
        is_multiclass=bool((cohort.best_treatment >= 0).any()),
    )


def join_labels(first: Labels, second: Labels) -> Labels:
    """The labels of two cohorts of one study, one below the other."""
    columns = [
        np.concatenate([getattr(first, name), getattr(second, name)]) for name in _LABEL_COLUMNS
    ]
    return Labels(*columns, first.option_count, first.is_multiclass)


def select_labels(labels: Labels, rows: np.ndarray) -> Labels:
    """The labels of some decisions, by a mask or by their rows."""
    columns = [getattr(labels, name)[rows] for name in _LABEL_COLUMNS]
    return Labels(*columns, labels.option_count, labels.is_multiclass)


def sample_weight(
    labels: Labels, rows: Bool[np.ndarray, " decision"]
) -> Float64[np.ndarray, " selected"] | None:
    """Weights of the outcomes of some decisions, mean 1; None where they are all the same."""
    weight = labels.weight[rows]
    if labels.is_multiclass or not len(weight) or np.ptp(weight) < EQUAL:
        return None
    return weight / weight.mean()


def has_option_label(labels: Labels) -> Bool[np.ndarray, " decision"]:
    """Whether the most effective option, or the outcome of the one received, is known."""
    return labels.best >= 0 if labels.is_multiclass else ~np.isnan(labels.effective)


def log_losses(
    p: Float64[np.ndarray, "decision treatment"], labels: Labels
) -> Float64[np.ndarray, " decision"]:
    """Negative log likelihood of each decision's label; NaN where it is unknown."""
    rows = np.arange(len(p))
    if labels.is_multiclass:
        likelihood = p[rows, np.maximum(labels.best, 0)]
    else:
        p_effective = p[rows, np.maximum(labels.treatment, 0)]
        likelihood = np.where(labels.effective == 1, p_effective, 1.0 - p_effective)
    return np.where(has_option_label(labels), -np.log(np.maximum(likelihood, 1e-12)), np.nan)


def dose_errors(
    dose: Float64[np.ndarray, " decision"], labels: Labels
) -> Float64[np.ndarray, " decision"]:
    """Absolute error of each decision's dose in the study's unit; NaN where none is known."""
    return np.abs(dose - labels.dose)


def mean_log_loss(p: Float64[np.ndarray, "decision treatment"], labels: Labels) -> float:
    """Mean negative log likelihood of the known labels, weighted; NaN where none is known."""
    known = has_option_label(labels)
    if not known.any():
        return float("nan")
    losses = log_losses(p, labels)[known]
    return float(np.average(losses, weights=sample_weight(labels, known)))


def mean_dose_error(dose: Float64[np.ndarray, " decision"], labels: Labels) -> float:
    """Mean absolute error in the study's unit; NaN where no dose is known."""
    known = ~np.isnan(labels.dose)
    return float(dose_errors(dose, labels)[known].mean()) if known.any() else float("nan")
