"""What models of the margin share: by how much the outcome's number clears the criterion.

They are asked about every option at each dose that was given often, and speak of it at its best.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from posology.domain.cohort import Cohort
from posology.domain.formulary import Formulary
from posology.domain.policy import AllowedMask, Doses
from posology.learners.features.dose_grid import log_dose_shifts
from posology.learners.features.rewards import follow_up_weights
from posology.nn.dose_head import DoseLevels, mean_log_dose

DoseGrid = Float64[np.ndarray, "decision treatment level"]
"""NaN where an option has fewer levels."""
Vector = Float64[np.ndarray, " treatment"]


@dataclass(frozen=True, slots=True, eq=False)
class EffectivenessLink:
    """P(effective) = logistic(scale * margin + level + slope * shift), of the option.

    Level and slope are what a margin does not tell: some are stopped before there is one, and more
    at larger doses.
    """

    scale: float
    intercept: Vector
    slope: Vector

    def probability(self, margins: DoseGrid, levels: DoseLevels) -> DoseGrid:
        """P(effective) of every option at every level."""
        own = evaluate_dose_grid(
            levels, lambda k, shift: self.intercept[[k]] + self.slope[k] * shift, 1
        )
        return 1.0 / (1.0 + np.exp(-(self.scale * margins + own)))


@dataclass(frozen=True, slots=True, eq=False)
class TreatedDecisions:
    """Decisions whose option is known, and what came of it."""

    row: Int64[np.ndarray, " decision"]
    """Rows of the cohort."""
    treatment: Int64[np.ndarray, " decision"]
    shift: Float64[np.ndarray, " decision"]
    """log2 of the dose given over the middle of the option's levels."""
    target: Float64[np.ndarray, " decision"]
    weight: Float64[np.ndarray, " decision"]


def treated_decisions(cohort: Cohort, levels: DoseLevels, target: str) -> TreatedDecisions:
    """The decisions whose `target` (`margin` or `effective`) is known of the option given."""
    column = getattr(cohort, target).astype(np.float64)
    row = np.flatnonzero(
        (cohort.treatment >= 0) & ~np.isnan(column) & (follow_up_weights(cohort) > 0)
    )
    treatment = cohort.treatment[row].astype(np.int64)
    shift = log_dose_shifts(cohort, levels)[row, treatment]
    return TreatedDecisions(
        row, treatment, shift, column[row], follow_up_weights(cohort)[row].astype(np.float64)
    )


def fit_effectiveness_link(
    margin: Float64[np.ndarray, " decision"], known: TreatedDecisions, options: int
) -> EffectivenessLink:
    """The chance that is read off the margin said of the option given."""
    (scale,), level, slope = fit_logistic_by_option(margin[:, None], known, options)
    return EffectivenessLink(float(scale), level, slope)


def fit_logistic_by_option(
    columns: Float64[np.ndarray, "decision column"], known: TreatedDecisions, options: int
) -> tuple[Float64[np.ndarray, " column"], Vector, Vector]:
    """Weights of the columns, and each option's level and slope in its dose, of `effective`.

    Levels and slopes are held with the strength of one success and one failure.
    """
    one = np.eye(options)[known.treatment]
    X = np.column_stack([columns, one, one * known.shift[:, None]])
    free = columns.shape[1]
    ridge = np.r_[np.full(free, 1e-6), np.full(2 * options, 0.5)]
    found = np.zeros(X.shape[1])
    for _ in range(50):
        p = 1.0 / (1.0 + np.exp(-(X @ found)))
        rise = X.T @ (known.weight * (known.target - p)) - ridge * found
        bend = (X * (known.weight * p * (1 - p))[:, None]).T @ X + np.diag(ridge)
        step = np.linalg.solve(bend, rise)
        found = found + step
        if np.abs(step).max() < 1e-9:
            break
    return found[:free], found[free : free + options], found[free + options :]


def evaluate_dose_grid(
    levels: DoseLevels,
    margin: Callable[[int, float], Float64[np.ndarray, " decision"]],
    decisions: int,
) -> DoseGrid:
    """margin(option, shift) at each dose of each option."""
    most = max(len(doses) for doses in levels)
    out = np.full((decisions, len(levels), most), np.nan)
    for option, doses in enumerate(levels):
        for level, dose in enumerate(doses):
            out[:, option, level] = margin(option, float(np.log2(dose)) - mean_log_dose(doses))
    return out


def best_doses(
    margins: DoseGrid, levels: DoseLevels, formulary: Formulary, allowed: AllowedMask
) -> Doses:
    """Each allowed option's best level, and no one dose."""
    best = np.nanargmax(margins, axis=2)
    dose = np.stack([np.array(d)[best[:, k]] for k, d in enumerate(levels)], axis=1)
    dosed = np.array([t.dose is not None for t in formulary.treatments])
    nothing = np.full((len(margins), 1), np.nan)
    return Doses(np.where(allowed & dosed, dose, np.nan), nothing)
