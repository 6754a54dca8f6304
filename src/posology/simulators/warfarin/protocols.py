"""How warfarin is dosed today: a starting dose, then a nomogram; and clinicians who vary.

Each protocol reads an observation of `warfarin_course` and answers mg a day until the next visit.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from posology.simulators.warfarin.care import DANGER, DOSES, EARLY, FEATURES, HIGH, LOW, Act
from posology.simulators.warfarin.pharmacology import CYP2C9, RACES, VKORC1

Observation = Float64[np.ndarray, "decision feature"]
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


def fixed(observation: Observation) -> Float64[np.ndarray, " decision"]:
    """5 mg a day, whatever happens."""
    return np.full(len(observation), 5.0)


def standard(observation: Observation) -> Float64[np.ndarray, " decision"]:
    """5 mg a day to start with, then the nomogram."""
    return nomogram(observation, fixed(observation))


def iwpc(observation: Observation) -> Float64[np.ndarray, " decision"]:
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
    return nomogram(observation, np.maximum(root, 0.0) ** 2 / 7)


def cpic(observation: Observation) -> Float64[np.ndarray, " decision"]:
    """The genotype table that CPIC prints, then the nomogram."""
    vkorc1 = _codes(observation, "vkorc1", VKORC1)
    cyp2c9 = _codes(observation, "cyp2c9", CYP2C9)
    return nomogram(observation, np.einsum("dv,vc,dc->d", vkorc1, _TABLE, cyp2c9))


def nomogram(
    observation: Observation, start: Float64[np.ndarray, " decision"]
) -> Float64[np.ndarray, " decision"]:
    """The starting dose at the first visit, then changes of the maintenance dose by INR.

    Below 1.5: +15 %; 1.5 to 2: +10 %; 2 to 3: none; 3 to 4: -10 %; from 4 none is taken until
    the next visit in two days, and below 4 it restarts at -10 %, or at -15 % where the INR before
    was 5 or more. The ranges are those of common maintenance tables (Ebell 2005, Am Fam Physician
    71:1979, reviews them); the figures within them, no increase before day 8, when the INR has not
    yet answered to the dose, and a change of at least one step of 0.5 mg are choices of ours.
    """
    inr, day = _column(observation, "inr"), _column(observation, "day")
    kept = _column(observation, "maintenance")
    change = np.select([inr < 1.5, inr < LOW, inr <= HIGH], [1.15, 1.10, 1.0], 0.90)
    change = np.where((day < EARLY) & (change > 1), 1.0, change)
    moved = np.where(
        change > 1,
        np.maximum(kept * change, kept + 0.5),
        np.where(change < 1, np.minimum(kept * change, kept - 0.5), kept),
    )
    restart = np.where(_column(observation, "previous_inr") >= 5, 0.85, 0.90) * kept
    held = (_column(observation, "dose") == 0) & (day > 0)
    dose = np.where(held, np.minimum(restart, kept - 0.5), moved)
    dose = np.maximum(dose, 0.5)
    return np.where(day == 0, start, np.where(inr >= DANGER, 0.0, dose))


@dataclass(frozen=True, slots=True)
class Habits:
    """Clinicians as a mixture, drawn anew at every decision."""

    protocols: tuple[tuple[Protocol, float], ...] = ((standard, 0.4), (iwpc, 0.2), (cpic, 0.4))
    """Whose advice is followed how often."""
    noise: float = 0.5
    """Scale in mg a day of the two-sided exponential around the advice."""
    careless: float = 0.03
    """How often any dose whatever is given."""


def clinicians(habits: Habits) -> Act:
    """Behaviour with known probabilities: every dose has one above 0."""

    def act(observation: Observation) -> Float64[np.ndarray, "decision treatment"]:
        chances = np.full((len(observation), len(DOSES)), habits.careless / len(DOSES))
        for protocol, weight in habits.protocols:
            distance = np.abs(DOSES[None, :] - rounded(protocol(observation))[:, None])
            likely = np.exp(-distance / habits.noise)
            likely /= likely.sum(axis=1, keepdims=True)
            chances += (1 - habits.careless) * weight * likely
        return chances / chances.sum(axis=1, keepdims=True)

    return act


def obey(protocol: Protocol) -> Act:
    """A protocol followed to the letter, its dose rounded to what can be given."""

    def act(observation: Observation) -> Float64[np.ndarray, "decision treatment"]:
        row = np.round(rounded(protocol(observation)) / DOSES[1]).astype(np.int64)
        return np.eye(len(DOSES))[row]

    return act


def rounded(dose: Float64[np.ndarray, " decision"]) -> Float64[np.ndarray, " decision"]:
    """The nearest dose that can be given."""
    return np.clip(np.round(dose / DOSES[1]) * DOSES[1], DOSES[0], DOSES[-1])


def _column(observation: Observation, name: str) -> Float64[np.ndarray, " decision"]:
    return observation[:, FEATURES.index(name)]


def _codes(
    observation: Observation, family: str, names: tuple[str, ...]
) -> Float64[np.ndarray, "decision code"]:
    first = FEATURES.index(f"{family} {names[0]}")
    return observation[:, first : first + len(names)]
