"""Kidney function from creatinine, by the two formulas that guide dosing."""

import numpy as np
from jaxtyping import Bool, Float64

Number = Float64[np.ndarray, " _"]
Female = Bool[np.ndarray, " _"]

CKD_EPI = "FORMULA//ckd_epi_2021"
COCKCROFT_GAULT = "FORMULA//cockcroft_gault"
"""Codes of the events that hold their results."""
UMOL_PER_MG_DL = 88.42
"""Micromoles a litre in one milligram a decilitre: the molar mass of creatinine is 113.12 g/mol."""
ADULT = 18.0
"""Years; both formulas are for adults."""


def ckd_epi_2021(creatinine: Number, age: Number, female: Female) -> Number:
    """Estimated GFR in mL/min/1.73 m2; creatinine in mg/dL, age in years. NaN below 18 years.

    Inker and others 2021, N Engl J Med 385:1737 (doi:10.1056/NEJMoa2102953), without race.
    """
    ratio = creatinine / np.where(female, 0.7, 0.9)
    power = np.where(ratio < 1, np.where(female, -0.241, -0.302), -1.200)
    gfr = 142 * ratio**power * 0.9938**age * np.where(female, 1.012, 1.0)
    return np.where(age >= ADULT, gfr, np.nan)


def cockcroft_gault(creatinine: Number, age: Number, weight: Number, female: Female) -> Number:
    """Creatinine clearance in mL/min; creatinine in mg/dL, age in years, actual weight in kg.

    Cockcroft and Gault 1976, Nephron 16:31 (doi:10.1159/000180580). NaN below 18 years.
    """
    clearance = np.maximum(140 - age, 0) * weight / (72 * creatinine) * np.where(female, 0.85, 1.0)
    return np.where(age >= ADULT, clearance, np.nan)
