"""Doses of one medicine with known dose-response curves.

Our own equations: an outcome with one best dose, and a threshold above which harm grows fast.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from posology.errors import UserError

SETTINGS = ("randomised", "clinicians")
"""Uniform doses from 0 to 1, or chosen by clinicians: a narrow range, confounded."""
NOISE = 0.5
"""Standard deviation of the outcome around its expectation."""

Column = Float64[np.ndarray, " subject"]


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """Six standard normal covariates, a dose in 0 to 1, and the outcome."""

    covariates: Float64[np.ndarray, "subject feature"]
    dose: Column
    outcome: Column
    """Higher is better."""


def draw_sample(setting: str, n: int, rng: np.random.Generator) -> Sample:
    """Patients of one of SETTINGS."""
    if setting not in SETTINGS:
        raise UserError(f"setting {setting!r}: choose one of {', '.join(SETTINGS)}")
    x = rng.normal(size=(n, 6))
    chosen = 1 / (1 + np.exp(-(0.9 * x[:, 0] - 0.6 * x[:, 1] + rng.normal(0, 0.45, n))))
    dose = rng.random(n) if setting == "randomised" else chosen
    return Sample(x, dose, expected_outcome(x, dose) + rng.normal(0, NOISE, n))


def best_dose(x: Float64[np.ndarray, "subject feature"]) -> Column:
    """The dose with the highest expected outcome; it is never toxic."""
    return 1 / (1 + np.exp(-(0.9 * x[:, 0] - 0.6 * x[:, 1] + 0.4 * x[:, 2] * x[:, 3])))


def toxic_threshold(x: Float64[np.ndarray, "subject feature"]) -> Column:
    """The dose from which harm grows; above 1 where no dose is toxic."""
    return np.clip(best_dose(x) + 0.22 + 0.08 * np.tanh(x[:, 4]), 0, 1.2)


def expected_outcome(x: Float64[np.ndarray, "subject feature"], dose: Column) -> Column:
    """Mean outcome of a dose."""
    width = 6 * np.exp(0.3 * x[:, 1])
    level = x[:, 0] + 0.5 * x[:, 5] - 0.8 * x[:, 4]
    excess = np.maximum(dose - toxic_threshold(x), 0)
    return level - width * (dose - best_dose(x)) ** 2 - 100 * excess**2


def regret(x: Float64[np.ndarray, "subject feature"], dose: Column) -> float:
    """Mean loss of outcome compared with the best dose of each patient."""
    return float((expected_outcome(x, best_dose(x)) - expected_outcome(x, dose)).mean())
