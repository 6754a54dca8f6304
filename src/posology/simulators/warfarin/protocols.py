"""Warfarin protocols (a starting dose, then a nomogram), and clinicians who vary.

A protocol maps an observation of `care.py` to mg a day until the next visit.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from posology.simulators.rollout import Observation, ObservationPolicy
from posology.simulators.warfarin.care import DANGER, DOSES, EARLY_DAYS, FEATURES, HIGH, LOW
from posology.simulators.warfarin.pharmacology import CYP2C9, RACES, VKORC1

Protocol = Callable[[Observation], Float64[np.ndarray, " decision"]]

_TABLE = np.array(
    [
        [6.0, 6.0, 3.5, 3.5, 3.5, 1.25],  # G/G
        [6.0, 3.5, 3.5, 3.5, 1.25, 1.25],  # A/G
        [3.5, 3.5, 1.25, 1.25, 1.25, 1.25],  # A/A
    ]
)
"""mg a day by VKORC1 and CYP2C9: the middles of 5-7, 3-4 and 0.5-2 of the label's table, which
CPIC prints (Johnson et al. 2011, Clin Pharmacol Ther 90:625, table 1)."""


def fixed_dose(observation: Observation) -> Float64[np.ndarray, " decision"]:
    """5 mg a day, constant."""
    return np.full(len(observation), 5.0)


def standard_nomogram(observation: Observation) -> Float64[np.ndarray, " decision"]:
    """5 mg a day at first, then the nomogram."""
    return adjust_by_nomogram(observation, fixed_dose(observation))


def iwpc_nomogram(observation: Observation) -> Float64[np.ndarray, " decision"]:
    """The IWPC genetic formula (N Engl J Med 2009;360:753, appendix S1e), then the nomogram."""
    decades = np.floor(_column(observation, "age") / 10)
    root = (
        5.6044
        - 0.2614 * decades
        + 0.0087 * _column(observation, "height")
        + 0.0128 * _column(observation, "weight")
        + _codes(observation, "vkorc1", VKORC1) @ np.array([0.0, -0.8677, -1.6974])
        + _codes(observation, "cyp2c9", CYP2C9)
        @ np.array([0.0, -0.5211, -0.9357, -1.0616, -1.9206, -2.3312])
        + _codes(observation, "race", RACES) @ np.array([0.0, -0.1092, -0.2760, -0.1032])
        + 1.1816 * _column(observation, "inducer")
        - 0.5503 * _column(observation, "amiodarone")
    )
    return adjust_by_nomogram(observation, np.maximum(root, 0.0) ** 2 / 7)


def cpic_nomogram(observation: Observation) -> Float64[np.ndarray, " decision"]:
    """The genotype table that CPIC prints, then the nomogram."""
    vkorc1 = _codes(observation, "vkorc1", VKORC1)
    cyp2c9 = _codes(observation, "cyp2c9", CYP2C9)
    return adjust_by_nomogram(observation, np.einsum("dv,vc,dc->d", vkorc1, _TABLE, cyp2c9))


def adjust_by_nomogram(
    observation: Observation, start: Float64[np.ndarray, " decision"]
) -> Float64[np.ndarray, " decision"]:
    """The starting dose at the first visit, then changes of the maintenance dose by INR.

    Below 1.5: +15 %; 1.5 to 2: +10 %; 2 to 3: none; 3 to 4: -10 %; from 4 none is taken until
    the next visit in two days, and below 4 it restarts at -10 %, or at -15 % where the INR before
    was 5 or more. The ranges are those of common maintenance tables (Ebell 2005, Am Fam Physician
    71:1979, reviews them); the figures within them, no increase before day 8, when the INR has not
    yet responded to the dose, and a change of at least one step of 0.5 mg are choices of ours.
    """
    inr, day = _column(observation, "inr"), _column(observation, "day")
    maintenance = _column(observation, "maintenance")
    change = np.select([inr < 1.5, inr < LOW, inr <= HIGH], [1.15, 1.10, 1.0], 0.90)
    change = np.where((day < EARLY_DAYS) & (change > 1), 1.0, change)
    moved = np.where(
        change > 1,
        np.maximum(maintenance * change, maintenance + 0.5),
        np.where(change < 1, np.minimum(maintenance * change, maintenance - 0.5), maintenance),
    )
    restart = np.where(_column(observation, "previous_inr") >= 5, 0.85, 0.90) * maintenance
    held = (_column(observation, "dose") == 0) & (day > 0)
    dose = np.where(held, np.minimum(restart, maintenance - 0.5), moved)
    dose = np.maximum(dose, 0.5)
    return np.where(day == 0, start, np.where(inr >= DANGER, 0.0, dose))


@dataclass(frozen=True, slots=True)
class ClinicianMixture:
    """Clinicians as a mixture of protocols, drawn at every decision."""

    protocols: tuple[tuple[Protocol, float], ...] = (
        (standard_nomogram, 0.4),
        (iwpc_nomogram, 0.2),
        (cpic_nomogram, 0.4),
    )
    """Each protocol and its share."""
    noise: float = 0.5
    """Scale in mg a day of the two-sided exponential around the advice."""
    random_share: float = 0.03
    """Share of doses drawn uniformly."""


def clinician_policy(mixture: ClinicianMixture) -> ObservationPolicy:
    """A behaviour policy with known probabilities, above 0 for every dose."""

    def policy(observation: Observation) -> Float64[np.ndarray, "decision treatment"]:
        probability = np.full((len(observation), len(DOSES)), mixture.random_share / len(DOSES))
        for protocol, weight in mixture.protocols:
            distance = np.abs(DOSES[None, :] - round_dose(protocol(observation))[:, None])
            likely = np.exp(-distance / mixture.noise)
            likely /= likely.sum(axis=1, keepdims=True)
            probability += (1 - mixture.random_share) * weight * likely
        return probability / probability.sum(axis=1, keepdims=True)

    return policy


def follow_protocol(protocol: Protocol) -> ObservationPolicy:
    """A policy that follows a protocol, rounded to the nearest of DOSES."""

    def policy(observation: Observation) -> Float64[np.ndarray, "decision treatment"]:
        row = np.round(round_dose(protocol(observation)) / DOSES[1]).astype(np.int64)
        return np.eye(len(DOSES))[row]

    return policy


def round_dose(dose: Float64[np.ndarray, " decision"]) -> Float64[np.ndarray, " decision"]:
    """The nearest of DOSES."""
    return np.clip(np.round(dose / DOSES[1]) * DOSES[1], DOSES[0], DOSES[-1])


def _column(observation: Observation, name: str) -> Float64[np.ndarray, " decision"]:
    return observation[:, FEATURES.index(name)]


def _codes(
    observation: Observation, family: str, names: tuple[str, ...]
) -> Float64[np.ndarray, "decision code"]:
    first = FEATURES.index(f"{family} {names[0]}")
    return observation[:, first : first + len(names)]
