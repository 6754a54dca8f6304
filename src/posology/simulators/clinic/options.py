"""The five options added to metformin: doses, share of the effect at each dose, and costs."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

SGLT2, GLP1, DPP4, SU, TZD = range(5)
LEVELS = 3
"""Largest number of dose levels of an option; missing levels are NaN everywhere."""


@dataclass(frozen=True, slots=True)
class Option:
    """One drug class, by its most studied member."""

    name: str
    title: str
    ingredient: str
    rxnorm: str
    """RxNorm ingredient."""
    doses: tuple[float, ...]
    """Prescribed daily doses in mg, lowest first; label doses."""
    half: float
    """Dose, as a share of the largest, that would give half of the Emax curve's top."""
    unit_dose: float
    """Mg in one tablet or pen step, for tables of units."""
    yearly_cost: tuple[float, ...]
    """GBP a year at each dose. Round figures of the order of the NHS Drug Tariff of 2021 (branded
    newer classes, generic SU and TZD); our choice, not looked up line by line."""


# `half` is solved from the dose studies named: the share of the largest dose's fall in HbA1c.
OPTIONS: tuple[Option, ...] = (
    # Roden 2013 (Lancet Diabetes Endocrinol 1:208): 10 mg -0.74, 25 mg -0.85 %: 0.87.
    Option(
        "sglt2",
        "SGLT2 inhibitor (empagliflozin)",
        "empagliflozin",
        "1545653",
        (10.0, 25.0),
        0.11,
        5.0,
        (477.0, 477.0),
    ),
    # LEAD-1 and LEAD-2 (Marre 2009, Nauck 2009): 0.6 mg about 0.65 of 1.8 mg.
    Option(
        "glp1",
        "GLP-1 receptor agonist (liraglutide)",
        "liraglutide",
        "475968",
        (0.6, 1.2, 1.8),
        0.37,
        0.6,
        (478.0, 955.0, 1433.0),
    ),
    # Dose-ranging of sitagliptin (Scott 2007; Hanefeld 2007): 50 mg about 0.8 of 100 mg.
    Option(
        "dpp4",
        "DPP-4 inhibitor (sitagliptin)",
        "sitagliptin",
        "593411",
        (25.0, 50.0, 100.0),
        0.33,
        25.0,
        (434.0, 434.0, 434.0),
    ),
    # Goldberg 1996 (Diabetes Care 19:849): 1, 4, 8 mg: -1.2, -1.8, -1.9 %.
    Option(
        "su",
        "sulfonylurea (glimepiride)",
        "glimepiride",
        "25789",
        (1.0, 2.0, 4.0),
        0.24,
        1.0,
        (15.0, 18.0, 25.0),
    ),
    # Aronoff 2000 (Diabetes Care 23:1605): 15, 30, 45 mg, placebo-adjusted -1.0, -1.0, -1.6 %.
    Option(
        "tzd",
        "thiazolidinedione (pioglitazone)",
        "pioglitazone",
        "33738",
        (15.0, 30.0, 45.0),
        0.44,
        15.0,
        (18.0, 24.0, 30.0),
    ),
)
NAMES = tuple(option.name for option in OPTIONS)
METFORMIN = ("metformin", "6809", 500.0)
"""Name, RxNorm ingredient, mg in a tablet."""


def doses() -> Float64[np.ndarray, "treatment level"]:
    """Daily dose in mg of every level, NaN where an option has fewer."""
    return _padded([option.doses for option in OPTIONS])


def yearly_costs() -> Float64[np.ndarray, "treatment level"]:
    """GBP a year of every level, NaN where an option has fewer."""
    return _padded([option.yearly_cost for option in OPTIONS])


def dose_share(
    egfr: Float64[np.ndarray, " decision"],
) -> Float64[np.ndarray, "decision treatment level"]:
    """Share of the full effect at each dose: an Emax curve, 1 at the largest dose.

    Sitagliptin is cleared by the kidney: its label halves the dose below 45 mL/min/1.73 m2 and
    quarters it below 30 for the same exposure, so a dose there counts two- and fourfold.
    """
    table = doses()
    relative = np.repeat((table / np.nanmax(table, axis=1)[:, None])[None], len(egfr), axis=0)
    exposure = np.where(egfr < 30, 4.0, np.where(egfr < 45, 2.0, 1.0))
    relative[:, DPP4] = np.minimum(relative[:, DPP4] * exposure[:, None], 1.0)
    half = np.array([option.half for option in OPTIONS])[None, :, None]
    return (1 + half) * relative / (relative + half)


def _padded(rows: list[tuple[float, ...]]) -> Float64[np.ndarray, "treatment level"]:
    return np.array([row + (np.nan,) * (LEVELS - len(row)) for row in rows])
