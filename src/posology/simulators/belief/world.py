"""Patients whose disease is seen only through noisy visits, and drugs that suit some of them.

A hidden state is a lasting type (which drugs work, which are tolerated) and a level of disease
from remission upwards. At each visit symptoms, a marker of the type and adverse events are seen.
Numbers are ours, drawn at random by seed; they stand for no disease.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from posology.simulators.belief.emissions import SYMPTOMS, symptom_probabilities

Belief = Float64[np.ndarray, "subject state"]
"""Probability of each hidden state; rows sum to 1."""
Symbols = Int64[np.ndarray, " subject"]
"""What a visit shows, as one number."""

MARKERS, ADVERSE = 3, 2
FEATURES = ("month", "symptoms", "marker", "adverse")
"""Columns of an observation; `adverse` is 1 if an adverse event followed the last drug."""
MONTHS_BETWEEN_VISITS = 3.0
EVEN = 3.0
DEATH_REWARD, ADVERSE_REWARD, SYMPTOM_REWARD = -20.0, -6.0, -5.0
"""Of a death, an adverse event, and each point of symptoms above `EVEN` (fewer: gained)."""


@dataclass(frozen=True, slots=True)
class WorldShape:
    """Size of a world."""

    types: int = 6
    levels: int = 4
    """Of disease; level 0 is remission."""
    drugs: int = 5
    """Beside watchful waiting, which is treatment 0."""
    visits: int = 8
    """At most."""
    leave: float = 0.08
    """Chance of leaving after each visit, whatever the state."""


STANDARD = WorldShape()


@dataclass(frozen=True, slots=True, eq=False)
class BeliefWorld:
    """One instance; states are type * levels + level."""

    shape: WorldShape
    start: Float64[np.ndarray, " state"]
    death: Float64[np.ndarray, " state"]
    """Chance of dying before the next visit."""
    move: Float64[np.ndarray, "treatment state state"]
    """Chance of the next state, if alive; rows sum to 1."""
    first_symbol: Float64[np.ndarray, "state symbol"]
    """Chance of what the first visit shows."""
    symbol: Float64[np.ndarray, "treatment state symbol"]
    """Chance of what a visit shows, by the drug before it and the state at it."""
    reward: Float64[np.ndarray, " symbol"]
    """Of a visit that shows it."""

    @property
    def treatments(self) -> tuple[str, ...]:
        """Names of the treatments."""
        return ("watch", *(f"drug{number}" for number in range(1, self.shape.drugs + 1)))


def draw_world(seed: int, shape: WorldShape = STANDARD) -> BeliefWorld:
    """A world at random: each type has a drug that works, and often one it does not tolerate."""
    rng = np.random.default_rng([seed, 20_261_128])
    types, levels, treatments = shape.types, shape.levels, shape.drugs + 1
    works = rng.uniform(0.02, 0.2, (types, treatments))
    best = np.append(rng.permutation(shape.drugs), rng.integers(shape.drugs, size=types))[:types]
    works[np.arange(types), 1 + best] = rng.uniform(0.7, 0.9, types)
    works[:, 0] = 0.05
    harms = rng.uniform(0.02, 0.15, (types, treatments))
    harms[np.arange(types), rng.integers(1, treatments, types)] = rng.uniform(0.3, 0.6, types)
    harms[:, 0] = 0.01
    marker = np.full((types, MARKERS), 0.15)
    marker[np.arange(types), rng.permutation(types) % MARKERS] = 0.7
    symptoms = symptom_probabilities(levels)
    by_level = np.linspace(0.0, 1.0, levels)
    return BeliefWorld(
        shape=shape,
        start=np.outer(rng.dirichlet(np.full(types, 8.0)), _start_levels(levels)).ravel(),
        death=np.tile(0.08 * by_level**3, types),
        move=_move(works, levels),
        first_symbol=_symbol(symptoms, marker, np.zeros(types)),
        symbol=np.stack([_symbol(symptoms, marker, harms[:, a]) for a in range(treatments)]),
        reward=_reward(),
    )


def _start_levels(levels: int) -> Float64[np.ndarray, " level"]:
    weight = np.arange(levels, dtype=np.float64)  # nobody comes in remission
    return weight / weight.sum()


def _move(works: np.ndarray, levels: int) -> np.ndarray:
    """A drug that works lowers the level by one; else it may rise by one."""
    types, treatments = works.shape
    move = np.zeros((treatments, types, levels, types, levels))
    for level in range(levels):
        better, worse = max(level - 1, 0), min(level + 1, levels - 1)
        for kind in range(types):
            helped = works[kind]
            move[:, kind, level, kind, better] += helped
            move[:, kind, level, kind, worse] += (1 - helped) * 0.35
            move[:, kind, level, kind, level] += (1 - helped) * 0.65
    return move.reshape(treatments, types * levels, types * levels)


def _symbol(symptoms: np.ndarray, marker: np.ndarray, harm: np.ndarray) -> np.ndarray:
    """Chance of each symbol by state; symptoms, marker and adverse event are independent."""
    adverse = np.stack([1 - harm, harm], axis=1)
    joint = np.einsum("ls,km,kv->klsmv", symptoms, marker, adverse)
    return joint.reshape(len(marker) * len(symptoms), -1)


def _reward() -> Float64[np.ndarray, " symbol"]:
    shown = show(np.arange(SYMPTOMS * MARKERS * ADVERSE))
    return SYMPTOM_REWARD * (shown[:, 0] - EVEN) + ADVERSE_REWARD * shown[:, 2]


def show(symbol: Symbols) -> Float64[np.ndarray, "subject 3"]:
    """Symptoms, marker and adverse event of each symbol."""
    columns = np.unravel_index(symbol, (SYMPTOMS, MARKERS, ADVERSE))
    return np.stack(columns, axis=1).astype(np.float64)


def read_symbol(observation: Float64[np.ndarray, "subject feature"]) -> Symbols:
    """The symbol of each observation."""
    columns = tuple(observation[:, 1:].astype(np.int64).T)
    return np.ravel_multi_index(columns, (SYMPTOMS, MARKERS, ADVERSE)).astype(np.int64)


def read_visit(observation: Float64[np.ndarray, "subject feature"]) -> int:
    """The number of the visit, from 0; all patients are at the same one."""
    return round(float(observation[0, 0]) / MONTHS_BETWEEN_VISITS)
