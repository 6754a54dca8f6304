"""Kaplan-Meier curves by arm, numbers at risk, and restricted mean times without the event."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

from posology.evaluation.arms.raw_outcomes import normal_difference
from posology.evaluation.intervals import Z_95, Difference

TICKS = 5
"""Times of a curve at which the number at risk is counted: the start and four quarters."""


@dataclass(frozen=True, slots=True)
class EventCurve:
    """The share of an arm without the event, by days from time zero (Kaplan and Meier 1958)."""

    option: str
    patients: int
    events: int
    """Events up to the horizon."""
    days: tuple[float, ...]
    """0, then each day with an event, then the horizon, or the last day of follow-up before it."""
    share: tuple[float, ...]
    """Without the event from that day on."""
    low: tuple[float, ...]
    """Of the 95 % interval: Greenwood's variance on the scale log(-log)."""
    high: tuple[float, ...]
    at_risk: tuple[int, ...]
    """Patients followed and without the event, just before each of `EventCurves.ticks`."""
    restricted_mean: float
    """Restricted mean survival time: mean days without the event, of the horizon."""
    standard_error: float


@dataclass(frozen=True, slots=True)
class EventCurves:
    """The curves of all arms."""

    horizon: float
    """In days."""
    ticks: tuple[float, ...]
    curves: tuple[EventCurve, ...]
    comparator: int
    differences: tuple[Difference, ...]
    """Of each arm's restricted mean from the comparator's; the comparator's own is 0."""


def describe_event_times(
    days: Float64[np.ndarray, " decision"],
    event: Bool[np.ndarray, " decision"],
    treatment: Int64[np.ndarray, " decision"],
    options: Sequence[str],
    plan: tuple[float, int],
) -> EventCurves:
    """The curve of each arm.

    Args:
        days: to the event, or to the end of follow-up or of the window.
        event: whether it occurred then.
        treatment: option given.
        options: names of the options.
        plan: the horizon in days, and the index of the comparator.
    """
    horizon, comparator = plan
    ticks = tuple(float(t) for t in np.linspace(0, horizon, TICKS))
    curves = tuple(
        _curve(option, days[treatment == k], event[treatment == k], ticks)
        for k, option in enumerate(options)
    )
    reference = curves[comparator]
    differences = tuple(
        Difference(0.0, 0.0, 0.0, 1.0)
        if k == comparator
        else normal_difference(
            curve.restricted_mean - reference.restricted_mean,
            float(np.hypot(curve.standard_error, reference.standard_error)),
        )
        for k, curve in enumerate(curves)
    )
    return EventCurves(horizon, ticks, curves, comparator, differences)


def _curve(
    option: str,
    days: Float64[np.ndarray, " decision"],
    event: Bool[np.ndarray, " decision"],
    ticks: tuple[float, ...],
) -> EventCurve:
    horizon = ticks[-1]
    counted = event & (days <= horizon)
    time, events = np.unique(days[counted], return_counts=True)
    at_risk = np.array([(days >= t).sum() for t in time], dtype=np.float64)
    share = np.concatenate([[1.0], np.cumprod(1 - events / np.maximum(at_risk, 1))])
    greenwood = np.cumsum(events / np.maximum(at_risk * (at_risk - events), 1e-12))
    low, high = _limits(share, np.concatenate([[0.0], greenwood]))
    last = min(horizon, float(days.max(initial=0.0)))
    edges = np.concatenate([[0.0], time, [last]])
    areas = share * np.diff(edges)
    left = np.cumsum(areas[::-1])[::-1][1:]  # area under the curve after each event time
    weight = events / np.maximum(at_risk * (at_risk - events), 1e-12)
    variance = float((left**2 * np.where(at_risk > events, weight, 0.0)).sum())
    return EventCurve(
        option=option,
        patients=len(days),
        events=int(counted.sum()),
        days=tuple(edges.tolist()),
        share=(*share.tolist(), float(share[-1])),
        low=(*low.tolist(), float(low[-1])),
        high=(*high.tolist(), float(high[-1])),
        at_risk=tuple(int((days >= t).sum()) for t in ticks),
        restricted_mean=float(areas.sum()),
        standard_error=float(np.sqrt(variance)),
    )


def _limits(
    share: Float64[np.ndarray, "_"], greenwood: Float64[np.ndarray, "_"]
) -> tuple[Float64[np.ndarray, "_"], Float64[np.ndarray, "_"]]:
    """Limits on the scale log(-log); 1 and 0 themselves have no interval."""
    inner = (share > 0) & (share < 1)
    safe = np.where(inner, share, 0.5)
    reach = np.where(inner, Z_95 * np.sqrt(greenwood) / np.abs(np.log(safe)), 0.0)
    low, high = safe ** np.exp(reach), safe ** np.exp(-reach)
    return np.where(inner, low, share), np.where(inner, high, share)
