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
from posology.domain.study import EVENT_KINDS, PredictionTarget, Study


def label_windows(study: Study) -> Study:
    """The study with the windows in which its outcomes, harms and targets count.

    None opens before the landmark. In whole days they close, and later ones open, once the day is
    over: outcomes of a day follow its treatment.
    """
    landmark, slack = study.assignment.landmark_days, study.clock.slack
    if not landmark and not slack:
        return study

    def opens(days: float) -> float:
        later = max(days, landmark)
        return later + slack if later else 0.0

    def shift(targets: tuple[PredictionTarget, ...]) -> tuple[PredictionTarget, ...]:
        return tuple(
            replace(t, from_days=opens(t.from_days), within_days=t.within_days + slack)
            for t in targets
        )

    outcome, reward = study.outcome, study.reward
    costs = tuple(
        replace(cost, from_days=opens(0.0), within_days=cost.within_days + slack)
        for cost in reward.costs
    )
    budgets = tuple(
        replace(budget, from_days=opens(0.0), within_days=budget.within_days + slack)
        for budget in study.budgets
    )
    return replace(
        study,
        budgets=budgets,
        outcome=replace(
            outcome,
            from_days=opens(outcome.from_days),
            within_days=outcome.within_days + slack,
        ),
        reward=replace(reward, costs=costs),
        diagnosis=shift(study.diagnosis),
        progression=shift(study.progression),
        time_to_event=shift(study.time_to_event),
    )


def free_at_landmark(followed: FollowUp, at: DecisionTimes, study: Study) -> Iterator[Kept]:
    """Each condition of being at risk at the landmark; nothing if the study has none."""
    days = study.assignment.landmark_days
    if not days:
        return
    place, until = f"before the landmark at {days:g} days", days + study.clock.slack
    outcome = study.outcome
    first = outcome.codes if outcome.kind in EVENT_KINDS else ()
    for codes in (first, outcome.unless, outcome.competing):
        if codes:
            events = followed.event_times(codes)
            resolved = has_event(window_rows(events, at, 0.0, until))
            yield ~resolved, f"{display_names(codes, study.names)} {place}"
    leaves = followed.end_of(at) - at.time <= until
    ended = followed.ended[at.subject]
    yield ~(leaves & ended), f"follow-up ended for good (death) {place}"
    yield ~(leaves & ~ended), f"follow-up ended {place}"
