"""Events that the study reads, and their order within a day where times have no hours."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
from jaxtyping import Bool

from posology.cohorts.events.kidney import add_kidney_events
from posology.cohorts.events.stream import (
    EventStream,
    event_order,
    has_any_code,
    select_events,
    sort_events,
)
from posology.cohorts.events.visible import treatment_codes
from posology.domain.study import EVENT_KINDS, Study


def study_events(
    events: pa.Table, study: Study, codes: tuple[str, ...] | None = None
) -> EventStream:
    """The sorted events in the study's time resolution, with those that it computes.

    codes: all codes that may occur; the table's own if None.
    """
    return add_kidney_events(order_within_days(sort_events(events, codes), study), study)


def outcome_event_codes(study: Study) -> tuple[str, ...]:
    """Codes of events that are outcomes: what may come of a treatment on its own day.

    Numbers are not among them: a value of the day of treatment is a baseline value.
    """
    outcome, targets = study.outcome, (*study.diagnosis, *study.time_to_event)
    own = outcome.codes if outcome.kind in EVENT_KINDS else ()
    ends = (*study.follow_up.ended_by, *study.follow_up.observed_by)
    harms = tuple(code for h in (*study.reward.costs, *study.budgets) for code in h.codes)
    later = tuple(code for target in targets for code in target.codes)
    return (*own, *outcome.unless, *outcome.competing, *ends, *harms, *later)


def order_within_days(events: EventStream, study: Study) -> EventStream:
    """With `resolution = "day"`, whole days: what follows treatment on a day is placed after it.

    Baseline, treatment and outcome are ordered as the study states; the events of decisions count
    as treatment. What comes before treatment, or with it, is at the start of the day.
    """
    slack = study.clock.slack
    if not slack:
        return events
    order = study.clock.same_day
    late = {kind: order.index(kind) > order.index("treatment") for kind in order}
    is_outcome = has_any_code(events, outcome_event_codes(study))
    is_late = np.where(is_outcome, late["outcome"], late["baseline"])
    is_late &= ~has_any_code(events, (*treatment_codes(study), *study.decision.codes))
    time = np.floor(events.time) + slack * is_late
    rows = event_order(events.subject_id, time, events.code, events.value)
    return select_events(replace(events, time=time), rows)


def has_no_hours(events: EventStream) -> Bool[np.ndarray, " event"]:
    """Whether each event is dated at midnight, as a date without an hour is."""
    return events.time == np.floor(events.time)
