"""Usual care: a sensible clinician who remembers the last visit, not the whole history."""

import numpy as np
from jaxtyping import Float64

from posology.simulators.belief.world import MARKERS, BeliefWorld, Symbols
from posology.simulators.rollout import MemoryPolicy

CONTINUE_IF_BETTER, CONTINUE_IF_NOT, CONTINUE_IF_ADVERSE = 0.75, 0.4, 0.15
CONTROLLED = 1
"""Symptoms at which a drug counts as working."""
WATCH, TRUST = 0.08, 2.0
"""Share of watchful waiting, and how far a clinician trusts what a drug does on average for
patients with the marker (times the difference in its chance of working)."""


def usual_care(world: BeliefWorld) -> MemoryPolicy:
    """A new memory of the last visit's symptoms; the policy must be called at each visit.

    A drug is continued more often than not if symptoms fell or are few, less often otherwise and
    rarely after an adverse event; a new one is chosen by the marker, with much variation.
    """
    by_marker = _preferences(world)
    remembered: dict[str, np.ndarray] = {}

    def choose(
        observation: Float64[np.ndarray, "subject feature"], subject: Symbols, last: Symbols
    ) -> Float64[np.ndarray, "subject treatment"]:
        symptoms, adverse = observation[:, 1], observation[:, 3] > 0
        new = by_marker[observation[:, 2].astype(np.int64)].copy()
        before = remembered.get("symptoms", np.zeros(0))
        if len(before) <= subject.max():
            before = np.append(before, np.full(subject.max() + 1 - len(before), np.inf))
        is_better = (symptoms < before[subject]) | (symptoms <= CONTROLLED)
        before[subject] = symptoms
        remembered["symptoms"] = before
        stay = np.where(is_better, CONTINUE_IF_BETTER, CONTINUE_IF_NOT)
        stay = np.where(adverse, CONTINUE_IF_ADVERSE, stay)
        rows = np.flatnonzero(last >= 0)
        new[rows] *= (1 - stay[rows])[:, None]
        new[rows, last[rows]] += stay[rows]
        return new

    return choose


def _preferences(world: BeliefWorld) -> Float64[np.ndarray, "marker treatment"]:
    """Chance of each new treatment by marker: softmax of what it does on average."""
    types, levels = world.shape.types, world.shape.levels
    move = world.move.reshape(-1, types, levels, types, levels)
    works = move[:, np.arange(types), 1, np.arange(types), 0].T  # from level 1 to remission
    shows = world.first_symbol.reshape(types, levels, -1, MARKERS, 2).sum((2, 4))[:, 0]
    weight = world.start.reshape(types, levels).sum(1)[:, None] * shows
    average = (weight / weight.sum(0)).T @ works
    score = np.exp(TRUST * average[:, 1:])
    drugs = (1 - WATCH) * score / score.sum(1, keepdims=True)
    return np.hstack([np.full((MARKERS, 1), WATCH), drugs])
