"""The study's decision times, and which decisions are excluded with the reason."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from posology.cohorts.decisions.earlier_use import enough_history
from posology.cohorts.decisions.exclusions import Exclusion, exclude, exclude_in_turn
from posology.cohorts.decisions.follow_up import FollowUp
from posology.cohorts.events.stream import EventStream, has_any_code
from posology.cohorts.events.visible import event_facts
from posology.cohorts.events.windows import DecisionTimes, count_before, make_event_times
from posology.domain.codes import Names, display_names
from posology.domain.safety import is_in_range
from posology.domain.safety_rules.facts import MET, describe_fact, fact_status
from posology.domain.safety_rules.rule import Criterion
from posology.domain.study import Study, ValueRange

OUTSIDE = "outside every observation period"


@dataclass(frozen=True, slots=True, eq=False)
class SelectedDecisions:
    """The eligible decisions, with counts for the flow diagram."""

    at: DecisionTimes
    exclusions: tuple[Exclusion, ...]
    subjects: int
    """Subjects in the records."""
    subjects_with_decision: int
    """Subjects with at least one candidate decision."""
    candidates: int
    """Decisions before any exclusion."""


def select_decisions(followed: FollowUp, study: Study) -> SelectedDecisions:
    """The study's eligible decisions, in observation periods where the records have them."""
    events, subject, end = followed.events, followed.subject, followed.end
    candidates = _candidates(events, subject, end, study)
    decision, exclusions = study.decision, []
    at = candidates
    if followed.has_periods:
        at = exclude(at, followed.is_observed(at), OUTSIDE, exclusions)
    if decision.eligible:
        keep = event_facts(events, subject, at, study).has_code(decision.eligible)
        at = exclude(
            at, keep, f"{display_names(decision.eligible, study.names)} not known", exclusions
        )
    if decision.excluded:
        keep = ~event_facts(events, subject, at, study).has_code(decision.excluded)
        at = exclude(at, keep, f"{display_names(decision.excluded, study.names)} known", exclusions)
    for value_range in decision.ranges:
        keep = is_in_range(event_facts(events, subject, at, study), value_range)
        at = exclude(at, keep, _range_reason(value_range, study.names), exclusions)
    for criterion in decision.criteria:
        holds = fact_status(event_facts(events, subject, at, study), criterion.fact) == MET
        keep = holds if criterion.holds else ~holds
        at = exclude(at, keep, _criterion_reason(criterion, study.names), exclusions)
    left = exclude_in_turn(at, enough_history(events, subject, at, study), exclusions)
    at = DecisionTimes(at.subject[left], at.time[left])
    if decision.which == "first":
        at = _first_per_subject(at)
    elif decision.which == "every" and decision.every_days is not None:
        keep = _is_spaced(at, decision.every_days)
        reason = f"less than {decision.every_days:g} days after the one before"
        at = exclude(at, keep, reason, exclusions)
    subjects_with_decision = len(np.unique(candidates.subject))
    return SelectedDecisions(
        at, tuple(exclusions), len(end), subjects_with_decision, len(candidates)
    )


def _range_reason(value_range: ValueRange, names: Names) -> str:
    bounds = value_range.bounds
    sides = (bounds.at_least, "at least"), (bounds.at_most, "at most")
    limits = " and ".join(f"{word} {bound:g}" for bound, word in sides if bound is not None)
    return f"{display_names(value_range.codes, names)} unknown or not {limits}"


def _criterion_reason(criterion: Criterion, names: Names) -> str:
    """Why a decision that does not meet the criterion is excluded."""
    words = describe_fact(criterion.fact, names)
    if not criterion.holds:
        return f"{words} known"
    return f"{words} not known" if not criterion.fact.is_number else f"unknown or not {words}"


def _candidates(
    events: EventStream, subject: np.ndarray, end: np.ndarray, study: Study
) -> DecisionTimes:
    """Every distinct time of a decision code, or a regular grid of times from the first one on."""
    is_decision = has_any_code(events, study.decision.codes) & ~np.isnan(events.time)
    row, time = subject[is_decision], events.time[is_decision]
    is_new = np.ones(len(row), dtype=bool)
    is_new[1:] = (row[1:] != row[:-1]) | (time[1:] != time[:-1])
    at = DecisionTimes(row[is_new], time[is_new])
    if study.decision.which in ("first", "every") or study.decision.every_days is None:
        return at
    first, every = _first_per_subject(at), study.decision.every_days
    counts = np.floor((end[first.subject] - first.time) / every).astype(np.int64)
    counts = 1 + np.maximum(counts, 0)
    row = np.repeat(np.arange(len(counts)), counts)
    rank = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
    return DecisionTimes(first.subject[row], first.time[row] + rank * every)


def _first_per_subject(at: DecisionTimes) -> DecisionTimes:
    is_new = np.ones(len(at), dtype=bool)
    is_new[1:] = at.subject[1:] != at.subject[:-1]
    return DecisionTimes(at.subject[is_new], at.time[is_new])


def _is_spaced(at: DecisionTimes, days: float) -> Bool[np.ndarray, " decision"]:
    """Greedy selection: a decision counts if it is at least `days` after the last one that counts.

    All subjects advance together, one decision of each at a time.
    """
    keep = np.zeros(len(at), dtype=bool)
    starts = np.flatnonzero(np.diff(at.subject, prepend=-1))
    stops = np.append(starts[1:], len(at))
    times = make_event_times(at.subject, at.time, at.time, np.zeros(len(at), np.int32))
    row = starts
    while len(row):
        keep[row] = True
        current = DecisionTimes(at.subject[row], at.time[row])
        following = count_before(times, current, days, inclusive=False)
        has_more = following < stops
        row, stops = following[has_more], stops[has_more]
    return keep
