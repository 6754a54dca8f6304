"""The outcome of each decision, whether the treatment was effective, and the reward."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int8

from posology.cohorts.decisions.follow_up import FollowUp, Resolved, resolve
from posology.cohorts.decisions.treatment_given import next_decision_time
from posology.cohorts.events.visible import event_facts
from posology.cohorts.events.windows import (
    DecisionTimes,
    count_before,
    first_time,
    first_value,
    window_rows,
)
from posology.domain.cohort import CENSORED, COMPETING, OUTCOME, UNLESS, WINDOW_END
from posology.domain.safety import distance_inside, is_within
from posology.domain.safety_rules.harm_budget import HarmBudget
from posology.domain.study import Cost, PredictionTarget, Study


@dataclass(frozen=True, slots=True, eq=False)
class Outcomes:
    """One row per decision; NaN where unknown. Columns as in the Cohort."""

    outcome: Float32[np.ndarray, " decision"]
    target_distance: Float32[np.ndarray, " decision"]
    effective: Float32[np.ndarray, " decision"]
    reward: Float32[np.ndarray, " decision"]
    outcome_observed: Bool[np.ndarray, " decision"]
    resolved_days: Float32[np.ndarray, " decision"]
    resolved_by: Int8[np.ndarray, " decision"]
    trajectory_ended: Bool[np.ndarray, " decision"]
    cost: Float32[np.ndarray, " decision"]
    cost_days: Float32[np.ndarray, " decision"]
    cost_resolved_by: Int8[np.ndarray, " decision"]
    harm: Float32[np.ndarray, "decision budget"]
    harm_days: Float32[np.ndarray, "decision budget"]
    diagnosis: Float32[np.ndarray, "decision condition"]
    diagnosis_days: Float32[np.ndarray, "decision condition"]
    diagnosis_resolved_by: Int8[np.ndarray, "decision condition"]
    progression: Float32[np.ndarray, "decision progression"]
    event_time: Float32[np.ndarray, "decision time_to_event"]
    event_observed: Bool[np.ndarray, "decision time_to_event"]


@dataclass(frozen=True, slots=True, eq=False)
class _Followed:
    """Decisions with the end of their follow-up and the times of what settles any outcome."""

    follow_up: FollowUp
    at: DecisionTimes
    study: Study
    end: Float64[np.ndarray, " decision"]
    """Last day of follow-up of each decision."""
    death: Float64[np.ndarray, " decision"]
    """Day of an event that ends follow-up for good; infinity if there is none."""

    def first(self, codes: tuple[str, ...], after: float, within: float) -> np.ndarray:
        """Time of the first event with any of the codes so many days later; infinity without."""
        events = self.follow_up.event_times(codes)
        return first_time(events, window_rows(events, self.at, after, within))

    def competing(self) -> np.ndarray:
        """Time of the first event after which the outcome cannot occur; infinity without one."""
        outcome = self.study.outcome
        if not outcome.competing:
            return self.death
        return np.minimum(self.death, self.first(outcome.competing, 0.0, outcome.within_days))


@dataclass(frozen=True, slots=True, eq=False)
class _Label:
    """The main outcome: what settled it, and the columns that follow from it."""

    resolved: Resolved
    outcome: np.ndarray
    effective: np.ndarray
    target_distance: np.ndarray


def label_outcomes(follow_up: FollowUp, at: DecisionTimes, study: Study) -> Outcomes:
    """The outcome of each decision within the study's window, and its reward."""
    death = first_time(follow_up.deaths, window_rows(follow_up.deaths, at, 0.0, np.inf))
    followed = _Followed(follow_up, at, study, follow_up.end_of(at), death)
    if study.outcome.kind in ("value_in_range", "change"):
        label = _label_value(followed)
    elif study.outcome.kind == "dose_class":
        label = _label_dose(followed)
    else:
        label = _label_event(followed)
    cost, cost_resolved = _cost(followed)
    diagnoses = [_diagnosis(followed, target) for target in study.diagnosis]
    harms = [_harm(followed, budget) for budget in study.budgets]
    events = [_time_to_event(followed, target) for target in study.time_to_event]
    is_last = np.isinf(next_decision_time(at))
    reward = label.effective * study.reward.effective - cost
    return Outcomes(
        outcome=label.outcome.astype(np.float32),
        target_distance=label.target_distance.astype(np.float32),
        effective=label.effective.astype(np.float32),
        reward=reward.astype(np.float32),
        outcome_observed=~np.isnan(label.effective),
        resolved_days=label.resolved.days,
        resolved_by=label.resolved.by,
        trajectory_ended=is_last & (death <= followed.end),
        cost=cost.astype(np.float32),
        cost_days=cost_resolved.days,
        cost_resolved_by=cost_resolved.by,
        harm=_stack([count for count, _ in harms], len(at)),
        harm_days=_stack([days for _, days in harms], len(at)),
        diagnosis=_stack([value for value, _ in diagnoses], len(at)),
        diagnosis_days=_stack([resolved.days for _, resolved in diagnoses], len(at)),
        diagnosis_resolved_by=_stack([r.by for _, r in diagnoses], len(at)).astype(np.int8),
        progression=_stack([_progression(followed, t) for t in study.progression], len(at)),
        event_time=_stack([days for days, _ in events], len(at)),
        event_observed=_stack([observed for _, observed in events], len(at)).astype(bool),
    )


