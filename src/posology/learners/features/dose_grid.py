"""Which doses of each option were given often enough to be asked about."""

import numpy as np
from jaxtyping import Float64

from posology.domain.cohort import Cohort
from posology.nn.dose_head import DoseLevels, mean_log_dose

MIN_DECISIONS_PER_DOSE = 20
"""Decisions at a dose, below which it is not asked about. Our choice: scikit-learn's least leaf."""
MAX_LEVELS = 8
"""Levels of one option; where more doses were given, so many quantiles of them. Our choice."""


def observed_dose_levels(train: Cohort) -> DoseLevels:
    """Doses seen of each option, lowest first; (1.0,) where it has none."""
    return tuple(
        _levels(train.dose[train.treatment == option].astype(np.float64))
        if treatment.dose is not None
        else (1.0,)
        for option, treatment in enumerate(train.study.formulary.treatments)
    )


def modelled_dose_levels(cohort: Cohort) -> DoseLevels:
    """Doses to ask about: where options stand alone, with doses or a number that tells effect.

    Empty where they do not.
    """
    own = any(t.dose is not None for t in cohort.study.formulary.treatments)
    told = cohort.target_distance is not None and bool((~np.isnan(cohort.target_distance)).any())
    alone = not bool((cohort.best_treatment >= 0).any()) and cohort.study.dose is None
    return observed_dose_levels(cohort) if alone and (own or told) else ()


def _levels(given: np.ndarray) -> tuple[float, ...]:
    doses, counts = np.unique(given[given > 0], return_counts=True)  # NaN is not above 0
    often = doses[counts >= MIN_DECISIONS_PER_DOSE]
    if len(often) > MAX_LEVELS or (
        len(often) < len(doses) / 2 and len(given) >= MAX_LEVELS * MIN_DECISIONS_PER_DOSE
    ):
        often = np.unique(np.quantile(given[given > 0], np.linspace(0.05, 0.95, MAX_LEVELS)))
    return tuple(float(d) for d in often) or (1.0,)


def log_dose_shifts(
    cohort: Cohort, levels: DoseLevels
) -> Float64[np.ndarray, "decision treatment"]:
    """log2 of the dose given over the middle of its option's levels, inside those levels.

    0 for the options not given and where the dose is not known.
    """
    out = np.zeros((len(cohort), len(cohort.study.formulary.treatments)))
    for option, doses in enumerate(levels):
        rows = np.flatnonzero((cohort.treatment == option) & (cohort.dose > 0))
        dose = np.clip(cohort.dose[rows].astype(np.float64), doses[0], doses[-1])
        out[rows, option] = np.log2(dose) - mean_log_dose(doses)
    return out
