"""Restricted mean event-free time under censoring."""

import numpy as np
from jaxtyping import Bool, Int64

from posology.causal.trial import Column, FollowUp, Mask
from posology.errors import UserError


def restricted_mean_time(
    time: Column, event_observed: Bool[np.ndarray, " decision"], horizon: float
) -> float:
    """Area under the Kaplan-Meier curve up to the horizon: mean event-free time."""
    order = np.argsort(time, kind="stable")
    times, first = np.unique(time[order], return_index=True)
    events = np.add.reduceat(event_observed[order].astype(np.float64), first)
    at_risk = len(time) - first
    survival = np.concatenate([[1.0], np.cumprod(1 - events / at_risk)])
    edges = np.minimum(np.concatenate([[0.0], times, [max(horizon, times[-1])]]), horizon)
    return float(survival @ np.diff(edges))


def restricted_times(
    days: Column, is_resolved: Mask, horizon: float, treatment: Int64[np.ndarray, " decision"]
) -> tuple[Column, FollowUp]:
    """Days without the event, at most the horizon, as a trial's outcome and its follow-up.

    days: to the event, the horizon, or the end of follow-up where `is_resolved` is False. The mean
    of the outcomes that missing_outcomes.py completes is the restricted mean. They are the
    pseudo-observations of Binder, Gerds and Andersen 2014 (doi:10.1007/s10985-013-9247-4) and of
    Overgaard, Parner and Pedersen 2019 (doi:10.1016/j.jspi.2019.02.003) with the augmentation that
    leaves less variance and guards against a wrong model of censoring. UserError if no patient of
    an option was followed to the horizon.
    """
    for k in np.unique(treatment):
        longest = days[treatment == k].max()
        if longest < horizon:
            raise UserError(
                f"option {k}: no patient was followed for {horizon:g}, the longest for "
                f"{longest:g}; choose a shorter horizon"
            )
    resolved = is_resolved | (days >= horizon)
    days = np.minimum(days, horizon)
    return days, FollowUp(days, resolved, resolved, np.zeros(len(days), dtype=bool))
