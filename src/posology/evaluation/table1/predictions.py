"""A policy's predictions for every decision of a cohort, ready to be scored."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from jaxtyping import Bool, Float64, Int64

from posology.domain.cohort import Cohort
from posology.domain.policy import AllowedMask, Policy, predict_with
from posology.domain.safety import allowed_in_cohort, limit_doses


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """One row per decision, in the cohort's order."""

    effectiveness: Float64[np.ndarray, "decision treatment"]
    """P(option is effective), mean over the ensemble's members."""
    member_std: Float64[np.ndarray, "decision treatment"]
    """Standard deviation of that probability over the members; 0 for one member."""
    probabilities: Float64[np.ndarray, "decision treatment"]
    """Probability that the policy chooses each option."""
    dose: Float64[np.ndarray, " decision"]
    """The one overall dose before rounding, mean over members; NaN in studies without one."""
    dose_low: Float64[np.ndarray, " decision"]
    """2.5th percentile of the members' doses: how far they disagree, not a prediction interval."""
    dose_high: Float64[np.ndarray, " decision"]
    """97.5th percentile of the members' doses."""

    def __len__(self) -> int:
        return len(self.dose)


def predict_cohort(
    policy: Policy, cohort: Cohort, allowed: AllowedMask | None = None, batch: int = 4096
) -> Predictions:
    """Predict every decision of a cohort; without a mask, with what safety rules allow."""
    if allowed is None:
        allowed = allowed_in_cohort(cohort)
    starts = range(0, max(len(cohort), 1), batch)
    return concatenate_predictions(
        [_predict_rows(policy, cohort, allowed, slice(at, at + batch)) for at in starts]
    )


def _predict_rows(policy: Policy, cohort: Cohort, allowed: AllowedMask, rows: slice) -> Predictions:
    decisions = (cohort.history, cohort.last_step[rows], allowed[rows])
    predicted = predict_with(policy, *decisions)
    effectiveness = predicted.effectiveness
    limits = None if cohort.dose_limits is None else cohort.dose_limits[rows].astype(np.float64)
    dose = limit_doses(predicted.doses, limits, allowed[rows]).overall
    low, high = np.quantile(dose, (0.025, 0.975), axis=1)
    return Predictions(
        effectiveness=effectiveness.mean(axis=2),
        member_std=effectiveness.std(axis=2),
        probabilities=predicted.choice,
        dose=dose.mean(axis=1),
        dose_low=low,
        dose_high=high,
    )


def usual_care_predictions(cohort: Cohort) -> Predictions:
    """The treatments that clinicians gave, each as a prediction of probability 1."""
    one_hot = np.zeros((len(cohort), len(cohort.study.formulary.treatments)))
    rows = np.flatnonzero(cohort.treatment >= 0)
    one_hot[rows, cohort.treatment[rows]] = 1.0
    no_dose = np.full(len(cohort), np.nan)
    return Predictions(one_hot, np.zeros_like(one_hot), one_hot, no_dose, no_dose, no_dose)


def concatenate_predictions(
    parts: Sequence[Predictions], rows: Sequence[Int64[np.ndarray, " _"]] | None = None
) -> Predictions:
    """Join the predictions of several folds.

    Args:
        parts: one per fold, in order.
        rows: row numbers of each fold's decisions in the whole cohort; without it, the folds are
            joined in order.
    """
    joined = {
        f.name: np.concatenate([getattr(part, f.name) for part in parts])
        for f in fields(Predictions)
    }
    if rows is not None:
        order = np.argsort(np.concatenate(rows), kind="stable")
        joined = {name: array[order] for name, array in joined.items()}
    return Predictions(**joined)


def select_predictions(
    predictions: Predictions, keep: Bool[np.ndarray, " decision"]
) -> Predictions:
    """The predictions of some decisions."""
    return Predictions(**{f.name: getattr(predictions, f.name)[keep] for f in fields(Predictions)})
