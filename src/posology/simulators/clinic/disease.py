"""The disease from quarter to quarter, and the effect of the current drug."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float64, Int64

from posology.simulators.clinic.draws import Draws
from posology.simulators.clinic.options import OPTIONS
from posology.simulators.clinic.population import Patients
from posology.simulators.clinic.response import PERIOD_SD, ResponseFeatures, genotype_shift
from posology.simulators.clinic.settings import QUARTER_DAYS

PERSISTENCE, FLUCTUATION = 0.7, 4.0
"""Fluctuation of HbA1c about its trend: correlation from quarter to quarter, and SD in mmol/mol
(habits, illness, steroids). With PERIOD_SD this gives TriMaster's within-patient SD; our choice."""
ONSET = 0.85
"""Share of a change of drug that HbA1c shows after a quarter (red cells live about 120 days)."""
SEASON = 1.2
"""Half the winter-to-summer swing, mmol/mol: 0.22 % (Tseng 2005, Am J Epidemiol 161:565)."""
COLDEST_DAY = 25.0
"""Day of the year at which HbA1c peaks: late January."""
MEASUREMENT_SD = 1.9
"""Biological and analytical variation of one HbA1c: about 3 % of 65 mmol/mol together (EFLM:
within-person CV 1.6-1.9 %; IFCC goal for laboratories CV under 3 %)."""
WANING = np.array([0.0, 0.0, 0.4, 1.1, -0.8])
"""Mmol/mol a year that HbA1c rises on the drug beyond metformin's rise: ADOPT (Kahn 2006)
glyburide 0.24, rosiglitazone 0.07 against metformin 0.14 % a year; DPP-4: GRADE; rest 0."""
WEIGHT = np.array([-2.2, -2.9, 0.0, 2.0, 2.6])
"""Kg at six months and after (Mearns 2015; LEAD-2; Tsapas 2020), rounded."""
PRESSURE = np.array([-4.0, -2.0, 0.0, 0.0, -1.0])
"""MmHg systolic (Baker 2014, J Am Soc Hypertens 8:262, SGLT2; Sun 2015, GLP-1)."""
KIDNEY = np.array([1.0, 0.4, 0.0, 0.0, 0.0])
"""ML/min/1.73 m2 a year saved (EMPA-REG, Wanner 2016, NEJM 375:323; LEADER), rounded."""
NO_DRUG = -1


@dataclass(frozen=True, slots=True, eq=False)
class DiseaseState:
    """Each patient's state at a quarter, latent variables included."""

    quarter: int
    trend: Float64[np.ndarray, " subject"]
    """HbA1c on metformin alone, without fluctuation and season."""
    fluctuation: Float64[np.ndarray, " subject"]
    drug_effect: Float64[np.ndarray, " subject"]
    """Current effect of the second drug on HbA1c; negative is a fall."""
    full_fall: Float64[np.ndarray, " subject"]
    """The eventual fall of HbA1c on the current drug."""
    option: Int64[np.ndarray, " subject"]
    """The current second drug, NO_DRUG if none."""
    level: Int64[np.ndarray, " subject"]
    quarters_since_decision: Int64[np.ndarray, " subject"]
    """Quarters since the last decision."""
    weight_effect: Float64[np.ndarray, " subject"]
    egfr: Float64[np.ndarray, " subject"]
    tried: Bool[np.ndarray, "subject treatment"]
    stopped: Bool[np.ndarray, "subject treatment"]
    """Options stopped for intolerance."""
    tolerated: Bool[np.ndarray, "subject treatment"]
    """Options taken for a quarter without stopping."""
    heart_failure: Bool[np.ndarray, " subject"]
    fracture: Bool[np.ndarray, " subject"]
    genital_infection: Bool[np.ndarray, " subject"]


