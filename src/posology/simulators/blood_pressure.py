"""Made-up patients with high blood pressure, one row each: the table of a first project.

Two drugs; which one is better depends on age, and clinicians choose by age, so that the raw
difference between the drugs misleads. More of either lowers the pressure, with less gain each time.
No figure is of a real patient or drug.
"""

import csv
import io
from datetime import date, timedelta

import numpy as np

DRUGS = ("alphalol", "betapril")
"""Invented names."""
AFTER_DAYS = 84
"""From entry to the outcome."""
_ENTERED = date(2024, 1, 1)
_SLOPE = 0.35
"""mmHg a year of age, by which betapril's effect falls and alphalol's rises (made up)."""


def blood_pressure_table(patients: int, rng: np.random.Generator, doses: bool = False) -> str:
    """The table as CSV: one row a patient, 5 % of them without the outcome.

    doses: whether a column has the daily dose in mg, 5 to 40; without it all take the same dose.
    """
    age = rng.integers(30, 86, patients)
    female = rng.random(patients) < 0.5
    smoker = rng.random(patients) < 0.25
    bmi = np.round(rng.normal(27, 4, patients).clip(17, 45), 1)
    before = np.round(rng.normal(158, 10, patients).clip(140, 200))
    takes_second = rng.random(patients) < 1 / (1 + np.exp(0.05 * (age - 58)))
    dose = rng.choice([5.0, 10.0, 20.0, 40.0], patients)
    strength = np.log2(dose / 5) - 1.0 if doses else np.zeros(patients)
    effect = 14 + _SLOPE * (age - 58) * np.where(takes_second, -1, 1) + 4 * strength
    after = np.round(before - effect + 0.2 * (bmi - 27) + rng.normal(0, 8, patients))
    missing = rng.random(patients) < 0.05
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        ["patient", "entered", "drug"]
        + ["dose_mg"] * doses
        + ["age_years", "sex", "smoker", "bmi", "sbp_mmHg", "sbp_after_mmHg", "measured"]
    )
    for i in range(patients):
        entered = _ENTERED + timedelta(days=int(i % 365))
        measured = "" if missing[i] else (entered + timedelta(days=AFTER_DAYS)).isoformat()
        writer.writerow(
            [f"P{i + 1:04d}", entered.isoformat(), DRUGS[int(takes_second[i])]]
            + [f"{dose[i]:g}"] * doses
            + [age[i], "female" if female[i] else "male", "yes" if smoker[i] else "no"]
            + [bmi[i], f"{before[i]:g}", "" if missing[i] else f"{after[i]:g}", measured]
        )
    return text.getvalue()
