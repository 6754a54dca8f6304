"""The outcome of each decision, whether the treatment was effective, and the reward."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

from posology.cohorts.decisions.treatment_given import next_decision_time
from posology.cohorts.events.stream import EventStream
from posology.cohorts.events.visible import event_facts
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
from posology.domain.safety import distance_inside, is_within
from posology.domain.study import PredictionTarget, Study


@dataclass(frozen=True, slots=True, eq=False)
class Outcomes:
    """One row per decision; NaN where unknown. Columns as in the Cohort."""

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
    """The events of a chunk, and how long each of its subjects is followed."""

    events: EventStream
    subject: Int64[np.ndarray, " event"]
    """Row of each event's subject."""
    end: Float64[np.ndarray, " subject"]
    """Last day of follow-up of each subject."""
    ended: Bool[np.ndarray, " subject"]
    """True if an event ended follow-up for good (death); False if it was censored."""
    until: float
    """Last day of follow-up of subjects without such an event; infinity if the study sets none."""

    def observed_within(
        self, at: DecisionTimes, days: float, occurred: Bool[np.ndarray, " decision"]
    ) -> Bool[np.ndarray, " decision"]:
        """Whether it is known what happened within so many days.

        If follow-up is censored inside the window, the outcome is unknown, even if the event was
        seen: otherwise only patients with the event would be counted. After a death, an event that
        was seen counts, unless the window reaches beyond `until`.
        """
        is_followed = self.end[at.subject] - at.time >= days
        is_inside = self.until - at.time >= days
        return is_followed | (occurred & self.ended[at.subject] & is_inside)

    def event_times(self, codes: tuple[str, ...], numeric: bool = False) -> EventTimes:
        """Events with any of the codes; numeric: only those with a number."""
        return event_times(self.events, self.subject, codes, numeric)


def follow_up(
    events: EventStream, subject: Int64[np.ndarray, " event"], subjects: int, study: Study
) -> FollowUp:
    """Follow-up of every subject: to the event that ends it, else to the end of the records."""
    end = np.full(subjects, -np.inf)
    dated = ~np.isnan(events.time)
    end[subject[dated]] = events.time[dated]  # in order of time: the last one is written last
    if study.follow_up.until is not None:
        end[:] = study.follow_up.until
    ended = np.zeros(subjects, dtype=bool)
    final = event_times(events, subject, study.follow_up.ended_by)
    ended[final.subject] = True
    end[final.subject[::-1]] = final.time[::-1]  # the first one is written last
    until = np.inf if study.follow_up.until is None else float(study.follow_up.until)
    return FollowUp(events, subject, end, ended, until)


def label_outcomes(followed: FollowUp, at: DecisionTimes, study: Study) -> Outcomes:
    """The outcome of each decision within the study's window, and its reward."""
    kind, target_distance = study.outcome.kind, np.full(len(at), np.nan)
    if kind in ("value_in_range", "change"):
        outcome, effective, target_distance = _label_value(followed, at, study)
    elif kind == "dose_class":
        doses = followed.event_times(study.outcome.codes, numeric=True)
        rows = window_rows(doses, at, study.outcome.from_days, study.outcome.within_days)
        outcome = first_value(doses, rows)
        effective = np.where(np.isnan(outcome), np.nan, 1.0)
    else:
        outcome, effective = _label_event(followed, at, study)
    is_last = np.isinf(next_decision_time(at))
    events = [_time_to_event(followed, at, target) for target in study.time_to_event]
    return Outcomes(
        outcome=outcome.astype(np.float32),
        target_distance=target_distance.astype(np.float32),
        effective=effective.astype(np.float32),
        reward=_reward(followed, at, study, effective).astype(np.float32),
        outcome_observed=~np.isnan(effective),
        trajectory_ended=is_last & followed.ended[at.subject],
        diagnosis=_stack([_diagnosis(followed, at, t) for t in study.diagnosis], len(at)),
        progression=_stack([_progression(followed, at, t) for t in study.progression], len(at)),
        event_time=_stack([days for days, _ in events], len(at)),
        event_observed=_stack([observed for _, observed in events], len(at)).astype(bool),
    )


