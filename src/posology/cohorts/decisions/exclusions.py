"""Decisions excluded step by step, each counted with the reason."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from posology.cohorts.events.windows import DecisionTimes

Kept = tuple[Bool[np.ndarray, " decision"], str]
"""Whether each decision is kept, and why the others are not."""


@dataclass(frozen=True, slots=True)
class Exclusion:
    """Decisions excluded at one step, and why."""

    reason: str
    decisions: int
    subjects: int
    """Subjects whose last remaining decision was excluded at this step."""


def exclude(
    at: DecisionTimes,
    keep: Bool[np.ndarray, " decision"],
    reason: str,
    exclusions: list[Exclusion],
) -> DecisionTimes:
    """The decisions to keep; the exclusion is appended to `exclusions`."""
    remaining = DecisionTimes(at.subject[keep], at.time[keep])
    lost_subjects = len(np.unique(at.subject)) - len(np.unique(remaining.subject))
    exclusions.append(Exclusion(reason, int((~keep).sum()), lost_subjects))
    return remaining


def exclude_in_turn(
    at: DecisionTimes, conditions: Iterable[Kept], exclusions: list[Exclusion]
) -> Bool[np.ndarray, " decision"]:
    """Whether every condition keeps each decision; an excluded one counts for the first reason."""
    left = np.ones(len(at), dtype=bool)
    for keep, reason in conditions:
        exclude(DecisionTimes(at.subject[left], at.time[left]), keep[left], reason, exclusions)
        left &= keep
    return left
