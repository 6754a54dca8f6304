"""Contraindications: one rule for training on records and for advice from a History."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64

from posology.domain.history import History, StepIndex, has_code, latest_value
from posology.domain.profile import Profile
from posology.domain.study import Bounds, Study, ValueRange


@dataclass(frozen=True, slots=True, eq=False)
class VisibleFacts:
    """What is visible to each decision, whether read from a History or from sorted events."""

    count: int
    """Number of decisions."""
    has_code: Callable[[tuple[str, ...]], Bool[np.ndarray, " decision"]]
    """Whether any code of these prefixes is visible to each decision."""
    latest_value: Callable[[tuple[str, ...]], Float64[np.ndarray, " decision"]]
    """Last visible number of any code of these prefixes; NaN where there is none."""


def history_facts(profile: Profile, history: History, decisions: StepIndex) -> VisibleFacts:
    """The facts that a History shows to each decision."""
    return VisibleFacts(
        len(decisions),
        lambda codes: has_code(history, decisions, profile.rows(codes)),
        lambda codes: latest_value(history, decisions, profile.rows(codes)),
    )


def contraindicated(study: Study, facts: VisibleFacts) -> Bool[np.ndarray, "decision treatment"]:
    """True where a contraindication forbids the option; unknown facts forbid nothing."""
    names = study.formulary.names
    forbidden = np.zeros((facts.count, len(names)), dtype=bool)
    for rule in study.safety:
        applies = is_condition_met(facts, rule.visible, rule.ranges)
        for option in rule.options:
            forbidden[:, names.index(option)] |= applies
    return forbidden


def allowed_treatments(
    study: Study, profile: Profile, history: History, decisions: StepIndex
) -> Bool[np.ndarray, "decision treatment"]:
    """True where no contraindication forbids the option; a row may be all False."""
    return ~contraindicated(study, history_facts(profile, history, decisions))


def is_condition_met(
    facts: VisibleFacts, codes: tuple[str, ...], ranges: tuple[ValueRange, ...]
) -> Bool[np.ndarray, " decision"]:
    """Whether any of the codes is visible, or any last number lies in its range."""
    met = facts.has_code(codes)
    for value_range in ranges:
        met = met | is_in_range(facts, value_range)
    return met


def is_in_range(facts: VisibleFacts, value_range: ValueRange) -> Bool[np.ndarray, " decision"]:
    """Whether the last visible number of the codes is known and lies within its bounds."""
    return is_within(facts.latest_value(value_range.codes), value_range.bounds)


def is_within(value: Float64[np.ndarray, " _"], bounds: Bounds) -> Bool[np.ndarray, " _"]:
    """Whether each number lies within the bounds; False for NaN."""
    low, high = _limits(bounds)
    return (value >= low) & (value <= high)


def distance_inside(value: Float64[np.ndarray, " _"], bounds: Bounds) -> Float64[np.ndarray, " _"]:
    """Distance to the nearer bound: positive inside the bounds, negative outside."""
    low, high = _limits(bounds)
    return np.minimum(value - low, high - value)


def _limits(bounds: Bounds) -> tuple[float, float]:
    low = -np.inf if bounds.at_least is None else bounds.at_least
    high = np.inf if bounds.at_most is None else bounds.at_most
    return low, high
