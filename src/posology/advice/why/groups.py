"""Facts that say nearly the same, found on training patients: one reason, moved together.

Weight and body mass index, or HbA1c and the glucose sensor, share what they do: each alone, with
the other one held, seems to do little.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from posology.advice.why.facts import (
    GRID,
    NUMBER,
    SMALLEST_CELL,
    Fact,
    fact_numbers,
    latest_events,
)
from posology.domain.cohort import Cohort

LINKED = 0.7
"""Correlation from which on two facts are one reason: half of either's variance is the other's. Our
choice."""


@dataclass(frozen=True, slots=True)
class FactGroup:
    """Facts whose numbers go together in training."""

    members: tuple[int, ...]
    """Places among the facts."""
    values: tuple[tuple[float, ...], ...]
    """In equal shares of the patients, ordered by the first member: the mean of each member."""


def find_groups(facts: Sequence[Fact], train: Cohort) -> tuple[FactGroup, ...]:
    """The groups of a cohort's patients, at their last decisions."""
    places = [i for i, fact in enumerate(facts) if fact.kind == NUMBER and fact.values]
    if len(places) < 2 or not len(train):
        return ()
    _, first = np.unique(train.subject[::-1], return_index=True)
    last = np.sort(train.last_step[::-1][first])
    chosen = [facts[i] for i in places]
    event = latest_events(chosen, train.profile, train.history, last)
    numbers = np.column_stack(
        [fact_numbers(f, event[:, k], train.history, last) for k, f in enumerate(chosen)]
    )
    return tuple(
        FactGroup(tuple(places[k] for k in members), values)
        for members in _components(numbers)
        if (values := _joint_values(numbers[:, members]))
    )


def _components(numbers: Float64[np.ndarray, "patient fact"]) -> list[list[int]]:
    """Columns that are linked, also through others; only of two or more."""
    count = numbers.shape[1]
    group = list(range(count))
    for a in range(count):
        for b in range(a):
            if _correlation(numbers[:, a], numbers[:, b]) >= LINKED:
                group = [group[a] if g == group[b] else g for g in group]
    found: dict[int, list[int]] = {}
    for column, name in enumerate(group):
        found.setdefault(name, []).append(column)
    return [members for members in found.values() if len(members) > 1]


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Size of the correlation of the patients who have both; 0 if they are few."""
    both = ~(np.isnan(a) | np.isnan(b))
    if both.sum() < GRID * SMALLEST_CELL or not (a[both].std() and b[both].std()):
        return 0.0
    return abs(float(np.corrcoef(a[both], b[both])[0, 1]))


def _joint_values(numbers: Float64[np.ndarray, "patient fact"]) -> tuple[tuple[float, ...], ...]:
    """Means in GRID equal shares of the patients who have all; () if they are few."""
    complete = numbers[~np.isnan(numbers).any(axis=1)]
    if len(complete) < GRID * SMALLEST_CELL:
        return ()
    ordered = complete[np.argsort(complete[:, 0], kind="stable")]
    means = [part.mean(axis=0) for part in np.array_split(ordered, GRID)]
    return tuple(tuple(float(f"{x:.4g}") for x in mean) for mean in means)
