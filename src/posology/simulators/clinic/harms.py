"""Harms of each option and dose over six months, and stopping for intolerance.

Background rates and ratios are from the sources named; where a source gives yearly or five-year
figures they are converted to six months. Coefficients without a source are our choice.
"""

import numpy as np
from jaxtyping import Float64
from scipy.special import ndtr, ndtri

from posology.simulators.clinic.disease import DiseaseState
from posology.simulators.clinic.genome import count_lost_cyp2c9
from posology.simulators.clinic.options import GLP1, LEVELS, OPTIONS, SGLT2, SU, TZD
from posology.simulators.clinic.population import Patients

HARMS = ("hypoglycaemia", "genital_infection", "heart_failure", "fracture")

STOPPING = np.array([0.05, 0.10, 0.02, 0.04, 0.06])
"""P(stopping for intolerance within six months) at the middle dose. GLP-1 agonists: withdrawals for
adverse events 5-11 % (LEAD-2, Nauck 2009; GRADE); SGLT2: mostly genital infection (Nyirjesy 2014:
few stop, routine care more); DPP-4 as placebo; SU hypoglycaemia; TZD oedema and weight. The
levels are rounded up from trials to routine care, where more stop: our choice."""
LIABILITY_WEIGHT = 0.7
"""Probit weight of a patient's lasting tendency to intolerance, so that about a third of
the variance recurs with the same class; our choice."""
DOSE_WEIGHT = np.array([0.05, 0.20, 0.0, 0.20, 0.20])
"""Probit units per dose level above the middle: nausea, hypoglycaemia and oedema grow with dose."""
TOLERATED_SHIFT = -0.8
"""Probit shift after a quarter on the class without stopping: such patients rarely stop later."""

Risk = Float64[np.ndarray, "decision treatment level"]


def stopping_risks(patients: Patients, state: DiseaseState) -> Risk:
    """P(stopping for intolerance within six months) of every option and dose."""
    spread = np.sqrt(1 + LIABILITY_WEIGHT**2)
    probit = spread * ndtri(STOPPING) + LIABILITY_WEIGHT * patients.liability
    lost = count_lost_cyp2c9(patients.genotype)
    # Genital infection: women about three times men, and patients with an earlier one.
    probit[:, SGLT2] += 0.35 * (patients.female - 0.42) + 0.6 * state.genital_infection
    probit[:, GLP1] += 0.15 * (patients.female - 0.42)  # nausea: more in women
    probit[:, SU] += 0.15 * (lost == 1) + 0.5 * (lost == 2) + 0.3 * (state.egfr < 45)
    probit[:, TZD] += 0.02 * (patients.bmi - 32) + 0.3 * (patients.female - 0.42)  # Dennis 2018
    probit += TOLERATED_SHIFT * state.tolerated
    steps = np.arange(LEVELS) - 1.0
    return ndtr((probit[:, :, None] + DOSE_WEIGHT[None, :, None] * steps) / 1.0)


def harm_risks(
    patients: Patients, state: DiseaseState
) -> Float64[np.ndarray, "decision treatment level harm"]:
    """P(each harm within six months) of every option and dose."""
    parts = (
        _hypoglycaemia(patients, state),
        _genital_infection(patients, state),
        _heart_failure(patients, state),
        _fracture(patients, state),
    )
    return np.stack([np.clip(part, 0.0, 0.9) for part in parts], axis=-1)


def _every(rate: np.ndarray, ratio: np.ndarray) -> Risk:
    """Background risk times the risk ratio of each option, the same at every dose."""
    return np.repeat((rate[:, None] * ratio)[:, :, None], LEVELS, axis=2)


def _hypoglycaemia(patients: Patients, state: DiseaseState) -> Risk:
    """Symptomatic. Sulfonylureas several-fold (Mearns 2015: odds ratio 4 and more); CYP2C9 *3
    and impaired kidney raise it (Holstein 2005, Br J Clin Pharmacol 60:103), so does alcohol."""
    age = patients.age + state.quarter / 4
    out = _every(0.008 * np.exp(0.02 * (age - 59)), np.array([1.0, 1.2, 1.1, 6.0, 1.0]))
    lost = count_lost_cyp2c9(patients.genotype)
    factor = (1 + 0.4 * (lost == 1) + 1.5 * (lost == 2)) * (1 + 0.6 * (state.egfr < 60))
    factor *= 1 + 0.02 * np.minimum(patients.alcohol, 40)
    out[:, SU] *= factor[:, None] * np.array([0.7, 1.0, 1.5])
    return out


def _genital_infection(patients: Patients, state: DiseaseState) -> Risk:
    """Background 1 % (women) and 0.3 % (men) in six months, three- to fourfold on SGLT2 inhibitors
    (Mearns 2015: 2.2-8.0; Dave 2019, Ann Intern Med 171:248)."""
    rate = np.where(patients.female, 0.012, 0.004) * np.where(state.genital_infection, 3.0, 1.0)
    return _every(rate, np.array([3.8, 1.0, 1.0, 1.0, 1.0]))


def _heart_failure(patients: Patients, state: DiseaseState) -> Risk:
    """Hospital admission. Pioglitazone 1.4-1.7 (Lago 2007, Lancet 370:1129); SGLT2 inhibitors 0.69
    (Zelniker 2019, Lancet 393:31); others 1."""
    age = patients.age + state.quarter / 4
    rate = 0.0015 * np.exp(0.06 * (age - 59) + 0.03 * (patients.bmi - 32) + 0.7 * patients.vascular)
    rate *= np.where(state.heart_failure, 8.0, 1.0)
    return _every(np.minimum(rate, 0.3), np.array([0.69, 1.0, 1.0, 1.0, 1.6]))


def _fracture(patients: Patients, state: DiseaseState) -> Risk:
    """Thiazolidinediones double fractures in women and not in men (Loke 2009, CMAJ 180:32)."""
    age = patients.age + state.quarter / 4
    rate = np.where(patients.female, 0.006, 0.0035) * np.exp(0.03 * (age - 59))
    out = _every(rate * np.where(state.fracture, 2.0, 1.0), np.ones(len(OPTIONS)))
    out[:, TZD] *= np.where(patients.female, 2.2, 1.0)[:, None]
    return out
