"""Landmark analysis of a grace period: outcomes count once it is over, for every option.

If treatment may start some days after time zero, whoever starts has lived so long without the
outcome, and whoever had it first is called untreated: immortal time. At the landmark, the end of
the grace period, everybody's option is known; those who had the outcome, died or left before it are
excluded, whatever they received, and every outcome window opens there (Anderson, Cain and Gelber
1983, doi:10.1200/JCO.1983.1.11.710; Dafni 2011, doi:10.1161/CIRCOUTCOMES.110.957951).
"""

from collections.abc import Iterator
from dataclasses import replace

from posology.cohorts.decisions.exclusions import Kept
from posology.cohorts.decisions.follow_up import FollowUp
from posology.cohorts.events.windows import DecisionTimes, has_event, window_rows
from posology.domain.codes import display_names
from posology.domain.study import PredictionTarget, Study

EVENT_KINDS = ("occurs", "does_not_occur", "time_to_event")
"""Kinds of outcome that are an event, and not a number."""


def open_windows_at_landmark(study: Study) -> Study:
    """The study with no outcome, harm or target counted before its landmark."""
    days = study.assignment.landmark_days
    if not days:
        return study

    def later(targets: tuple[PredictionTarget, ...]) -> tuple[PredictionTarget, ...]:
        return tuple(replace(t, from_days=max(t.from_days, days)) for t in targets)

    outcome = replace(study.outcome, from_days=max(study.outcome.from_days, days))
    costs = tuple(replace(cost, from_days=days) for cost in study.reward.costs)
    return replace(
        study,
        outcome=outcome,
        reward=replace(study.reward, costs=costs),
        diagnosis=later(study.diagnosis),
        progression=later(study.progression),
        time_to_event=later(study.time_to_event),
    )


def free_at_landmark(followed: FollowUp, at: DecisionTimes, study: Study) -> Iterator[Kept]:
    """Each condition of being at risk at the landmark; nothing if the study has none."""
    days = study.assignment.landmark_days
    if not days:
        return
    place = f"before the landmark at {days:g} days"
    outcome = study.outcome
    first = outcome.codes if outcome.kind in EVENT_KINDS else ()
    for codes in (first, outcome.unless, outcome.competing):
        if codes:
            events = followed.event_times(codes)
            resolved = has_event(window_rows(events, at, 0.0, days))
            yield ~resolved, f"{display_names(codes, study.names)} {place}"
    leaves = followed.end_of(at) - at.time <= days
    ended = followed.ended[at.subject]
    yield ~(leaves & ended), f"follow-up ended for good (death) {place}"
    yield ~(leaves & ~ended), f"follow-up ended {place}"
