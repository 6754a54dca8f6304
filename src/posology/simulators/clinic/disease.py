"""The disease from quarter to quarter, and what the current drug does to it."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float64, Int64

from posology.simulators.clinic.draws import Draws
from posology.simulators.clinic.options import OPTIONS
from posology.simulators.clinic.population import Patients
from posology.simulators.clinic.response import PERIOD_SD, Features, genotype_shift
from posology.simulators.clinic.settings import QUARTER_DAYS

PERSISTENCE, FLUCTUATION = 0.7, 4.0
"""HbA1c wanders about its trend: correlation from quarter to quarter, and SD in mmol/mol (habits,
illness, steroids). With PERIOD_SD this gives TriMaster's within-patient SD; my choice."""
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
class State:
    """Where each patient stands at a quarter; what nobody sees included."""

    quarter: int
    trend: Float64[np.ndarray, " subject"]
    """HbA1c on metformin alone, without fluctuation and season."""
    wander: Float64[np.ndarray, " subject"]
    drug_effect: Float64[np.ndarray, " subject"]
    """What the second drug adds to HbA1c now; negative where it helps."""
    fall: Float64[np.ndarray, " subject"]
    """The full fall to which the course of the current drug tends."""
    option: Int64[np.ndarray, " subject"]
    """The second drug being taken, NO_DRUG where none."""
    level: Int64[np.ndarray, " subject"]
    since: Int64[np.ndarray, " subject"]
    """Quarters since the last decision."""
    weight_effect: Float64[np.ndarray, " subject"]
    egfr: Float64[np.ndarray, " subject"]
    tried: Bool[np.ndarray, "subject treatment"]
    stopped: Bool[np.ndarray, "subject treatment"]
    """Options stopped for intolerance."""
    tolerated: Bool[np.ndarray, "subject treatment"]
    """Options taken for a quarter without stopping."""
    failing: Bool[np.ndarray, " subject"]
    fractured: Bool[np.ndarray, " subject"]
    infections: Bool[np.ndarray, " subject"]


def first_state(patients: Patients, draws: Draws) -> State:
    """The clinic's first day: metformin alone."""
    n = len(patients.subject_id)
    none = np.zeros((n, len(OPTIONS)), bool)
    return State(
        quarter=0,
        trend=patients.hba1c,
        wander=FLUCTUATION * draws.normal("wander"),
        drug_effect=np.zeros(n),
        fall=np.zeros(n),
        option=np.full(n, NO_DRUG),
        level=np.zeros(n, np.int64),
        since=np.zeros(n, np.int64),
        weight_effect=np.zeros(n),
        egfr=patients.egfr,
        tried=none,
        stopped=none,
        tolerated=none,
        failing=patients.failing,
        fractured=patients.fractured,
        infections=patients.infections,
    )


def next_quarter(patients: Patients, state: State, draws: Draws) -> State:
    """Three months on, on the drug that the state names."""
    since = state.since + 1
    step = state.quarter + 1
    shock = FLUCTUATION * np.sqrt(1 - PERSISTENCE**2) * draws.normal("wander", step)
    target = np.where(state.option >= 0, -state.fall + _by_option(WANING, state) * since / 4, 0.0)
    saved = _by_option(KIDNEY, state)
    weight = _by_option(WEIGHT, state)
    return replace(
        state,
        quarter=step,
        trend=state.trend + patients.drift / 4,
        wander=PERSISTENCE * state.wander + shock,
        drug_effect=target + (1 - ONSET) * (state.drug_effect - target),
        since=since,
        weight_effect=weight + 0.5 * (state.weight_effect - weight),
        egfr=np.clip(state.egfr + (patients.egfr_slope + saved) / 4, 8, 125),
    )


def start_course(
    state: State, rows: np.ndarray, choice: tuple[np.ndarray, np.ndarray], fall: np.ndarray
) -> State:
    """Some patients take an option at a level from now, with this expected fall at that dose."""
    option, level = choice
    tried = state.tried.copy()
    tried[rows, option] = True
    new = {"option": option, "level": level, "fall": fall, "since": np.zeros(len(rows), np.int64)}
    columns = {name: getattr(state, name).copy() for name in new}
    for name, values in new.items():
        columns[name][rows] = values
    return replace(state, tried=tried, **columns)


def course_noise(draws: Draws, quarter: int) -> Float64[np.ndarray, " subject"]:
    """Extra fall of a course begun at this quarter that no other course shares."""
    return PERIOD_SD * draws.normal("course", quarter)


def hba1c(patients: Patients, state: State) -> Float64[np.ndarray, " subject"]:
    """True HbA1c now, before the laboratory."""
    return state.trend + state.wander + state.drug_effect + season(patients.start, state.quarter)


def season(start: Float64[np.ndarray, " subject"], quarter: int) -> np.ndarray:
    """Mmol/mol that the time of the year adds."""
    day = start + quarter * QUARTER_DAYS
    return SEASON * np.cos(2 * np.pi * (day - COLDEST_DAY) / 365.25)


def bmi(patients: Patients, state: State) -> Float64[np.ndarray, " subject"]:
    """Body mass index now, kg/m2."""
    return patients.bmi + state.weight_effect / patients.height**2


def features(patients: Patients, state: State) -> Features:
    """What decides the response at this moment."""
    years = state.quarter / 4
    return Features(
        hba1c=state.trend + state.wander,
        bmi=bmi(patients, state),
        egfr=state.egfr,
        age=patients.age + years,
        duration=patients.duration + years,
        female=patients.female,
        triglycerides=patients.triglycerides,
        alt=patients.alt,
        more=genotype_shift(patients.genotype),
        activity=patients.activity,
        diet=patients.diet,
        smokes=patients.smoking == 2,
        adherence=patients.adherence,
        deprivation=patients.deprivation,
        trait=patients.trait,
    )


def _by_option(table: np.ndarray, state: State) -> Float64[np.ndarray, " subject"]:
    return np.where(state.option >= 0, table[np.maximum(state.option, 0)], 0.0)
