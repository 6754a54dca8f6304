"""What every option and dose would do at a decision: the clinic's truth, in closed form.

Estimand, at a decision, for an option at a dose: the patient starts (or keeps) it today, takes no
other second drug for six months, and stays in care. *Effective* means that it is not stopped for
intolerance and that the HbA1c reported at six months is at most 53 mmol/mol (7.0 %, the usual
goal: ADA/EASD consensus, Davies 2022, Diabetes Care 45:2753) or at least 11 mmol/mol (1 %) below
the one reported at the decision (a fall of 11 is NICE's criterion for continuing a GLP-1
agonist, NG28; joining the two with "or" is my choice). The truth knows everything, the patient's
lasting traits included; no learner can.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64, Int64
from scipy.special import ndtr

from posology.simulators.clinic.adverse import harms, stopping
from posology.simulators.clinic.disease import (
    FLUCTUATION,
    MEASUREMENT_SD,
    ONSET,
    PERSISTENCE,
    WANING,
    State,
    features,
    season,
)  # fmt: skip
from posology.simulators.clinic.options import LEVELS, OPTIONS, dose_share, yearly_costs
from posology.simulators.clinic.population import Patients
from posology.simulators.clinic.response import (
    PERIOD_SD,
    TRAIT_SD,
    TRIAL_ADHERENCE,
    full_dose_fall,
)

GOAL, ENOUGH = 53.0, 11.0
HORIZON = 2
"""Quarters from the decision to its outcome."""

PerDose = Float64[np.ndarray, "decision treatment level"]


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """Per decision, option and dose level; NaN where an option has no such level."""

    effective: PerDose
    """P(effective)."""
    hba1c: PerDose
    """Expected HbA1c at six months, mmol/mol, stopping included."""
    fall: PerDose
    """Expected eventual fall of HbA1c against no second drug, if taken on."""
    stopping: PerDose
    """P(stopped for intolerance)."""
    harm: Float64[np.ndarray, "decision treatment level harm"]
    """P(each of `adverse.HARMS` within six months)."""
    cost: PerDose
    """GBP for the six months' drug."""


def know(
    patients: Patients,
    state: State,
    reported: Float64[np.ndarray, " decision"],
    unknown_trait: float = 0.0,
) -> Truth:
    """The truth at a decision of every patient given, whose HbA1c was just reported.

    `unknown_trait` is the SD of a lasting response that the patients given do not carry but that
    is to be allowed for (see `know_without_history`).
    """
    known = features(patients, state)
    fall = full_dose_fall(known)[:, :, None] * dose_share(state.egfr)
    on, off = _six_months_on(patients, state, fall)
    trait = unknown_trait * (known.adherence / TRIAL_ADHERENCE)[:, None, None]
    spread = np.sqrt(
        (_course_weight() * trait * dose_share(state.egfr)) ** 2
        + FLUCTUATION**2 * (1 - PERSISTENCE ** (2 * HORIZON))
        + (_course_weight() * PERIOD_SD) ** 2
        + MEASUREMENT_SD**2
    )
    needed = np.maximum(GOAL, reported - ENOUGH) + 0.5  # reported to the whole mmol/mol
    stop = np.where(np.isnan(fall), np.nan, stopping(patients, state))
    reach = ndtr((needed[:, None, None] - on) / spread)
    return Truth(
        effective=(1 - stop) * reach,
        hba1c=(1 - stop) * on + stop * off[:, None, None],
        fall=fall,
        stopping=stop,
        harm=np.where(np.isnan(fall)[..., None], np.nan, harms(patients, state)),
        cost=np.repeat((yearly_costs() / 2)[None], len(reported), axis=0),
    )


def know_without_history(
    patients: Patients,
    state: State,
    reported: Float64[np.ndarray, " decision"],
    history_effect: float,
) -> Truth:
    """What is true on average of all who are alike but for their lasting traits.

    The ceiling of a method that knows everything of a patient except what earlier courses of
    treatment showed. Traits are allowed for by their distribution in the whole population.
    """
    alike = replace(
        patients,
        trait=np.zeros_like(patients.trait),
        liability=np.zeros_like(patients.liability),
    )
    return know(alike, state, reported, TRAIT_SD * history_effect)


def best_option(truth: Truth) -> Int64[np.ndarray, " decision"]:
    """The most effective option, each at its best dose."""
    return at_best_dose(truth).argmax(axis=1)


def at_best_dose(truth: Truth) -> Float64[np.ndarray, "decision treatment"]:
    """P(effective) of each option at its best dose."""
    return np.nanmax(truth.effective, axis=2)


def _six_months_on(
    patients: Patients, state: State, fall: PerDose
) -> tuple[PerDose, Float64[np.ndarray, " decision"]]:
    """Expected HbA1c in two quarters on each dose, and off it: `next_quarter`, solved."""
    later = state.trend + patients.drift * HORIZON / 4 + PERSISTENCE**HORIZON * state.wander
    later = later + season(patients.start, state.quarter + HORIZON)
    rest = (1 - ONSET) ** HORIZON * state.drug_effect
    effect = np.zeros((len(later), len(OPTIONS), LEVELS))
    for quarter in (1, 2):
        weight = ONSET * (1 - ONSET) ** (HORIZON - quarter)
        effect += weight * (-fall + WANING[None, :, None] * quarter / 4)
    return (later + rest)[:, None, None] + effect, later + rest


def _course_weight() -> float:
    """Share of a course's own noise that shows at six months."""
    return 1 - (1 - ONSET) ** HORIZON
