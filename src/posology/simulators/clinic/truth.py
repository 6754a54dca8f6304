"""The true effects of every option and dose at a decision, in closed form, and the decisions.

Estimand, at a decision, for an option at a dose: the patient starts (or keeps) it today, takes no
other second drug for six months, and stays in care. *Effective* means that it is not stopped for
intolerance and that the HbA1c reported at six months is at most 53 mmol/mol (7.0 %, the usual
goal: ADA/EASD consensus, Davies 2022, Diabetes Care 45:2753) or at least 11 mmol/mol (1 %) below
the one reported at the decision (a fall of 11 is NICE's criterion for continuing a GLP-1
agonist, NG28; joining the two with "or" is our choice). The truth knows everything, the patient's
lasting traits included; no learner can.
"""

from dataclasses import dataclass, fields, replace

import numpy as np
from jaxtyping import Bool, Float64, Int64
from scipy.special import ndtr

from posology.simulators.clinic.disease import (
    FLUCTUATION,
    MEASUREMENT_SD,
    ONSET,
    PERSISTENCE,
    WANING,
    DiseaseState,
    response_features,
    seasonal_shift,
)
from posology.simulators.clinic.drift import NO_DRIFT, Drift, fall_shift, report_shift
from posology.simulators.clinic.harms import harm_risks, stopping_risks
from posology.simulators.clinic.options import LEVELS, OPTIONS, dose_share, yearly_costs
from posology.simulators.clinic.population import Patients
from posology.simulators.clinic.response import (
    PERIOD_SD,
    TRAIT_SD,
    TRIAL_ADHERENCE,
    full_dose_fall,
)
from posology.simulators.clinic.settings import QUARTER_DAYS

GOAL, SUFFICIENT_FALL = 53.0, 11.0
"""HbA1c at or below which, or fall from which, a treatment is effective, mmol/mol."""
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


def true_effects(
    patients: Patients,
    state: DiseaseState,
    reported: Float64[np.ndarray, " decision"],
    unknown_trait: float = 0.0,
    drift: Drift = NO_DRIFT,
) -> Truth:
    """True effects for patients whose HbA1c was just reported.

    `unknown_trait` is the SD of a lasting response to average over (see
    `true_effects_without_history`). Of the drift, what shifts the report in six months counts, and
    what the new drug does.
    """
    known = response_features(patients, state)
    known = replace(known, trait=known.trait + fall_shift(drift))
    fall = full_dose_fall(known)[:, :, None] * dose_share(state.egfr)
    on, off = _six_months_on(patients, state, fall)
    trait = unknown_trait * (known.adherence / TRIAL_ADHERENCE)[:, None, None]
    spread = np.sqrt(
        (_course_weight() * trait * dose_share(state.egfr)) ** 2
        + FLUCTUATION**2 * (1 - PERSISTENCE ** (2 * HORIZON))
        + (_course_weight() * PERIOD_SD) ** 2
        + MEASUREMENT_SD**2
    )
    needed = np.maximum(GOAL, reported - SUFFICIENT_FALL) + 0.5  # reported to the whole mmol/mol
    later = patients.start_day + (state.quarter + HORIZON) * QUARTER_DAYS
    needed = needed - report_shift(drift, later)
    stop = np.where(np.isnan(fall), np.nan, stopping_risks(patients, state))
    reach = ndtr((needed[:, None, None] - on) / spread)
    return Truth(
        effective=(1 - stop) * reach,
        hba1c=(1 - stop) * on + stop * off[:, None, None],
        fall=fall,
        stopping=stop,
        harm=np.where(np.isnan(fall)[..., None], np.nan, harm_risks(patients, state)),
        cost=np.repeat((yearly_costs() / 2)[None], len(reported), axis=0),
    )


