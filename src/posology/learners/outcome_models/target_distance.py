"""Training rows of models of the target distance: how far the outcome's number is from its goal."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float64, Int64

from posology.domain.cohort import Cohort
from posology.domain.statistics.logistic_regression import fit_ridge_logistic
from posology.errors import UserError
from posology.learners.features.dose_grid import log_dose_shifts, modelled_dose_levels
from posology.learners.features.rewards import follow_up_weights
from posology.nn.dose_head import DoseLevels

Vector = Float64[np.ndarray, " treatment"]


@dataclass(frozen=True, slots=True, eq=False)
class TreatedDecisions:
    """Decisions with a known treatment and a known outcome of it."""

    row: Int64[np.ndarray, " decision"]
    """Row of the cohort."""
    treatment: Int64[np.ndarray, " decision"]
    shift: Float64[np.ndarray, " decision"]
    """log2 of the dose received over the middle of the option's levels."""
    target: Float64[np.ndarray, " decision"]
    weight: Float64[np.ndarray, " decision"]


def has_numeric_outcome(train: Cohort) -> bool:
    """Whether a number says how well the treatment received worked, at doses to model."""
    distance = train.target_distance
    if distance is None or np.isnan(distance).all():
        return False
    return bool(modelled_dose_levels(train))


def treated_decisions(
    cohort: Cohort, levels: DoseLevels, target: Literal["target_distance", "effective"]
) -> TreatedDecisions:
    """The decisions whose target is known for the treatment received.

    UserError where the outcome is yes or no.
    """
    column = cohort.effective if target == "effective" else cohort.target_distance
    if column is None:
        raise UserError(
            f"study {cohort.study.name}: [outcome] kind = {cohort.study.outcome.kind!r} has no "
            "distance to a target, from which this method learns; fit with --method "
            "effects_and_doses, which learns doses from a yes or no too, or with stack."
        )
    column = column.astype(np.float64)
    row = np.flatnonzero(
        (cohort.treatment >= 0) & ~np.isnan(column) & (follow_up_weights(cohort) > 0)
    )
    treatment = cohort.treatment[row].astype(np.int64)
    return TreatedDecisions(
        row=row,
        treatment=treatment,
        shift=log_dose_shifts(cohort, levels)[row, treatment],
        target=column[row],
        weight=follow_up_weights(cohort)[row].astype(np.float64),
    )


def fit_logistic_by_option(
    columns: Float64[np.ndarray, "decision column"], treated: TreatedDecisions, options: int
) -> tuple[Float64[np.ndarray, " column"], Vector, Vector]:
    """Logistic regression of a binary target on columns and the option's dose.

    Returns the columns' weights (nearly unpenalised), and each option's intercept and slope in its
    log dose, penalised as strongly as one success and one failure.
    """
    one_hot = np.eye(options)[treated.treatment]
    X = np.column_stack([columns, one_hot, one_hot * treated.shift[:, None]])
    n = columns.shape[1]
    penalty = np.r_[np.full(n, 1e-6), np.full(2 * options, 0.5)]
    beta = fit_ridge_logistic(X, treated.target, treated.weight, penalty)
    return beta[:n], beta[n : n + options], beta[n + options :]
