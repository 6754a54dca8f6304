"""What the records hold of each outcome, harm and target: seen, known, unknown and why."""

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
from jaxtyping import Float64

from posology.cohorts.decisions.follow_up import FollowUp
from posology.cohorts.decisions.outcomes import Outcomes
from posology.cohorts.events.day_order import has_no_hours, outcome_event_codes
from posology.cohorts.events.stream import has_any_code
from posology.cohorts.events.windows import (
    DecisionTimes,
    EventTimes,
    count_before,
    first_time,
    has_event,
    window_rows,
)
from posology.domain.codes import display_names
from posology.domain.cohort import CENSORED, OUTCOME
from posology.domain.study import EVENT_KINDS, Study

NO_HOURS_SHARE = 0.99
"""Share of decisions and outcomes at midnight from which dates have no hours. Our choice."""


@dataclass(frozen=True, slots=True)
class TargetCounts:
    """Decisions by what is known of one outcome, harm or target. All counts but `events`."""

    kind: str
    name: str
    events: int
    """Events in the records, of all patients and times."""
    seen: int
    """With the event, or a number, in the window and in follow-up."""
    known: int
    left: int
    """Unknown: follow-up ended before the window did."""
    at_until: int
    """Unknown: follow-up was cut at `until`."""
    unmeasured: int
    """Unknown: no number in the window."""
    after_end: int
    """With an event in the window, but after the end of follow-up: it does not count."""
    day_zero: int
    """With an event on the calendar day of time zero."""
    before_zero: int
    """Of them, those whose event counts as known before the decision, and not as its outcome."""
    treatment_day: int
    """With an event on the calendar day on which the treatment given started."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """Counts of all targets, and of dates without hours."""

    targets: tuple[TargetCounts, ...]
    dated: int
    """Dated events of decisions and outcomes."""
    midnight: int
    """Of them, those at midnight."""


_Target = tuple[str, str, tuple[str, ...], float, float]
"""Kind, name, codes and window of a target."""


def count_coverage(
    followed: FollowUp,
    at: DecisionTimes,
    start: Float64[np.ndarray, " decision"],
    labels: tuple[Outcomes, Study],
) -> Coverage:
    """Counts of the final decisions.

    start: when the treatment given started; infinity for none. labels: the outcomes, and the study
    with the windows in which they were counted.
    """
    outcomes, study = labels
    targets = []
    for number, target in enumerate(_targets(study)):
        counts = _count(followed, at, start, (target, study))
        targets.append(counts if number else _main_outcome(counts, outcomes))
    events = followed.events
    codes = (*study.decision.codes, *outcome_event_codes(study))
    dated = has_any_code(events, codes) & ~np.isnan(events.time)
    return Coverage(tuple(targets), int(dated.sum()), int((dated & has_no_hours(events)).sum()))


def _targets(study: Study) -> Iterator[_Target]:
    """The main outcome first."""
    outcome = study.outcome
    name = display_names(outcome.codes, study.names)
    yield "outcome", name, outcome.codes, outcome.from_days, outcome.within_days
    for cost in study.reward.costs:
        harm = display_names(cost.codes, study.names)
        yield "harm", harm, cost.codes, cost.from_days, cost.within_days
    for budget in study.budgets:
        yield "budget", budget.name, budget.codes, budget.from_days, budget.within_days
    for kind, targets in (
        ("diagnosis", study.diagnosis),
        ("time to event", study.time_to_event),
        ("progression", study.progression),
    ):
        for target in targets:
            yield kind, target.name, target.codes, target.from_days, target.within_days


def _count(
    followed: FollowUp, at: DecisionTimes, start: np.ndarray, target: tuple[_Target, Study]
) -> TargetCounts:
    (kind, name, codes, from_days, within), study = target
    numeric = kind == "progression" or (kind == "outcome" and study.outcome.kind not in EVENT_KINDS)
    times = followed.event_times(codes, numeric)
    end = followed.end_of(at)
    first = first_time(times, window_rows(times, at, from_days, within))
    death = first_time(followed.deaths, window_rows(followed.deaths, at, 0.0, np.inf))
    seen = first <= end
    whole = (end >= at.time + within) | (death <= end)
    cut = np.zeros(len(at), dtype=bool)
    if study.follow_up.until is not None:
        cut = ~whole & (end >= study.follow_up.until)
    unknown = ~seen if numeric else ~seen & ~whole
    day = DecisionTimes(at.subject, np.floor(at.time))
    start_day = DecisionTimes(at.subject, np.floor(start))
    return TargetCounts(
        kind=kind,
        name=name,
        events=len(times.time),
        seen=int(seen.sum()),
        known=int((~unknown).sum()),
        left=int((unknown & ~whole & ~cut).sum()),
        at_until=int((unknown & cut).sum()),
        unmeasured=int((unknown & whole).sum()),
        after_end=int((np.isfinite(first) & ~seen).sum()),
        day_zero=int(_on_day(times, day).sum()),
        before_zero=int(_between(times, day, at).sum()),
        treatment_day=int((np.isfinite(start) & _on_day(times, start_day)).sum()),
    )


def _on_day(times: EventTimes, day: DecisionTimes) -> np.ndarray:
    """Whether an event lies on a calendar day. day: its start."""
    first = count_before(times, day, inclusive=False)
    return count_before(times, day, 1.0, inclusive=False) > first


def _between(times: EventTimes, day: DecisionTimes, at: DecisionTimes) -> np.ndarray:
    """Whether an event lies between the start of the day and the decision, both included."""
    return has_event((count_before(times, day, inclusive=False), count_before(times, at)))


def _main_outcome(counts: TargetCounts, outcomes: Outcomes) -> TargetCounts:
    """The counts of the main outcome, which stops and competing events resolve, too."""
    unknown = np.isnan(outcomes.effective)
    censored = unknown & (outcomes.resolved_by == CENSORED)
    at_until = min(counts.at_until, int(censored.sum()))
    return TargetCounts(
        kind=counts.kind,
        name=counts.name,
        events=counts.events,
        seen=int((outcomes.resolved_by == OUTCOME).sum()),
        known=int((~unknown).sum()),
        left=int(censored.sum()) - at_until,
        at_until=at_until,
        unmeasured=int((unknown & ~censored).sum()),
        after_end=counts.after_end,
        day_zero=counts.day_zero,
        before_zero=counts.before_zero,
        treatment_day=counts.treatment_day,
    )


def merge_coverage(parts: list[Coverage]) -> Coverage:
    """The counts of several chunks of the same records."""
    targets = [_sum(list(same)) for same in zip(*(p.targets for p in parts), strict=True)]
    dated, midnight = sum(p.dated for p in parts), sum(p.midnight for p in parts)
    return Coverage(tuple(targets), dated, midnight)


def _sum(same: list[TargetCounts]) -> TargetCounts:
    counts = [f.name for f in fields(TargetCounts) if f.name not in ("kind", "name")]
    total = {name: sum(getattr(part, name) for part in same) for name in counts}
    return TargetCounts(kind=same[0].kind, name=same[0].name, **total)


def no_hours_warnings(coverage: Coverage, study: Study) -> tuple[str, ...]:
    """A warning if dates have no hours, no order is stated, and outcomes lie on day 0."""
    share = coverage.midnight / max(coverage.dated, 1)
    hidden = [
        f"{target.name} {target.before_zero:,}"
        for target in coverage.targets
        if target.before_zero and target.kind != "progression" and not _is_number(target, study)
    ]
    if study.clock.resolution or share < NO_HOURS_SHARE or not hidden:
        return ()
    return (
        f"Dates have no hours ({share:.0%} of decisions and outcomes are at midnight), so what was "
        "recorded on the day of a decision counts as known before it, and not as its outcome: "
        f"{', '.join(hidden)}. State the order of a day: [time] resolution = "
        '"day" with `same_day`, or resolution = "minute" if the times are right.',
    )


def _is_number(target: TargetCounts, study: Study) -> bool:
    return target.kind == "outcome" and study.outcome.kind not in EVENT_KINDS
