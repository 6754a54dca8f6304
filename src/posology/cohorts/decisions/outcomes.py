"""What came of each decision: the outcome, whether it was effective, and what that earned."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

from posology.cohorts.decisions.treatment_given import next_decision_time
from posology.cohorts.events.stream import EventStream
from posology.cohorts.events.visible import (
    distance_inside,
    is_within,
    latest_visible_value,
    treatment_codes,
)
from posology.cohorts.events.windows import (
    DecisionTimes,
    EventTimes,
    event_times,
    first_time,
    first_value,
    has_event,
    truncate_window,
    window_rows,
)
from posology.domain.study import PredictionTarget, Study


@dataclass(frozen=True, slots=True, eq=False)
class Outcomes:
    """One row a decision; NaN where it is not known."""

    outcome: Float32[np.ndarray, " decision"]
    target_distance: Float32[np.ndarray, " decision"]
    effective: Float32[np.ndarray, " decision"]
    reward: Float32[np.ndarray, " decision"]
    outcome_observed: Bool[np.ndarray, " decision"]
    trajectory_ended: Bool[np.ndarray, " decision"]
    diagnosis: Float32[np.ndarray, "decision condition"]
    progression: Float32[np.ndarray, "decision progression"]
    event_time: Float32[np.ndarray, "decision time_to_event"]
    event_observed: Bool[np.ndarray, "decision time_to_event"]


@dataclass(frozen=True, slots=True, eq=False)
class FollowUp:
    """The events of a chunk and how long each of its subjects is watched."""

    events: EventStream
    subject: Int64[np.ndarray, " event"]
    """Row of each event's subject."""
    end: Float64[np.ndarray, " subject"]
    """Last known day of each subject."""
    over: Bool[np.ndarray, " subject"]
    """Whether the course ended there for good."""
    until: float
    """Day up to which all are watched unless it ended; infinity where the study does not say."""

    def out(
        self, at: DecisionTimes, days: float, there: Bool[np.ndarray, " decision"]
    ) -> Bool[np.ndarray, " decision"]:
        """Whether what came within so many days is known.

        An event in a window that was cut short does not make it known: those like it without one
        are not, and only those to whom it came would be counted. Where the course ended for good
        nobody can say how long it would have been watched: there an event counts, unless the
        window reaches beyond `until`.
        """
        whole = self.end[at.subject] - at.time >= days
        return whole | (there & self.over[at.subject] & (self.until - at.time >= days))

    def marks(self, codes: tuple[str, ...], numbers: bool = False) -> EventTimes:
        """The events of some codes."""
        return event_times(self.events, self.subject, codes, numbers)


def follow_up(
    events: EventStream, subject: Int64[np.ndarray, " event"], subjects: int, study: Study
) -> FollowUp:
    """Follow-up of every subject: to an event that ends it, else to the end of the records."""
    end = np.full(subjects, -np.inf)
    dated = ~np.isnan(events.time)
    end[subject[dated]] = events.time[dated]  # in order of time, so the last one stays
    if study.follow_up.until is not None:
        end[:] = study.follow_up.until
    over = np.zeros(subjects, dtype=bool)
    last = event_times(events, subject, study.follow_up.ended_by)
    over[last.subject] = True
    end[last.subject[::-1]] = last.time[::-1]  # the first one stays
    until = np.inf if study.follow_up.until is None else float(study.follow_up.until)
    return FollowUp(events, subject, end, over, until)


def label_outcomes(watched: FollowUp, at: DecisionTimes, study: Study) -> Outcomes:
    """The outcome of each decision within the study's window, and its reward."""
    kind, margin = study.outcome.kind, np.full(len(at), np.nan)
    if kind in ("value_in_range", "change"):
        outcome, effective, margin = _value(watched, at, study)
    elif kind == "dose_class":
        found = watched.marks(study.outcome.codes, numbers=True)
        span = window_rows(found, at, study.outcome.from_days, study.outcome.within_days)
        outcome = first_value(found, span)
        effective = np.where(np.isnan(outcome), np.nan, 1.0)
    else:
        outcome, effective = _event(watched, at, study)
    last = np.isinf(next_decision_time(at))
    waits = [_wait(watched, at, target) for target in study.time_to_event]
    return Outcomes(
        outcome=outcome.astype(np.float32),
        target_distance=margin.astype(np.float32),
        effective=effective.astype(np.float32),
        reward=_reward(watched, at, study, effective).astype(np.float32),
        outcome_observed=~np.isnan(effective),
        trajectory_ended=last & watched.over[at.subject],
        diagnosis=_columns([_occurs(watched, at, t) for t in study.diagnosis], len(at)),
        progression=_columns([_number(watched, at, t) for t in study.progression], len(at)),
        event_time=_columns([days for days, _ in waits], len(at)),
        event_observed=_columns([there for _, there in waits], len(at)).astype(bool),
    )


