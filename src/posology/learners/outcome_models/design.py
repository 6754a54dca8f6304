"""Two cohorts as classical libraries take them, and how far such a model's answers are off."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Float64, Int64

from posology.domain.cohort import Cohort
from posology.learners.features.tabular import FeatureSpec, build_feature_spec, extract_features


class Labels(NamedTuple):
    """What is known of each decision; -1 and NaN mark what is not."""

    best: Int64[np.ndarray, " decision"]
    treatment: Int64[np.ndarray, " decision"]
    effective: Float64[np.ndarray, " decision"]
    dose: Float64[np.ndarray, " decision"]
    option_count: int
    is_multiclass: bool
    """Whether the most effective option is known; else only what came of the one given."""


class Design(NamedTuple):
    """Columns and labels to learn from and, with the same columns, to choose on."""

    spec: FeatureSpec
    X: Float32[np.ndarray, "decision feature"]
    X_validation: Float32[np.ndarray, "other feature"]
    labels: Labels
    validation_labels: Labels


def build_design(train: Cohort, validation: Cohort, excluded_prefixes: tuple[str, ...]) -> Design:
    """Both cohorts flattened by the columns of the first; prefixes `without` get none."""
    spec = build_feature_spec(train, excluded_prefixes)
    return Design(
        spec=spec,
        X=extract_features(spec, train.history, train.last_step),
        X_validation=extract_features(spec, validation.history, validation.last_step),
        labels=extract_labels(train),
        validation_labels=extract_labels(validation),
    )


def extract_labels(cohort: Cohort) -> Labels:
    """The cohort's labels in the types that classical libraries take."""
    effective = cohort.effective.astype(np.float64)
    # Milligrams of one drug and of another are no one dose.
    dose = cohort.dose if cohort.study.dose is not None else np.full(len(cohort), np.nan)
    return Labels(
        best=cohort.best_treatment.astype(np.int64),
        treatment=cohort.treatment.astype(np.int64),
        effective=np.where(cohort.treatment >= 0, effective, np.nan),
        dose=dose.astype(np.float64),
        option_count=len(cohort.study.formulary.treatments),
        is_multiclass=bool((cohort.best_treatment >= 0).any()),
    )


def mean_log_loss(p: Float64[np.ndarray, "decision treatment"], truth: Labels) -> float:
    """Mean minus log probability of what came true; NaN where nothing is known."""
    rows = np.arange(len(p))
    if truth.is_multiclass:
        known = truth.best >= 0
        right = p[rows, np.maximum(truth.best, 0)][known]
    else:
        known = ~np.isnan(truth.effective)
        asked = p[rows, np.maximum(truth.treatment, 0)][known]
        right = np.where(truth.effective[known] == 1, asked, 1.0 - asked)
    return float(-np.log(np.maximum(right, 1e-12)).mean()) if known.any() else float("nan")


def mean_dose_error(dose: Float64[np.ndarray, " decision"], truth: Labels) -> float:
    """Mean absolute error in the study's unit; NaN where no dose is known."""
    known = ~np.isnan(truth.dose)
    return float(np.abs(dose - truth.dose)[known].mean()) if known.any() else float("nan")
