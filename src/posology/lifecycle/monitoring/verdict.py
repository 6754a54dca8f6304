"""What the monitors say month by month, in the words that pages, JSON and the terminal share."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from posology.lifecycle.monitoring.detector import (
    ABOVE,
    Evidence,
    make_detector,
    name_alarm,
    stack_counts,
    weigh_months,
)
from posology.lifecycle.monitoring.monitor import Limits, Monitor
from posology.lifecycle.monitoring.observations import Observations
from posology.lifecycle.monitoring.reference import Reference
from posology.lifecycle.monitoring.scores import count_scores


@dataclass(frozen=True, slots=True)
class MonitorMonth:
    """One monitor in one month."""

    patients: int
    mean: float
    """Of the score; NaN without patients."""
    evidence: float
    """Its part of the evidence of all, which alarms at 1."""
    is_above: bool
    """Whether more of the evidence says that the mean rose than that it fell."""
    is_alarm: bool
    """Whether it is one of those without which there would be no alarm."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """All monitors over the months."""

    first_month: int
    """Number of the first month, as observations count them."""
    monitors: tuple[Monitor, ...]
    limits: tuple[Limits, ...]
    months: tuple[tuple[MonitorMonth, ...], ...]
    """Of each month, each monitor."""
    total: tuple[float, ...]
    """Evidence of all monitors at the end of each month; an alarm at 1, and then from 0 again."""
    alarms: tuple[bool, ...]


def judge_months(reference: Reference, observed: Observations, last_month: int) -> Verdict | None:
    """The verdict from the first month with a decision to the last; None if nothing was observed.

    last_month: the last one that is judged, as `observed` counts them.
    """
    if not len(observed) or not reference.monitors:
        return None
    start = int(observed.decided.min())
    months = last_month - start + 1
    if months < 1:
        return None
    counts = [count_scores(m.score, observed, start, months) for m in reference.monitors]
    detector = make_detector(reference.monitors)
    stacked = stack_counts(detector, [[c[month] for c in counts] for month in range(months)])
    evidence = weigh_months(detector, stacked)
    rows = tuple(
        _month_row(reference.monitors, [c[month] for c in counts], evidence, month)
        for month in range(months)
    )
    total = tuple(float(x) for x in evidence.total)
    alarms = tuple(bool(x) for x in evidence.is_alarm)
    return Verdict(start, reference.monitors, detector.limits, rows, total, alarms)


def _month_row(
    monitors: Sequence[Monitor], counts: Sequence[np.ndarray], evidence: Evidence, month: int
) -> tuple[MonitorMonth, ...]:
    part = evidence.by_monitor[month]
    named = set(name_alarm(part.sum(axis=1))) if evidence.is_alarm[month] else set()
    rows = []
    for row, (monitor, values) in enumerate(zip(monitors, counts, strict=True)):
        n = int(values.sum())
        mean = float(values @ np.array(monitor.score.values)) / n if n else float("nan")
        is_above = bool(part[row].argmax() == ABOVE)
        rows.append(MonitorMonth(n, mean, float(part[row].sum()), is_above, row in named))
    return tuple(rows)
