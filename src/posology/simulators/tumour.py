"""Tumours under chemotherapy and radiotherapy, with every counterfactual.

Model of Geng, Paganetti and Grassberger 2017 (Sci Rep 7:13542), in the form of Lim, Alaa and van
der Schaar 2018 (NeurIPS, recurrent marginal structural networks), a benchmark of later networks.
Volumes in cm^3, days, Gy; treatments are 0 none, 1 chemotherapy, 2 radiotherapy, 3 both.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

DAYS = 60
DEATH_CM, CAPACITY_CM = 13.0, 30.0
CELLS = 5.8e8
"""Cells in a cm^3."""
NOISE = 0.01
CHEMOTHERAPY, RADIOTHERAPY = 5.0, 2.0
"""Concentration per dose of chemotherapy, and Gy per fraction of radiotherapy."""
NAMES = ("none", "chemotherapy", "radiotherapy", "both")

_STAGES = np.array([1432, 128, 1306, 7248, 12840]) / 22954  # I, II, IIIA, IIIB, IV
_DIAMETER = np.array(  # mu, sigma of the logarithm, lowest and highest cm, by stage
    [
        [1.72, 4.70, 0.3, 5.0],
        [1.96, 1.63, 0.3, 13.0],
        [1.91, 9.40, 0.3, 13.0],
        [2.76, 6.87, 0.3, 13.0],
        [3.86, 8.82, 0.3, 13.0],
    ]
)
_ALPHA, _ALPHA_SD, _RHO, _RHO_SD, _CORRELATION = 0.0398, 0.168, 7e-5, 7.23e-3, 0.87
_CHEMO, _CHEMO_SD = 0.028, 0.0007


@dataclass(frozen=True, slots=True, eq=False)
class Tumours:
    """Growth and treatment response of each tumour."""

    kind: Int64[np.ndarray, " subject"]
    """1, 2 or 3, observed: type 1 responds more to radiotherapy, type 3 to chemotherapy."""
    alpha: Float64[np.ndarray, " subject"]
    """Radiosensitivity, 1/Gy; the quadratic one is a tenth of it, 1/Gy^2."""
    rho: Float64[np.ndarray, " subject"]
    """Growth, 1/day."""
    chemo: Float64[np.ndarray, " subject"]
    """Kill by a unit of chemotherapy's concentration, 1/day."""
    volume: Float64[np.ndarray, " subject"]
    """At day 0."""


@dataclass(frozen=True, slots=True, eq=False)
class TumourTrajectories:
    """Volume and treatment on each day; not active after death or remission."""

    volume: Float64[np.ndarray, "subject day"]
    treatment: Int64[np.ndarray, "subject day"]
    logged_probability: Float64[np.ndarray, "subject day"]
    """Probability of the chosen treatment."""
    active: Bool[np.ndarray, "subject day"]
    next_volume: Float64[np.ndarray, "subject day treatment"]
    """The next day's volume under every treatment, with the same chance events."""


def sphere_volume(diameter: np.ndarray | float) -> np.ndarray:
    """Volume of a sphere."""
    return np.asarray(np.pi / 6 * np.asarray(diameter, np.float64) ** 3)


def draw_tumours(count: int, rng: np.random.Generator) -> Tumours:
    """New patients, a third of each type."""
    kind = rng.integers(1, 4, size=count)
    covariance = _CORRELATION * _ALPHA_SD * _RHO_SD
    spread = [[_ALPHA_SD**2, covariance], [covariance, _RHO_SD**2]]
    pair = np.full((count, 2), -1.0)
    while np.any(bad := (pair <= 0).any(axis=1)):
        pair[bad] = rng.multivariate_normal([_ALPHA, _RHO], spread, size=int(bad.sum()))
    chemo = np.maximum(rng.normal(_CHEMO, _CHEMO_SD, count), 0.0)
    stage = rng.choice(len(_STAGES), p=_STAGES, size=count)
    mu, sigma, low, high = _DIAMETER[stage].T
    diameter = np.zeros(count)
    while np.any(bad := (diameter <= low) | (diameter >= high)):
        diameter[bad] = np.exp(rng.normal(mu[bad], sigma[bad]))
    return Tumours(
        kind=kind,
        alpha=pair[:, 0] + 0.1 * _ALPHA * (kind == 1),
        rho=pair[:, 1],
        chemo=chemo + 0.1 * _CHEMO * (kind == 3),
        volume=sphere_volume(diameter),
    )


def next_volume(
    tumours: Tumours,
    volume: Float64[np.ndarray, " subject"],
    concentration: Float64[np.ndarray, " subject"],
    radiation: Float64[np.ndarray, " subject"],
    noise: Float64[np.ndarray, " subject"],
) -> Float64[np.ndarray, " subject"]:
    """Volume after a day (Lim et al. 2018, eq. 11), at least 0."""
    return np.maximum(unbounded_volume(tumours, volume, concentration, radiation, noise), 0.0)


def unbounded_volume(
    tumours: Tumours,
    volume: Float64[np.ndarray, " subject"],
    concentration: Float64[np.ndarray, " subject"],
    radiation: Float64[np.ndarray, " subject"],
    noise: Float64[np.ndarray, " subject"],
) -> Float64[np.ndarray, " subject"]:
    """The equation itself, which can fall below 0 where radiotherapy kills more than there is."""
    safe = np.maximum(volume, 1e-12)
    growth = tumours.rho * np.log(sphere_volume(CAPACITY_CM) / safe)
    kill = tumours.chemo * concentration + tumours.alpha * (radiation + radiation**2 / 10)
    return volume * (1 + growth - kill + noise)


def simulate_tumours(
    tumours: Tumours, confounding: float, rng: np.random.Generator
) -> TumourTrajectories:
    """Sixty days in which larger tumours are treated more often, by the confounding (gamma).

    Each treatment has probability sigmoid(gamma / 13 cm * (mean diameter of the last 15
    days - 6.5 cm)).
    """
    n = len(tumours.kind)
    volume, treatment = np.zeros((n, DAYS)), np.zeros((n, DAYS), np.int64)
    logged, following = np.ones((n, DAYS)), np.zeros((n, DAYS, len(NAMES)))
    active = np.zeros((n, DAYS), dtype=bool)
    now, going, concentration = tumours.volume, np.ones(n, dtype=bool), np.zeros(n)
    for day in range(DAYS):
        volume[:, day], active[:, day] = now, going
        recent = np.cbrt(volume[:, max(0, day - 14) : day + 1] * 6 / np.pi).mean(axis=1)
        chance = 1 / (1 + np.exp(-confounding / DEATH_CM * (recent - DEATH_CM / 2)))
        chemo, radio = rng.random(n) < chance, rng.random(n) < chance
        treatment[:, day] = chemo + 2 * radio
        logged[:, day] = np.where(chemo, chance, 1 - chance) * np.where(radio, chance, 1 - chance)
        noise, luck = rng.normal(0, NOISE, n), rng.random(n)
        left = concentration / 2  # half-life of a day
        for option in range(len(NAMES)):
            level = left + CHEMOTHERAPY * (option % 2)
            dose = np.full(n, RADIOTHERAPY * (option // 2))
            after = next_volume(tumours, now, level, dose, noise)
            following[:, day, option] = np.where(luck < np.exp(-after * CELLS), 0.0, after)
        concentration = left + CHEMOTHERAPY * chemo
        now = following[np.arange(n), day, treatment[:, day]]
        going = going & (now < sphere_volume(DEATH_CM)) & (now > 0)
    return TumourTrajectories(volume, treatment, logged, active, following)