def first_state(patients: Patients, draws: Draws) -> DiseaseState:
    """The clinic's first day: metformin alone."""
    n = len(patients.subject_id)
    none = np.zeros((n, len(OPTIONS)), bool)
    return DiseaseState(
        quarter=0,
        trend=patients.hba1c,
        fluctuation=FLUCTUATION * draws.normal("wander"),
        drug_effect=np.zeros(n),
        full_fall=np.zeros(n),
        option=np.full(n, NO_DRUG),
        level=np.zeros(n, np.int64),
        quarters_since_decision=np.zeros(n, np.int64),
        weight_effect=np.zeros(n),
        egfr=patients.egfr,
        tried=none,
        stopped=none,
        tolerated=none,
        heart_failure=patients.heart_failure,
        fracture=patients.fracture,
        genital_infection=patients.genital_infection,
    )


def advance_quarter(patients: Patients, state: DiseaseState, draws: Draws) -> DiseaseState:
    """The state three months later, on the current drug."""
    since = state.quarters_since_decision + 1
    step = state.quarter + 1
    shock = FLUCTUATION * np.sqrt(1 - PERSISTENCE**2) * draws.normal("wander", step)
    target = np.where(
        state.option >= 0, -state.full_fall + _by_option(WANING, state) * since / 4, 0.0
    )
    saved = _by_option(KIDNEY, state)
    weight = _by_option(WEIGHT, state)
    return replace(
        state,
        quarter=step,
        trend=state.trend + patients.drift / 4,
        fluctuation=PERSISTENCE * state.fluctuation + shock,
        drug_effect=target + (1 - ONSET) * (state.drug_effect - target),
        quarters_since_decision=since,
        weight_effect=weight + 0.5 * (state.weight_effect - weight),
        egfr=np.clip(state.egfr + (patients.egfr_slope + saved) / 4, 8, 125),
    )


def start_option(
    state: DiseaseState, rows: np.ndarray, choice: tuple[np.ndarray, np.ndarray], fall: np.ndarray
) -> DiseaseState:
    """Some patients start an option at a dose level, with this expected fall."""
    option, level = choice
    tried = state.tried.copy()
    tried[rows, option] = True
    new = {
        "option": option,
        "level": level,
        "full_fall": fall,
        "quarters_since_decision": np.zeros(len(rows), np.int64),
    }
    columns = {name: getattr(state, name).copy() for name in new}
    for name, values in new.items():
        columns[name][rows] = values
    return replace(state, tried=tried, **columns)


def draw_response_noise(draws: Draws, quarter: int) -> Float64[np.ndarray, " subject"]:
    """Extra fall of a drug started in this quarter, specific to this period."""
    return PERIOD_SD * draws.normal("course", quarter)


def true_hba1c(patients: Patients, state: DiseaseState) -> Float64[np.ndarray, " subject"]:
    """HbA1c without measurement error."""
    return (
        state.trend
        + state.fluctuation
        + state.drug_effect
        + seasonal_shift(patients.start_day, state.quarter)
    )


def seasonal_shift(start: Float64[np.ndarray, " subject"], quarter: int) -> np.ndarray:
    """Seasonal change of HbA1c, mmol/mol."""
    day = start + quarter * QUARTER_DAYS
    return SEASON * np.cos(2 * np.pi * (day - COLDEST_DAY) / 365.25)


def current_bmi(patients: Patients, state: DiseaseState) -> Float64[np.ndarray, " subject"]:
    """Body mass index, kg/m2."""
    return patients.bmi + state.weight_effect / patients.height**2


def response_features(patients: Patients, state: DiseaseState) -> ResponseFeatures:
    """The features that determine the response now."""
    years = state.quarter / 4
    return ResponseFeatures(
        hba1c=state.trend + state.fluctuation,
        bmi=current_bmi(patients, state),
        egfr=state.egfr,
        age=patients.age + years,
        duration=patients.duration + years,
        female=patients.female,
        triglycerides=patients.triglycerides,
        alt=patients.alt,
        genotype_shift=genotype_shift(patients.genotype),
        activity=patients.activity,
        diet=patients.diet,
        smokes=patients.smoking == 2,
        adherence=patients.adherence,
        deprivation=patients.deprivation,
        trait=patients.trait,
    )


def _by_option(table: np.ndarray, state: DiseaseState) -> Float64[np.ndarray, " subject"]:
    return np.where(state.option >= 0, table[np.maximum(state.option, 0)], 0.0)
