"""The dose levels of each option at which models predict."""

import numpy as np
from jaxtyping import Float64

from posology.domain.cohort import Cohort
from posology.nn.dose_head import DoseLevels, mean_log_dose

MIN_DECISIONS_PER_DOSE = 20
"""A dose of fewer decisions is no level. Our choice: scikit-learn's smallest leaf."""
MAX_LEVELS = 8
"""Levels of one option; with more distinct doses, this many quantiles of them. Our choice."""


def observed_dose_levels(train: Cohort) -> DoseLevels:
    """Doses of each option in the training decisions, ascending; (1.0,) where it has none."""
    return tuple(
        _levels(train.dose[train.treatment == option].astype(np.float64))
        if treatment.dose is not None
        else (1.0,)
        for option, treatment in enumerate(train.study.formulary.treatments)
    )


def modelled_dose_levels(cohort: Cohort) -> DoseLevels:
    """Dose levels where a model of the dose applies; otherwise empty.

    It applies where only the outcome of the treatment received is known, options have doses of
    their own, and there is a dose or a numeric outcome to learn from.
    """
    has_doses = any(t.dose is not None for t in cohort.study.formulary.treatments)
    distance = cohort.target_distance
    has_distance = distance is not None and bool((~np.isnan(distance)).any())
    is_factual = not bool((cohort.best_treatment >= 0).any()) and cohort.study.dose is None
    return observed_dose_levels(cohort) if is_factual and (has_doses or has_distance) else ()


def log_dose_shifts(
    cohort: Cohort, levels: DoseLevels
) -> Float64[np.ndarray, "decision treatment"]:
    """log2 of the dose received over the middle of its option's levels, clipped to the levels.

    0 for the options not received and where the dose is unknown.
    """
    shifts = np.zeros((len(cohort), len(cohort.study.formulary.treatments)))
    for option, doses in enumerate(levels):
        rows = np.flatnonzero((cohort.treatment == option) & (cohort.dose > 0))
        dose = np.clip(cohort.dose[rows].astype(np.float64), doses[0], doses[-1])
        shifts[rows, option] = np.log2(dose) - mean_log_dose(doses)
    return shifts


def _levels(dose: Float64[np.ndarray, " decision"]) -> tuple[float, ...]:
    given = dose[dose > 0]  # NaN is not above 0
    doses, counts = np.unique(given, return_counts=True)
    frequent = doses[counts >= MIN_DECISIONS_PER_DOSE]
    is_continuous = (
        len(frequent) < len(doses) / 2 and len(dose) >= MAX_LEVELS * MIN_DECISIONS_PER_DOSE
    )
    if len(frequent) > MAX_LEVELS or is_continuous:
        frequent = np.unique(np.quantile(given, np.linspace(0.05, 0.95, MAX_LEVELS)))
    elif not len(frequent) and len(given):  # few patients: some of the doses that they had
        frequent = np.unique(
            np.quantile(given, np.linspace(0.05, 0.95, MAX_LEVELS), method="nearest")
        )
    return tuple(float(d) for d in frequent) or (1.0,)