def _value(
    watched: FollowUp, at: DecisionTimes, study: Study
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    asked = study.outcome
    found = watched.marks(asked.codes, numbers=True)
    span = window_rows(found, at, asked.from_days, asked.within_days)
    value, when = first_value(found, span), first_time(found, span)
    good, margin = np.zeros(len(at), dtype=bool), np.full(len(at), np.nan)
    if asked.range is not None:
        good |= is_within(value, asked.range)
        margin = distance_inside(value, asked.range)
    if asked.change is not None:
        treatments = treatment_codes(study)
        start = latest_visible_value(watched.events, watched.subject, at, asked.codes, treatments)
        good |= is_within(value - start, asked.change)
        margin = np.fmax(margin, distance_inside(value - start, asked.change))
        if asked.range is None:
            value = value - start
    effective = np.where(np.isnan(value), np.nan, good.astype(np.float64))
    # Stopped before the outcome: whatever came later is not this option's.
    effective, untouched = _overruled(watched, at, study, effective, when)
    return value, effective, np.where(untouched, margin, np.nan)


def _event(watched: FollowUp, at: DecisionTimes, study: Study) -> tuple[np.ndarray, np.ndarray]:
    asked = study.outcome
    found = watched.marks(asked.codes)
    event = first_time(found, window_rows(found, at, asked.from_days, asked.within_days))
    followed = watched.end[at.subject] - at.time
    occurred = np.isfinite(event)
    # The time to an event is known where it came, however short the follow-up.
    timed = asked.kind == "time_to_event"
    whole = followed >= asked.within_days
    known = (occurred | whole) if timed else watched.out(at, asked.within_days, occurred)
    good = occurred if asked.kind == "occurs" else ~occurred
    effective = np.where(known, good.astype(np.float64), np.nan)
    effective, _ = _overruled(watched, at, study, effective, event)
    if timed:
        waited = np.where(occurred, event - at.time, followed)
        return np.minimum(waited, asked.within_days), effective
    return np.where(known, occurred.astype(np.float64), np.nan), effective


def _overruled(
    watched: FollowUp, at: DecisionTimes, study: Study, effective: np.ndarray, came: np.ndarray
) -> tuple[np.ndarray, Bool[np.ndarray, " decision"]]:
    """Ineffective where the option was stopped before the outcome came; competing events as told.

    And for which decisions neither happened.

    came: when the outcome did, infinity where it did not: then the whole window counts.
    """
    asked, untouched = study.outcome, np.ones(len(at), dtype=bool)
    if asked.competing:
        found = watched.marks(asked.competing)
        span = truncate_window(
            window_rows(found, at, 0.0, asked.within_days), found, at, came, inclusive=False
        )
        means = 0.0 if asked.competing_means == "ineffective" else np.nan
        effective, untouched = np.where(has_event(span), means, effective), ~has_event(span)
    if asked.unless:
        found = watched.marks(asked.unless)
        span = truncate_window(
            window_rows(found, at, 0.0, asked.within_days), found, at, came, inclusive=True
        )
        effective, untouched = (
            np.where(has_event(span), 0.0, effective),
            untouched & ~has_event(span),
        )
    return effective, untouched


def _reward(
    watched: FollowUp, at: DecisionTimes, study: Study, effective: np.ndarray
) -> np.ndarray:
    """The effect's worth less the costs of harms until the next decision."""
    earned = effective * study.reward.effective
    for cost in study.reward.costs:
        found = watched.marks(cost.codes)
        span = window_rows(found, at, 0.0, cost.within_days)
        span = truncate_window(span, found, at, next_decision_time(at), inclusive=True)
        earned = earned - cost.cost * (span[1] - span[0])
    return earned


def _occurs(watched: FollowUp, at: DecisionTimes, target: PredictionTarget) -> np.ndarray:
    found = watched.marks(target.codes)
    there = has_event(window_rows(found, at, target.from_days, target.within_days))
    known = watched.out(at, target.within_days, there)
    return np.where(known, there.astype(np.float64), np.nan)


def _number(watched: FollowUp, at: DecisionTimes, target: PredictionTarget) -> np.ndarray:
    found = watched.marks(target.codes, numbers=True)
    return first_value(found, window_rows(found, at, target.from_days, target.within_days))


def _wait(
    watched: FollowUp, at: DecisionTimes, target: PredictionTarget
) -> tuple[np.ndarray, np.ndarray]:
    """Days until the first event, the end of follow-up or of the window; whether it was the event.

    A competing end such as death censors: hazards are those of who is still watched.
    """
    found = watched.marks(target.codes)
    event = first_time(found, window_rows(found, at, 0.0, target.within_days))
    there = np.isfinite(event)
    followed = np.minimum(watched.end[at.subject] - at.time, target.within_days)
    return np.where(there, event - at.time, followed), there


def _columns(columns: list[np.ndarray], rows: int) -> Float32[np.ndarray, "decision column"]:
    if not columns:
        return np.zeros((rows, 0), np.float32)
    return np.stack(columns, axis=1).astype(np.float32)
