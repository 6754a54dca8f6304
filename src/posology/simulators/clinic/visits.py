"""Records of a visit: laboratory values, examination, questionnaires and devices."""

import numpy as np

from posology.simulators.clinic.disease import (
    MEASUREMENT_SD,
    PRESSURE,
    DiseaseState,
    current_bmi,
    true_hba1c,
)
from posology.simulators.clinic.draws import Draws
from posology.simulators.clinic.events import MINUTES, SMOKING, STATIC, EventLog
from posology.simulators.clinic.genome import VARIANTS
from posology.simulators.clinic.population import Patients, select_rows

MISSING = {"weight": 0.10, "systolic": 0.12, "egfr": 0.30, "lipids": 0.45, "alt": 0.45}
"""Share of visits without each test; rises by a tenth of itself per quintile of
deprivation. Our choice, of the order of the completeness of CPRD's diabetes reviews."""
LAB_CV = {"egfr": 0.05, "cholesterol": 0.06, "hdl": 0.06, "triglycerides": 0.18, "alt": 0.12}
"""Variation of one measurement, biological and analytical (EFLM database, rounded)."""
DIET_SD = ADHERENCE_SD = ACTIVITY_SD = 0.8
"""Standard deviation of a questionnaire's error, in standard scores of the habit; our choice."""


def reported_hba1c(patients: Patients, state: DiseaseState, draws: Draws) -> np.ndarray:
    """HbA1c as reported by the laboratory, mmol/mol."""
    noise = MEASUREMENT_SD * draws.normal("hba1c noise", state.quarter)
    return np.round(np.maximum(true_hba1c(patients, state) + noise, 28.0))


def is_test_missed(
    patients: Patients, draws: Draws, name: str, share: float, quarter: int
) -> np.ndarray:
    """Whether each patient's test was not done; at the first visit every test is done."""
    if quarter == 0:
        return np.zeros(len(patients.subject_id), bool)
    scale = 1 + 0.1 * (patients.deprivation - 3)
    return draws.uniform(f"missing {name}", quarter) < share * scale


def record_entry(log: EventLog, patients: Patients, minute: np.ndarray) -> None:
    """Record what is known at registration."""
    who = patients.subject_id
    born = np.floor(patients.start_day - 365.25 * patients.age) * MINUTES
    log.add("birth", who, born)
    for name, rows in (("female", patients.female), ("male", ~patients.female)):
        log.add(name, who[rows], np.full(int(rows.sum()), STATIC))
    log.add("deprivation", who, minute, patients.deprivation, 0)
    log.add("site", who, minute, patients.site.astype(float), 0)
    log.add("height", who, minute, 100 * patients.height, 0)
    log.add("metformin", who, minute, patients.metformin, 0)
    diagnosed = np.floor(patients.start_day - 365.25 * patients.duration) * MINUTES + 600
    log.add("diabetes", who, np.maximum(diagnosed, born + MINUTES))
    past = {
        "vascular": patients.vascular,
        "heart_failure": patients.heart_failure,
        "hypertension": patients.hypertension,
        "fracture": patients.fracture,
        "genital_infection": patients.genital_infection,
    }
    for k, (name, rows) in enumerate(past.items()):
        log.add(name, who[rows], minute[rows] - (400 + 30 * k) * MINUTES)
    record_genotype(log, patients, minute)


def record_genotype(log: EventLog, patients: Patients, minute: np.ndarray) -> None:
    """Record the copies of each variant's ALT allele of genotyped patients."""
    rows = np.flatnonzero(patients.is_genotyped)
    who, when = patients.subject_id[rows], minute[rows] - MINUTES
    for column, variant in enumerate(VARIANTS):
        log.add(variant.rsid, who, when, patients.genotype[rows, column].astype(float))