def _resolve(followed: _Followed, outcome_time: np.ndarray) -> Resolved:
    """What settled the main outcome: the option was stopped, the outcome, or a competing event."""
    outcome, at = followed.study.outcome, followed.at
    window_end, end = at.time + outcome.within_days, followed.end
    causes = [(OUTCOME, outcome_time)]
    if outcome.unless:
        causes.insert(0, (UNLESS, followed.first(outcome.unless, 0.0, outcome.within_days)))
    if outcome.competing_as == "cause_specific":
        end = np.minimum(end, followed.competing())
    elif outcome.competing_as == "composite":
        causes.append((OUTCOME, followed.competing()))
    else:
        causes.append((COMPETING, followed.competing()))
    return resolve(at, causes, window_end, end)


def _label_value(followed: _Followed) -> _Label:
    """Where the outcome is a number or its change."""
    study, at = followed.study, followed.at
    outcome, values = study.outcome, followed.follow_up.event_times(study.outcome.codes, True)
    rows = window_rows(values, at, outcome.from_days, outcome.within_days)
    value, value_time = first_value(values, rows), first_time(values, rows)
    value = np.where(value_time <= followed.end, value, np.nan)
    reached, target_distance = np.zeros(len(at), dtype=bool), np.full(len(at), np.nan)
    if outcome.range is not None:
        reached |= is_within(value, outcome.range)
        target_distance = distance_inside(value, outcome.range)
    if outcome.change is not None:
        facts = event_facts(followed.follow_up.events, followed.follow_up.subject, at, study)
        before = facts.latest_value(outcome.codes)
        change, scale = value - before, np.fmax(np.abs(value), np.abs(before))
        reached |= is_within(change, outcome.change, scale)
        target_distance = np.fmax(target_distance, distance_inside(change, outcome.change))
        if outcome.range is None:
            value = change
    resolved = _resolve(followed, value_time)
    is_measured = (resolved.by == OUTCOME) & ~np.isnan(value)
    effective = np.where(is_measured, reached.astype(np.float64), np.nan)
    effective[np.isin(resolved.by, (UNLESS, COMPETING))] = 0.0
    return _Label(resolved, value, effective, np.where(is_measured, target_distance, np.nan))


def _label_dose(followed: _Followed) -> _Label:
    """Where the outcome is the stable dose: known if it was reached in follow-up."""
    outcome, at = followed.study.outcome, followed.at
    doses = followed.follow_up.event_times(outcome.codes, numeric=True)
    rows = window_rows(doses, at, outcome.from_days, outcome.within_days)
    time = first_time(doses, rows)
    resolved = resolve(at, [(OUTCOME, time)], at.time + outcome.within_days, followed.end)
    dose = np.where(resolved.by == OUTCOME, first_value(doses, rows), np.nan)
    unknown = np.full(len(at), np.nan)
    return _Label(resolved, dose, np.where(np.isnan(dose), np.nan, 1.0), unknown)


