"""What is visible to a decision, and whether a condition on it holds, does not, or is unknown."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int8

from posology.domain.codes import Names, display_names
from posology.domain.formulas.ages import ages
from posology.domain.safety_rules.bounds import is_above, is_at_least, is_at_most, is_below
from posology.domain.safety_rules.rule import Fact
from posology.language.catalogue import tr
from posology.language.numbers import number

CLEAR, MET, UNKNOWN = 0, 1, 2
"""Whether a condition or rule does not hold, holds, or cannot be judged."""

Status = Int8[np.ndarray, " decision"]


@dataclass(frozen=True, slots=True, eq=False)
class VisibleFacts:
    """What is visible to each decision, whether read from a History or from sorted events."""

    time: Float64[np.ndarray, " decision"]
    """Of each decision, in days since 1970-01-01; NaN if unknown."""
    has_code: Callable[[tuple[str, ...]], Bool[np.ndarray, " decision"]]
    """Whether any code of these prefixes is visible to each decision."""
    latest_value: Callable[[tuple[str, ...]], Float64[np.ndarray, " decision"]]
    """Last visible number of any code of these prefixes; NaN where there is none."""
    days_since: Callable[[tuple[str, ...], bool], Float64[np.ndarray, " decision"]]
    """Days from the last visible dated event of these prefixes, of those with a number if True;
    NaN where there is none."""

    @property
    def count(self) -> int:
        """Number of decisions."""
        return len(self.time)


def fact_status(facts: VisibleFacts, fact: Fact) -> Status:
    """Whether the condition holds at each decision."""
    value = fact_value(facts, fact)
    if fact.is_number:
        unknown = np.isnan(value)
        holds = ~unknown & _is_inside(value, fact)
    else:
        holds = facts.has_code(fact.codes) & ~is_stale(facts, fact)
        looked_for = facts.has_code(fact.known_by) if fact.known_by else np.ones_like(holds)
        unknown = ~holds & ~looked_for
    return np.where(holds, MET, np.where(unknown, UNKNOWN, CLEAR)).astype(np.int8)


def fact_value(facts: VisibleFacts, fact: Fact) -> Float64[np.ndarray, " decision"]:
    """The number that the condition is about; NaN where it is unknown, too old, or no number."""
    if not fact.is_number:
        return np.full(facts.count, np.nan)
    if fact.is_age:
        return ages(facts.time - facts.days_since(fact.codes, False), facts.time)
    return np.where(is_stale(facts, fact), np.nan, facts.latest_value(fact.codes))


def describe_fact(fact: Fact, names: Names) -> str:
    """The condition in words: `creatinine at most 130 in the last 90 days`."""
    name = tr("age") if fact.is_age else fact.name or display_names(fact.codes, names)
    sides = (
        *((tr("at least {bound}"), fact.at_least), (tr("above {bound}"), fact.above)),
        *((tr("at most {bound}"), fact.at_most), (tr("below {bound}"), fact.below)),
    )
    limits = [text.format(bound=number(f"{b:g}")) for text, b in sides if b is not None]
    bounds, window = f" {tr('and')} ".join(limits), ""
    if fact.within_days is not None:
        window = tr("in the last {days} days").format(days=f"{fact.within_days:g}")
    return " ".join(part for part in (name, bounds, fact.unit if bounds else "", window) if part)


def is_stale(facts: VisibleFacts, fact: Fact) -> Bool[np.ndarray, " decision"]:
    """Whether the last event is older than the condition accepts; one without a date is not."""
    if fact.within_days is None or fact.is_age:
        return np.zeros(facts.count, dtype=bool)
    return facts.days_since(fact.codes, fact.is_number) > fact.within_days


def any_holds(states: list[Status], count: int) -> Status:
    """Whether one of the conditions holds; unknown if none does and one is unknown."""
    met, unknown = np.zeros(count, dtype=bool), np.zeros(count, dtype=bool)
    for status in states:
        met |= status == MET
        unknown |= status == UNKNOWN
    return np.where(met, MET, np.where(unknown, UNKNOWN, CLEAR)).astype(np.int8)


def all_hold(states: list[Status], count: int) -> Status:
    """Whether all of the conditions hold; unknown if none fails and one is unknown."""
    return negate(any_holds([negate(status) for status in states], count))


def negate(status: Status) -> Status:
    """Whether a condition does not hold; unknown stays unknown."""
    swapped = np.array([MET, CLEAR, UNKNOWN], dtype=np.int8)
    return swapped[status]


def _is_inside(value: Float64[np.ndarray, " decision"], fact: Fact) -> np.ndarray:
    inside = np.ones(len(value), dtype=bool)
    if fact.at_least is not None:
        inside &= is_at_least(value, fact.at_least)
    if fact.above is not None:
        inside &= is_above(value, fact.above)
    if fact.at_most is not None:
        inside &= is_at_most(value, fact.at_most)
    if fact.below is not None:
        inside &= is_below(value, fact.below)
    return inside