def record_examination(
    log: EventLog, patients: Patients, state: DiseaseState, draws: Draws, minute: np.ndarray
) -> dict[str, np.ndarray]:
    """Record examination and blood tests other than HbA1c; return the reported BMI and eGFR."""
    quarter, who = state.quarter, patients.subject_id

    def noise(name: str) -> np.ndarray:
        return draws.normal(f"noise {name}", quarter)

    def if_measured(name: str, value: np.ndarray) -> np.ndarray:
        return np.where(
            is_test_missed(patients, draws, name, MISSING[name], quarter), np.nan, value
        )

    pressure = np.where(state.option >= 0, PRESSURE[np.maximum(state.option, 0)], 0.0)
    mass = current_bmi(patients, state) * patients.height**2 + 0.7 * noise("weight")
    weight = if_measured("weight", mass)
    egfr = if_measured("egfr", state.egfr * np.exp(LAB_CV["egfr"] * noise("egfr")))
    values = {
        "weight": weight,
        "bmi": weight / patients.height**2,
        "systolic": if_measured("systolic", patients.systolic + pressure + 8 * noise("systolic")),
        "egfr": egfr,
        "alt": if_measured("alt", _alt(patients) * np.exp(LAB_CV["alt"] * noise("alt"))),
    }
    for name, true in _lipids(patients).items():
        values[name] = if_measured("lipids", true * np.exp(LAB_CV[name] * noise(name)))
    for name, value in values.items():
        log.add(name, who, minute, value, quarter)
    return {"bmi": values["bmi"], "egfr": egfr}


def record_questionnaires(
    log: EventLog, patients: Patients, quarter: int, draws: Draws, minute: np.ndarray
) -> None:
    """Record self-reported smoking, alcohol, activity, diet and adherence, once a year."""
    who = patients.subject_id

    def error(name: str) -> np.ndarray:
        return draws.normal(f"told {name}", quarter)

    for level, name in enumerate(SMOKING):
        rows = patients.smoking == level
        log.add(name, who[rows], minute[rows], quarter=quarter)
    activity = 3 + 1.6 * (patients.activity + ACTIVITY_SD * error("activity"))
    diet = 5 + 1.8 * (patients.diet + DIET_SD * error("diet"))
    adherence = 6 + 12 * (patients.adherence - 0.8) + ADHERENCE_SD * error("adherence")
    answers = {
        "alcohol": patients.alcohol * np.exp(0.2 * error("alcohol")),
        "activity": np.clip(activity, 0, 7),
        "diet": np.clip(diet, 0, 10),
        "adherence": np.clip(adherence, 0, 8),
    }
    for name, value in answers.items():
        log.add(name, who, minute, value, quarter)


def record_refills(
    log: EventLog, patients: Patients, state: DiseaseState, draws: Draws, minute: np.ndarray
) -> None:
    """Record the percentage of days covered by refills of the current second drug."""
    rows = np.flatnonzero(state.option >= 0)
    covered = 100 * patients.adherence + 5 * draws.normal("covered", state.quarter)
    who = patients.subject_id[rows]
    log.add("covered", who, minute[rows], np.clip(covered, 0, 100)[rows], state.quarter)


def record_devices(
    log: EventLog, patients: Patients, state: DiseaseState, draws: Draws, minute: np.ndarray
) -> None:
    """Record wearables' means over the two weeks before the visit: steps per day and glucose."""
    rows = np.flatnonzero(patients.has_wearable)
    some = select_rows(patients, rows)
    steps = mean_steps(some) * np.exp(0.12 * draws.normal("steps", state.quarter)[rows])
    log.add("steps", some.subject_id, minute[rows], steps, state.quarter)
    glucose = (
        mean_glucose(true_hba1c(patients, state)[rows])
        + 6 * draws.normal("sensor", state.quarter)[rows]
    )
    log.add("sensor_glucose", some.subject_id, minute[rows], glucose, state.quarter)


def mean_steps(patients: Patients) -> np.ndarray:
    """Steps a day by habit: about 6,000 in type 2 diabetes (Tudor-Locke 2002); spread is ours."""
    return 6000 * np.exp(0.3 * patients.activity)


def mean_glucose(percent_ifcc: np.ndarray) -> np.ndarray:
    """Mg/dL from HbA1c in mmol/mol: 28.7 x per cent - 46.7 (Nathan 2008, Diabetes Care 31:1473)."""
    return 28.7 * (percent_ifcc / 10.929 + 2.15) - 46.7


def _alt(patients: Patients) -> np.ndarray:
    return 30 * np.exp(0.45 * patients.alt)


def _lipids(patients: Patients) -> dict[str, np.ndarray]:
    return {
        "cholesterol": patients.cholesterol,
        "hdl": patients.hdl,
        "triglycerides": 1.9 * np.exp(0.5 * patients.triglycerides),
    }