def _label_event(followed: _Followed) -> _Label:
    """Where the outcome is an event, or the time to it."""
    outcome, at = followed.study.outcome, followed.at
    first = followed.first(outcome.codes, outcome.from_days, outcome.within_days)
    resolved = _resolve(followed, first)
    is_good = resolved.by == (OUTCOME if outcome.kind == "occurs" else WINDOW_END)
    effective = np.where(resolved.by == CENSORED, np.nan, is_good.astype(np.float64))
    unknown = np.full(len(at), np.nan)
    if outcome.kind == "time_to_event":
        return _Label(resolved, resolved.days, effective, unknown)
    occurred = (resolved.by == OUTCOME).astype(np.float64)
    occurred[np.isin(resolved.by, (CENSORED, UNLESS))] = np.nan
    return _Label(resolved, occurred, effective, unknown)


def _cost(followed: _Followed) -> tuple[np.ndarray, Resolved]:
    """Costs of harms until the next decision, and whether follow-up covers their windows.

    After an event that ends follow-up for good there are no further costs.
    """
    at, costs = followed.at, followed.study.reward.costs
    is_trial = followed.study.decision.which == "sequential"  # with a follow-up of its own
    following = np.full(len(at), np.inf) if is_trial else next_decision_time(at)
    total = np.zeros(len(at))
    for cost in costs:
        total += cost.cost * _count_events(followed, cost, following)
    longest = max((cost.within_days for cost in costs), default=0.0)
    window_end = np.minimum(following, at.time + longest)
    resolved = resolve(at, [(COMPETING, followed.death)], window_end, followed.end)
    return np.where((resolved.by == CENSORED) & bool(costs), np.nan, total), resolved


def _count_events(
    followed: _Followed, harm: Cost | HarmBudget, following: Float64[np.ndarray, " decision"]
) -> np.ndarray:
    """Events of a harm in its window, before the next decision and the end of follow-up."""
    at, events = followed.at, followed.follow_up.event_times(harm.codes)
    start, stop = window_rows(events, at, harm.from_days, harm.within_days)
    last = DecisionTimes(at.subject, np.minimum(following, followed.end))
    return np.maximum(np.minimum(stop, count_before(events, last)) - start, 0)


def _harm(followed: _Followed, budget: HarmBudget) -> tuple[np.ndarray, np.ndarray]:
    """Events of a budget until the next decision, NaN if follow-up ended before; and the days."""
    at, following = followed.at, next_decision_time(followed.at)
    window_end = np.minimum(following, at.time + budget.within_days)
    resolved = resolve(at, [(COMPETING, followed.death)], window_end, followed.end)
    count = _count_events(followed, budget, following)
    return np.where(resolved.by == CENSORED, np.nan, count), resolved.days


def _diagnosis(followed: _Followed, target: PredictionTarget) -> tuple[np.ndarray, Resolved]:
    """Cumulative incidence: 1 with the event, 0 without it or if death came first."""
    at = followed.at
    first = followed.first(target.codes, target.from_days, target.within_days)
    causes = [(OUTCOME, first), (COMPETING, followed.death)]
    resolved = resolve(at, causes, at.time + target.within_days, followed.end)
    occurred = (resolved.by == OUTCOME).astype(np.float64)
    return np.where(resolved.by == CENSORED, np.nan, occurred), resolved


def _progression(followed: _Followed, target: PredictionTarget) -> np.ndarray:
    values = followed.follow_up.event_times(target.codes, numeric=True)
    rows = window_rows(values, followed.at, target.from_days, target.within_days)
    return np.where(first_time(values, rows) <= followed.end, first_value(values, rows), np.nan)


def _time_to_event(
    followed: _Followed, target: PredictionTarget
) -> tuple[np.ndarray, Bool[np.ndarray, " decision"]]:
    """Days to the first event, or to the end of follow-up or window; whether it was the event.

    A competing event such as death censors: the hazards are cause-specific.
    """
    at = followed.at
    first = followed.first(target.codes, target.from_days, target.within_days)
    resolved = resolve(at, [(OUTCOME, first)], at.time + target.within_days, followed.end)
    return resolved.days, resolved.by == OUTCOME


def _stack(columns: list[np.ndarray], rows: int) -> Float32[np.ndarray, "decision column"]:
    if not columns:
        return np.zeros((rows, 0), np.float32)
    return np.stack(columns, axis=1).astype(np.float32)
