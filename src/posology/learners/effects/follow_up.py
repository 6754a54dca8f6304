"""How long each decision of a cohort was followed, as a trial's follow-up."""

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int8, Int64

from posology.causal.trial import FollowUp
from posology.domain.cohort import CENSORED, OUTCOME, WINDOW_END, Cohort


def outcome_follow_up(cohort: Cohort, row: Int64[np.ndarray, " decision"]) -> FollowUp:
    """Follow-up to the main outcome of some decisions."""
    outcome = cohort.study.outcome
    is_known = cohort.outcome_observed[row] & ~np.isnan(cohort.effective[row])
    days = None if cohort.resolved_days is None else cohort.resolved_days[row]
    by = None if cohort.resolved_by is None else cohort.resolved_by[row]
    is_number = outcome.kind in ("value_in_range", "change")
    return follow_up_of(is_known, days, by, outcome.from_days if is_number else None)


def follow_up_of(
    is_known: Bool[np.ndarray, " decision"],
    days: Float32[np.ndarray, " decision"] | None,
    resolved_by: Int8[np.ndarray, " decision"] | None,
    measured_from: float | None = None,
) -> FollowUp:
    """Follow-up to one outcome.

    Where the cohort does not say when follow-up ended, only whether it was complete is modelled.
    measured_from: day from which a number counts; None where the outcome is an event.
    """
    nobody = np.zeros(len(is_known), dtype=bool)
    if days is None or resolved_by is None:
        return FollowUp(is_known.astype(np.float64), is_known, is_known, nobody)
    needs_number = np.isin(resolved_by, (OUTCOME, WINDOW_END))
    return FollowUp(
        days.astype(np.float64),
        resolved_by != CENSORED,
        is_known,
        nobody if measured_from is None else needs_number,
        np.inf if measured_from is None else measured_from,
    )


def concatenate_follow_up(first: FollowUp, second: FollowUp) -> FollowUp:
    """The decisions of both."""
    return FollowUp(
        np.concatenate([first.days, second.days]),
        np.concatenate([first.is_resolved, second.is_resolved]),
        np.concatenate([first.is_known, second.is_known]),
        np.concatenate([first.needs_measurement, second.needs_measurement]),
        min(first.measured_from, second.measured_from),
    )


def harm_costs(
    cohort: Cohort, row: Int64[np.ndarray, " decision"]
) -> tuple[
    Float64[np.ndarray, " decision"],
    Float32[np.ndarray, " decision"] | None,
    Int8[np.ndarray, " decision"] | None,
]:
    """Cost of harms of some decisions, NaN where unknown; when it was settled, and by what."""
    if cohort.cost is None or cohort.cost_days is None or cohort.cost_resolved_by is None:
        value = cohort.effective[row].astype(np.float64) * cohort.study.reward.effective
        return value - cohort.reward[row], None, None
    return cohort.cost[row].astype(np.float64), cohort.cost_days[row], cohort.cost_resolved_by[row]