def true_effects_without_history(
    patients: Patients,
    state: DiseaseState,
    reported: Float64[np.ndarray, " decision"],
    history_effect: float,
    drift: Drift = NO_DRIFT,
) -> Truth:
    """True effects averaged over patients who differ only in their lasting traits.

    The upper limit of a method that knows everything about a patient except the responses to
    earlier treatments. Traits are averaged by their distribution in the whole population.
    """
    average = replace(
        patients,
        trait=np.zeros_like(patients.trait),
        liability=np.zeros_like(patients.liability),
    )
    return true_effects(average, state, reported, TRAIT_SD * history_effect, drift)


def best_option(truth: Truth) -> Int64[np.ndarray, " decision"]:
    """The most effective option, each at its best dose."""
    return effective_at_best_dose(truth).argmax(axis=1)


def effective_at_best_dose(truth: Truth) -> Float64[np.ndarray, "decision treatment"]:
    """P(effective) of each option at its best dose."""
    return np.nanmax(truth.effective, axis=2)


def _six_months_on(
    patients: Patients, state: DiseaseState, fall: PerDose
) -> tuple[PerDose, Float64[np.ndarray, " decision"]]:
    """Expected HbA1c in two quarters on each dose, and off it (solved `advance_quarter`)."""
    later = state.trend + patients.drift * HORIZON / 4 + PERSISTENCE**HORIZON * state.fluctuation
    later = later + seasonal_shift(patients.start_day, state.quarter + HORIZON)
    rest = (1 - ONSET) ** HORIZON * state.drug_effect
    effect = np.zeros((len(later), len(OPTIONS), LEVELS))
    for quarter in (1, 2):
        weight = ONSET * (1 - ONSET) ** (HORIZON - quarter)
        effect += weight * (-fall + WANING[None, :, None] * quarter / 4)
    return (later + rest)[:, None, None] + effect, later + rest


def _course_weight() -> float:
    """Share of a period's own noise that is visible at six months."""
    return 1 - (1 - ONSET) ** HORIZON


@dataclass(frozen=True, slots=True, eq=False)
class ClinicDecisions:
    """One row per decision. Only `option` and `level` are written to the events."""

    subject_id: Int64[np.ndarray, " decision"]
    quarter: Int64[np.ndarray, " decision"]
    minute: Int64[np.ndarray, " decision"]
    """Of the review, since 1970-01-01T00:00 UTC."""
    reported_hba1c: Float64[np.ndarray, " decision"]
    """HbA1c just reported, mmol/mol."""
    bmi: Float64[np.ndarray, " decision"]
    """Last reported."""
    egfr: Float64[np.ndarray, " decision"]
    """Last reported."""
    vascular: Bool[np.ndarray, " decision"]
    heart_failure: Bool[np.ndarray, " decision"]
    stopped: Bool[np.ndarray, "decision treatment"]
    """Options stopped for intolerance before."""
    tried: Bool[np.ndarray, "decision treatment"]
    """Options taken before, the current one included."""
    current_option: Int64[np.ndarray, " decision"]
    """Current option before the decision, -1 if none."""
    option: Int64[np.ndarray, " decision"]
    """Option chosen."""
    level: Int64[np.ndarray, " decision"]
    """Dose level chosen."""
    is_stopped: Bool[np.ndarray, " decision"]
    """Whether the chosen option is then stopped for intolerance."""
    choice_probability: Float64[np.ndarray, "decision treatment level"]
    """Of the clinicians, for every option and dose; 0 where there is no such dose."""
    effective_without_history: Float64[np.ndarray, "decision treatment level"]
    """P(effective) averaged over the lasting traits."""
    truth: Truth


def concatenate_decisions(parts: list[ClinicDecisions]) -> ClinicDecisions:
    """ClinicDecisions of several quarters, in order of subject and time."""
    columns = {
        f.name: np.concatenate([getattr(part, f.name) for part in parts])
        for f in fields(ClinicDecisions)
        if f.name != "truth"
    }
    order = np.lexsort((columns["minute"], columns["subject_id"]))
    truth = {
        f.name: np.concatenate([getattr(part.truth, f.name) for part in parts])[order]
        for f in fields(Truth)
    }
    return ClinicDecisions(**{k: v[order] for k, v in columns.items()}, truth=Truth(**truth))
