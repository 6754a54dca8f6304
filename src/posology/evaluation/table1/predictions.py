"""What a policy answers about every decision of a cohort, ready to be scored."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from jaxtyping import Bool, Float64, Int64

from posology.domain.cohort import Cohort
from posology.domain.policy import AllowedMask, Policy, allow_all_treatments


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """One row a decision, in the cohort's order."""

    effectiveness: Float64[np.ndarray, "decision treatment"]
    """P(option is effective), mean over the ensemble's members."""
    member_std: Float64[np.ndarray, "decision treatment"]
    """Standard deviation of that probability over the members; 0 for a single one."""
    probabilities: Float64[np.ndarray, "decision treatment"]
    """With what probability the policy would choose each option."""
    dose: Float64[np.ndarray, " decision"]
    """The one overall dose before rounding, mean over members; NaN where not asked."""
    dose_low: Float64[np.ndarray, " decision"]
    """2.5th percentile of the members' doses: how far they disagree, not a prediction interval."""
    dose_high: Float64[np.ndarray, " decision"]
    """97.5th percentile of the members' doses."""

    def __len__(self) -> int:
        return len(self.dose)


def predict_cohort(
    policy: Policy, cohort: Cohort, allowed: AllowedMask | None = None, batch: int = 4096
) -> Predictions:
    """Ask a policy about every decision; without a mask every option is allowed."""
    if allowed is None:
        allowed = allow_all_treatments(cohort.last_step, policy.formulary)
    starts = range(0, max(len(cohort), 1), batch)
    return concatenate_predictions(
        [_ask(policy, cohort, allowed, slice(at, at + batch)) for at in starts]
    )


def _ask(policy: Policy, cohort: Cohort, allowed: AllowedMask, rows: slice) -> Predictions:
    asked = (cohort.history, cohort.last_step[rows], allowed[rows])
    effectiveness = policy.predict_effectiveness(*asked)
    dose = policy.predict_doses(*asked).overall
    low, high = np.quantile(dose, (0.025, 0.975), axis=1)
    return Predictions(
        effectiveness=effectiveness.mean(axis=2),
        member_std=effectiveness.std(axis=2),
        probabilities=policy.choice_probabilities(*asked),
        dose=dose.mean(axis=1),
        dose_low=low,
        dose_high=high,
    )


def usual_care_predictions(cohort: Cohort) -> Predictions:
    """What clinicians gave, as if it were a policy that is sure of it."""
    given = np.zeros((len(cohort), len(cohort.study.formulary.treatments)))
    rows = np.flatnonzero(cohort.treatment >= 0)
    given[rows, cohort.treatment[rows]] = 1.0
    nothing = np.full(len(cohort), np.nan)
    return Predictions(given, np.zeros_like(given), given, nothing, nothing, nothing)


def concatenate_predictions(
    parts: Sequence[Predictions], rows: Sequence[Int64[np.ndarray, " _"]] | None = None
) -> Predictions:
    """Join the answers of several folds.

    Args:
        parts: one a fold, in order.
        rows: where each fold's decisions stand in the whole cohort; without it, one fold
            simply follows the other.
    """
    joined = {
        f.name: np.concatenate([getattr(part, f.name) for part in parts])
        for f in fields(Predictions)
    }
    if rows is not None:
        back = np.argsort(np.concatenate(rows), kind="stable")
        joined = {name: array[back] for name, array in joined.items()}
    return Predictions(**joined)


def select_predictions(
    predictions: Predictions, keep: Bool[np.ndarray, " decision"]
) -> Predictions:
    """The answers about some decisions."""
    return Predictions(**{f.name: getattr(predictions, f.name)[keep] for f in fields(Predictions)})
