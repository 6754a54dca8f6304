"""When the study decides, for whom, and why not for the others."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from posology.cohorts.events.stream import EventStream, has_any_code
from posology.cohorts.events.visible import has_visible_code, is_in_range, treatment_codes
from posology.cohorts.events.windows import DecisionTimes, count_before, make_event_times
from posology.domain.study import Study


@dataclass(frozen=True, slots=True)
class Exclusion:
    """Decisions that left the study at one step, with the reason."""

    reason: str
    decisions: int
    subjects: int
    """Who had a decision before the step and have none after it."""


@dataclass(frozen=True, slots=True, eq=False)
class SelectedDecisions:
    """The decisions left, and what became of the others."""

    at: DecisionTimes
    losses: tuple[Exclusion, ...]
    subjects: int
    """Subjects of the records."""
    marked: int
    """Subjects with at least one point of decision."""
    points: int
    """Points of decision before any was left out."""


def select_decisions(
    events: EventStream,
    subject: Int64[np.ndarray, " event"],
    end: Float64[np.ndarray, " subject"],
    study: Study,
) -> SelectedDecisions:
    """The study's decisions. subject: row of each event; end: last known day of each subject."""
    points = _points(events, subject, end, study)
    asked, treatments = study.decision, treatment_codes(study)
    losses: list[Exclusion] = []
    at = points
    if asked.eligible:
        keep = has_visible_code(events, subject, at, asked.eligible, treatments)
        at = exclude(at, keep, f"none of {', '.join(asked.eligible)} known", losses)
    if asked.excluded:
        keep = ~has_visible_code(events, subject, at, asked.excluded, treatments)
        at = exclude(at, keep, f"{' or '.join(asked.excluded)} known", losses)
    for span in asked.ranges:
        keep = is_in_range(events, subject, at, span, treatments)
        sides = (span.bounds.at_least, "at least"), (span.bounds.at_most, "at most")
        told = " and ".join(f"{word} {bound:g}" for bound, word in sides if bound is not None)
        reason = f"{' or '.join(span.codes)} unknown or not {told}"
        at = exclude(at, keep, reason, losses)
    if asked.which == "first":
        at = _first(at)
    elif asked.which == "every" and asked.every_days is not None:
        keep = _apart(at, asked.every_days)
        at = exclude(at, keep, f"less than {asked.every_days:g} days after the one before", losses)
    marked = len(np.unique(points.subject))
    return SelectedDecisions(at, tuple(losses), len(end), marked, len(points))


def exclude(
    at: DecisionTimes, keep: np.ndarray, reason: str, losses: list[Exclusion]
) -> DecisionTimes:
    """The moments kept; the loss is written down."""
    left = DecisionTimes(at.subject[keep], at.time[keep])
    gone = len(np.unique(at.subject)) - len(np.unique(left.subject))
    losses.append(Exclusion(reason, int((~keep).sum()), gone))
    return left


def _points(
    events: EventStream, subject: np.ndarray, end: np.ndarray, study: Study
) -> DecisionTimes:
    mark = has_any_code(events, study.decision.codes) & ~np.isnan(events.time)
    owner, time = subject[mark], events.time[mark]
    new = np.ones(len(owner), dtype=bool)
    new[1:] = (owner[1:] != owner[:-1]) | (time[1:] != time[:-1])
    at = DecisionTimes(owner[new], time[new])
    if study.decision.which != "interval" or study.decision.every_days is None:
        return at
    first, every = _first(at), study.decision.every_days
    counts = 1 + np.floor((end[first.subject] - first.time) / every).astype(np.int64)
    row = np.repeat(np.arange(len(counts)), counts)
    nth = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
    return DecisionTimes(first.subject[row], first.time[row] + nth * every)


def _first(at: DecisionTimes) -> DecisionTimes:
    new = np.ones(len(at), dtype=bool)
    new[1:] = at.subject[1:] != at.subject[:-1]
    return DecisionTimes(at.subject[new], at.time[new])


def _apart(at: DecisionTimes, days: float) -> np.ndarray:
    """Greedily, decisions at least so far after the last one kept: one sweep a rank of decision."""
    keep = np.zeros(len(at), dtype=bool)
    starts = np.flatnonzero(np.diff(at.subject, prepend=-1))
    stops = np.append(starts[1:], len(at))
    found = make_event_times(at.subject, at.time, at.time, np.zeros(len(at), np.int32))
    row = starts
    while len(row):
        keep[row] = True
        after = count_before(
            found, DecisionTimes(at.subject[row], at.time[row]), days, inclusive=False
        )
        live = after < stops
        row, stops = after[live], stops[live]
    return keep
