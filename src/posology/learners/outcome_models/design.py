"""Two cohorts as classical libraries take them, and how far such a model's answers are off."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Float64, Int64

from posology.domain.cohort import Cohort
from posology.learners.features.tabular import FlatSpec, flat_spec, flatten


class Labels(NamedTuple):
    """What is known of each decision; -1 and NaN mark what is not."""

    best: Int64[np.ndarray, " decision"]
    treatment: Int64[np.ndarray, " decision"]
    effective: Float64[np.ndarray, " decision"]
    dose: Float64[np.ndarray, " decision"]
    options: int
    exclusive: bool
    """Whether the most effective option is known; else only what came of the one given."""


class Design(NamedTuple):
    """Columns and labels to learn from and, with the same columns, to choose on."""

    spec: FlatSpec
    X: Float32[np.ndarray, "decision feature"]
    V: Float32[np.ndarray, "other feature"]
    train: Labels
    validation: Labels


def design(train: Cohort, validation: Cohort, without: tuple[str, ...]) -> Design:
    """Both cohorts flattened by the columns of the first; prefixes `without` get none."""
    spec = flat_spec(train, without)
    return Design(
        spec=spec,
        X=flatten(spec, train.history, train.last_step),
        V=flatten(spec, validation.history, validation.last_step),
        train=labels(train),
        validation=labels(validation),
    )


def labels(cohort: Cohort) -> Labels:
    """The cohort's labels in the types that classical libraries take."""
    effective = cohort.effective.astype(np.float64)
    # Milligrams of one drug and of another are no one dose.
    dose = cohort.dose if cohort.study.dose is not None else np.full(len(cohort), np.nan)
    return Labels(
        best=cohort.best_treatment.astype(np.int64),
        treatment=cohort.treatment.astype(np.int64),
        effective=np.where(cohort.treatment >= 0, effective, np.nan),
        dose=dose.astype(np.float64),
        options=len(cohort.study.formulary.treatments),
        exclusive=bool((cohort.best_treatment >= 0).any()),
    )


def log_loss(p: Float64[np.ndarray, "decision treatment"], truth: Labels) -> float:
    """Mean minus log probability of what came true; NaN where nothing is known."""
    rows = np.arange(len(p))
    if truth.exclusive:
        known = truth.best >= 0
        right = p[rows, np.maximum(truth.best, 0)][known]
    else:
        known = ~np.isnan(truth.effective)
        asked = p[rows, np.maximum(truth.treatment, 0)][known]
        right = np.where(truth.effective[known] == 1, asked, 1.0 - asked)
    return float(-np.log(np.maximum(right, 1e-12)).mean()) if known.any() else float("nan")


def dose_error(dose: Float64[np.ndarray, " decision"], truth: Labels) -> float:
    """Mean absolute error in the study's unit; NaN where no dose is known."""
    known = ~np.isnan(truth.dose)
    return float(np.abs(dose - truth.dose)[known].mean()) if known.any() else float("nan")
