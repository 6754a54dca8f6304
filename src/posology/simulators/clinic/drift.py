"""What changes in the clinic while a model is in use: four drifts, each from a day on.

A *guideline* moves clinicians to SGLT2 inhibitors and GLP-1 agonists. A *laboratory* reports HbA1c
higher after its recalibration; goals are read from reports, so the same patients reach them less
often. A *new drug* cannot be given before its day. A *season* is a larger swing of HbA1c between
winter and summer. Sizes are our choice: large enough to matter, small enough to happen.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from posology.simulators.clinic.options import GLP1, OPTIONS, SGLT2

NEVER = float("inf")
GUIDELINE_SHIFT = 1.5
"""Log-odds that the guideline adds to both options."""
LABORATORY_SHIFT = 6.0
"""Mmol/mol: the size of a calibration error that laboratories' schemes flag (0.55 % HbA1c)."""
SEASON_SHIFT = 3.0
"""Half of the further winter-to-summer swing, mmol/mol."""
NEW_OPTION = GLP1
SEMAGLUTIDE_FALL = 7.5
"""How much further HbA1c falls under semaglutide than under liraglutide, the clinic's GLP-1
agonist, mmol/mol: 0.69 % (SUSTAIN 10; Capehorn 2020, Diabetes Metab 46:100)."""
_COLDEST_DAY = 25.0


@dataclass(frozen=True, slots=True)
class Drift:
    """Days since 1970-01-01 from which each change holds."""

    guideline: float = NEVER
    laboratory: float = NEVER
    new_drug: float = -NEVER
    """Before it, nobody gets the drug; by default it was always there."""
    season: float = NEVER
    new_drug_fall: float = 0.0
    """Further fall of HbA1c under the new drug at its largest dose, mmol/mol."""
    is_steady: bool = False
    """Whether the popularity of options stays as it was, instead of moving year by year."""


NO_DRIFT = Drift()


def choice_shift(
    drift: Drift, day: Float64[np.ndarray, " decision"]
) -> Float64[np.ndarray, "decision treatment"]:
    """Log-odds that are added to clinicians' choices on these days; -inf where there is no drug."""
    shift = np.zeros((len(day), len(OPTIONS)))
    for option in (SGLT2, GLP1):
        shift[day >= drift.guideline, option] = GUIDELINE_SHIFT
    shift[day < drift.new_drug, NEW_OPTION] = -np.inf
    return shift


def fall_shift(drift: Drift) -> Float64[np.ndarray, " treatment"]:
    """Further fall of HbA1c under each option, mmol/mol."""
    shift = np.zeros(len(OPTIONS))
    shift[NEW_OPTION] = drift.new_drug_fall
    return shift


def report_shift(
    drift: Drift, day: Float64[np.ndarray, " subject"]
) -> Float64[np.ndarray, " subject"]:
    """How much higher than without drift HbA1c is reported on these days, mmol/mol."""
    phase = 2 * np.pi * (day - _COLDEST_DAY) / 365.25
    season = SEASON_SHIFT * np.cos(phase) * (day >= drift.season)
    return season + LABORATORY_SHIFT * (day >= drift.laboratory)