def _label_value(
    followed: FollowUp, at: DecisionTimes, study: Study
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Outcome, effective and target distance where the outcome is a number or its change."""
    outcome = study.outcome
    values = followed.event_times(outcome.codes, numeric=True)
    rows = window_rows(values, at, outcome.from_days, outcome.within_days)
    value, value_time = first_value(values, rows), first_time(values, rows)
    reached, target_distance = np.zeros(len(at), dtype=bool), np.full(len(at), np.nan)
    if outcome.range is not None:
        reached |= is_within(value, outcome.range)
        target_distance = distance_inside(value, outcome.range)
    if outcome.change is not None:
        facts = event_facts(followed.events, followed.subject, at, study)
        change = value - facts.latest_value(outcome.codes)
        reached |= is_within(change, outcome.change)
        target_distance = np.fmax(target_distance, distance_inside(change, outcome.change))
        if outcome.range is None:
            value = change
    effective = np.where(np.isnan(value), np.nan, reached.astype(np.float64))
    # A number measured after the option was stopped does not count for it.
    effective, unaffected = _apply_stops(followed, at, study, effective, value_time)
    return value, effective, np.where(unaffected, target_distance, np.nan)


def _label_event(
    followed: FollowUp, at: DecisionTimes, study: Study
) -> tuple[np.ndarray, np.ndarray]:
    """Outcome and effective where the outcome is an event, or the time to it."""
    outcome = study.outcome
    events = followed.event_times(outcome.codes)
    first = first_time(events, window_rows(events, at, outcome.from_days, outcome.within_days))
    days_followed = followed.end[at.subject] - at.time
    occurred = np.isfinite(first)
    is_timed = outcome.kind == "time_to_event"
    if is_timed:  # the time to an observed event is known, however short the follow-up
        known = occurred | (days_followed >= outcome.within_days)
    else:
        known = followed.observed_within(at, outcome.within_days, occurred)
    is_good = occurred if outcome.kind == "occurs" else ~occurred
    effective = np.where(known, is_good.astype(np.float64), np.nan)
    effective, _ = _apply_stops(followed, at, study, effective, first)
    if is_timed:
        days = np.where(occurred, first - at.time, days_followed)
        return np.minimum(days, outcome.within_days), effective
    return np.where(known, occurred.astype(np.float64), np.nan), effective


def _apply_stops(
    followed: FollowUp,
    at: DecisionTimes,
    study: Study,
    effective: np.ndarray,
    outcome_time: np.ndarray,
) -> tuple[np.ndarray, Bool[np.ndarray, " decision"]]:
    """Ineffective if the option was stopped by the outcome's time; competing events by the study.

    Also whether neither happened. outcome_time: infinity without an outcome, then the whole window
    counts.
    """
    outcome, unaffected = study.outcome, np.ones(len(at), dtype=bool)
    if outcome.competing:
        events = followed.event_times(outcome.competing)
        rows = window_rows(events, at, 0.0, outcome.within_days)
        competed = has_event(truncate_window(rows, events, at, outcome_time, inclusive=False))
        label = 0.0 if outcome.competing_means == "ineffective" else np.nan
        effective, unaffected = np.where(competed, label, effective), ~competed
    if outcome.unless:
        events = followed.event_times(outcome.unless)
        rows = window_rows(events, at, 0.0, outcome.within_days)
        stopped = has_event(truncate_window(rows, events, at, outcome_time, inclusive=True))
        effective, unaffected = np.where(stopped, 0.0, effective), unaffected & ~stopped
    return effective, unaffected


def _reward(
    followed: FollowUp, at: DecisionTimes, study: Study, effective: np.ndarray
) -> np.ndarray:
    """Reward of an effective option less the costs of harms until the next decision."""
    reward = effective * study.reward.effective
    for cost in study.reward.costs:
        harms = followed.event_times(cost.codes)
        rows = window_rows(harms, at, cost.from_days, cost.within_days)
        rows = truncate_window(rows, harms, at, next_decision_time(at), inclusive=True)
        reward = reward - cost.cost * (rows[1] - rows[0])
    return reward


def _diagnosis(followed: FollowUp, at: DecisionTimes, target: PredictionTarget) -> np.ndarray:
    events = followed.event_times(target.codes)
    occurred = has_event(window_rows(events, at, target.from_days, target.within_days))
    known = followed.observed_within(at, target.within_days, occurred)
    return np.where(known, occurred.astype(np.float64), np.nan)


def _progression(followed: FollowUp, at: DecisionTimes, target: PredictionTarget) -> np.ndarray:
    values = followed.event_times(target.codes, numeric=True)
    return first_value(values, window_rows(values, at, target.from_days, target.within_days))


def _time_to_event(
    followed: FollowUp, at: DecisionTimes, target: PredictionTarget
) -> tuple[np.ndarray, np.ndarray]:
    """Days to the first event, or to the end of follow-up or window; whether it was the event.

    A competing event such as death censors: the hazards are cause-specific.
    """
    events = followed.event_times(target.codes)
    first = first_time(events, window_rows(events, at, target.from_days, target.within_days))
    observed = np.isfinite(first)
    days_followed = np.minimum(followed.end[at.subject] - at.time, target.within_days)
    return np.where(observed, first - at.time, days_followed), observed


def _stack(columns: list[np.ndarray], rows: int) -> Float32[np.ndarray, "decision column"]:
    if not columns:
        return np.zeros((rows, 0), np.float32)
    return np.stack(columns, axis=1).astype(np.float32)
