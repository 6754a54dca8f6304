"""Use of the options before a decision, and how long a patient was recorded before it.

Who still uses a drug has borne it: comparing such prevalent users hides early harm (Ray 2003,
doi:10.1093/aje/kwg231). New users are those without any option in a washout. A sequence of trials,
one at each decision time, takes everybody who has not started yet (Hernan and Robins 2016,
doi:10.1093/aje/kwv254; Danaei et al. 2013, doi:10.1177/0962280211403603).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int32, Int64

from posology.cohorts.decisions.exclusions import Kept
from posology.cohorts.events.stream import EventStream, has_any_code
from posology.cohorts.events.visible import treatment_codes
from posology.cohorts.events.windows import (
    DecisionTimes,
    count_before,
    event_times,
    first_row,
    last_time,
)
from posology.domain.codes import has_prefix
from posology.domain.study import PERIOD_START, Study

_BIRTH = "MEDS_BIRTH"


@dataclass(frozen=True, slots=True)
class EarlierUse:
    """Decisions before which an option had been used: of prevalent users."""

    decisions: int = 0
    continued: int = 0
    """Of them, those that gave an option which had been used before."""


def count_earlier_use(
    events: EventStream,
    subject: Int64[np.ndarray, " event"],
    decisions: tuple[DecisionTimes, Int32[np.ndarray, " decision"]],
    study: Study,
) -> EarlierUse:
    """How many decisions are of prevalent users. decisions: their times and the options given."""
    at, given = decisions
    used = np.isfinite(_last_use(events, subject, at, treatment_codes(study)))
    continued = np.zeros(len(at), dtype=bool)
    for row, option in enumerate(study.formulary.treatments):
        same = np.isfinite(_last_use(events, subject, at, option.codes))
        continued |= same & (given == row)
    return EarlierUse(int(used.sum()), int(continued.sum()))


def enough_history(
    events: EventStream, subject: Int64[np.ndarray, " event"], at: DecisionTimes, study: Study
) -> Iterator[Kept]:
    """The conditions on the time before a decision: `history_days`, and new users only."""
    decision = study.decision
    if decision.history_days is not None:
        days = at.time - _recorded_since(events, subject, at)
        reason = f"recorded for less than {decision.history_days:g} days before"
        yield days >= decision.history_days, reason
    if decision.new_users_days is not None:
        days = at.time - _last_use(events, subject, at, treatment_codes(study))
        reason = f"used an option in the {decision.new_users_days:g} days before"
        yield days > decision.new_users_days, reason
    elif decision.which == "sequential":
        used = np.isfinite(_last_use(events, subject, at, treatment_codes(study)))
        yield ~used, "used an option before"


def earlier_use_warnings(study: Study, use: EarlierUse, decisions: int) -> tuple[str, ...]:
    """A warning if prevalent users are among the decisions and the study does not handle them."""
    decision = study.decision
    handled = decision.which == "sequential" or decision.new_users_days is not None
    if not use.decisions or handled:
        return ()
    families = study.profile.families
    codes = treatment_codes(study)
    is_feature = any(has_prefix(c, f) or has_prefix(f, c) for c in codes for f in families)
    feature = (
        "Earlier use is a feature, which adjusts for what was recorded of it"
        if is_feature
        else "Earlier use is no feature: [profile] `families` has none of the options' codes"
    )
    return (
        f"{use.decisions:,} of {decisions:,} decisions follow earlier use of an option (prevalent "
        f"users); {use.continued:,} continue it. Who still uses a drug has borne it, which hides "
        f"early harm. {feature}. To compare starts only, set [decision] `new_users_days` to a "
        'washout, or which = "sequential".',
    )


def _last_use(
    events: EventStream, subject: np.ndarray, at: DecisionTimes, codes: tuple[str, ...]
) -> Float64[np.ndarray, " decision"]:
    """Time of the last dated event with any of the codes before each decision; minus infinity."""
    uses = event_times(events, subject, codes)
    rows = first_row(uses, at), count_before(uses, at, inclusive=False)
    return last_time(uses, rows)


def _recorded_since(
    events: EventStream, subject: np.ndarray, at: DecisionTimes
) -> Float64[np.ndarray, " decision"]:
    """Start of the observation period of each decision; without one, the patient's first event."""
    first = np.full(int(subject.max(initial=-1)) + 1, np.inf)
    dated = np.flatnonzero(~np.isnan(events.time) & ~has_any_code(events, (_BIRTH,)))[::-1]
    first[subject[dated]] = events.time[dated]  # the first one is written last
    starts = event_times(events, subject, (PERIOD_START,))
    started = last_time(starts, (first_row(starts, at), count_before(starts, at)))
    return np.where(np.isfinite(started), started, first[at.subject])
