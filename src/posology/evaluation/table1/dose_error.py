"""Error of the one overall dose against the true dose."""

import numpy as np
from jaxtyping import Bool, Float64, Int64

from posology.domain.cohort import Cohort
from posology.evaluation.intervals import Scores, Weights, weighted_mean

Dose = Float64[np.ndarray, " decision"]

TOLERANCE = 0.20
"""Within 20 % of the stable dose is what IWPC called ideal (N Engl J Med 2009;360:753)."""
SEVERE_ERROR = 0.50
"""Relative error beyond which we call an error severe; our own choice."""
ERROR_BANDS = (
    "over 50 % too low",
    "20 to 50 % too low",
    "within 20 %",
    "20 to 50 % too high",
    "over 50 % too high",
)
_ROUNDING = 1e-6  # true doses are float32: an error of exactly 20 % must count as within 20 %


def true_dose(cohort: Cohort) -> Dose:
    """The dose that proved right; NaN where none is known.

    If the outcome is itself a dose, that dose. In studies that choose one dose whatever the option,
    the dose given, where it was effective.
    """
    if cohort.study.outcome.kind == "dose_class":
        return cohort.outcome.astype(np.float64)
    if cohort.study.dose is None:
        return np.full(len(cohort), np.nan)
    return np.where(cohort.effective == 1, cohort.dose, np.nan).astype(np.float64)


def has_both_doses(dose: Dose, truth: Dose) -> Bool[np.ndarray, " decision"]:
    """Whether both the predicted dose and the true dose are known."""
    return ~np.isnan(dose) & ~np.isnan(truth)


def mean_absolute_error(dose: Dose, truth: Dose, weights: Weights | None = None) -> Scores:
    """Mean absolute error, in the dose's unit."""
    return weighted_mean(np.abs(dose - truth), has_both_doses(dose, truth), weights)


def mean_error(dose: Dose, truth: Dose, weights: Weights | None = None) -> Scores:
    """Mean error, in the dose's unit: above 0 if the predicted doses are too high."""
    return weighted_mean(dose - truth, has_both_doses(dose, truth), weights)


def share_within_20(dose: Dose, truth: Dose, weights: Weights | None = None) -> Scores:
    """Share of predicted doses at most 20 % of the true dose away from it."""
    is_near = np.abs(dose - truth) <= TOLERANCE * truth * (1 + _ROUNDING)
    return weighted_mean(is_near.astype(float), has_both_doses(dose, truth), weights)


def count_error_bands(dose: Dose, truth: Dose) -> Int64[np.ndarray, " band"]:
    """Number of decisions in each of `ERROR_BANDS`; true doses must be above 0."""
    known = has_both_doses(dose, truth)
    error = dose[known] / truth[known] - 1
    limits = np.array([-SEVERE_ERROR, -TOLERANCE, TOLERANCE, SEVERE_ERROR]) * (1 + _ROUNDING)
    band = (error[:, None] >= limits[:2]).sum(axis=1) + (error[:, None] > limits[2:]).sum(axis=1)
    return np.bincount(band, minlength=len(ERROR_BANDS)).astype(np.int64)
